"""The command line without an agent: help, exit codes, check, match, ports, drivers, profile, and what it says when no agent runs."""
import json
import os
import pathlib
import pty
import re
import select
import shlex
import socket
import subprocess
import tempfile
import threading
import unittest

LABFERRY = pathlib.Path(os.environ["LF_BUILD"]) / "bin/labferry"
SOURCE = pathlib.Path(os.environ["LF_SOURCE"])
SOON = 60  # seconds; generous, for loaded machines
PROFILES = SOURCE / "etc/profiles"

COMMANDS = ["status", "instruments", "jobs", "job", "events", "event", "send", "run", "ask", "retry", "start", "confirm", "cancel", "assign", "acknowledge",
            "pause", "resume", "audit", "audit-verify", "help", "check", "match", "ports", "drivers", "profile-check", "profile-show",
            "profile-try", "audit-export", "journal-check", "journal-export"]

CONFIG = """
agent = { name = "bench-1"; site = "lab"; state_dir = "%(home)s/state"; socket = "%(home)s/control.sock"; };
cloud = { tenant = "https://acme.benchling.com"; client_id = "x"; client_secret_file = "%(home)s/secret"; };
link = { broker = "mqtt://127.0.0.1:1"; };
instruments = ( { name = "balance-1"; driver = "line"; stream = "tcp:127.0.0.1:9"; profile = "mt-sics"; } );
routes = ( { name = "weigh"; on = "workflowTask.created"; job = "task"; only_agent = true; start = "at-once"; procedure = "weigh"; instrument = "balance-1"; } );
"""


class Cli(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.home = pathlib.Path(folder.name)
        self.environment = {**os.environ, "LABFERRY_PROFILE_PATH": str(PROFILES),
                            "LABFERRY_SOCKET": str(self.home / "none.sock")}

    def run_it(self, *words, stdin="", **environment):
        return subprocess.run([LABFERRY, *map(str, words)], input=stdin, capture_output=True, text=True, timeout=SOON,
                              env={**self.environment, **environment})

    def expect(self, code, *words, stdin="", **environment):
        done = self.run_it(*words, stdin=stdin, **environment)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def write(self, name, text, mode=0o600):
        path = self.home / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def write_config(self, text=CONFIG):
        self.write("secret", "s3cret\n")
        return self.write("labferry.conf", text % {"home": self.home})

    # ---- help and usage

    def test_every_command_has_help(self):
        """Every command explains itself with usage, options, examples and exit status."""
        for command in COMMANDS:
            with self.subTest(command):
                done = self.expect(0, command, "--help")
                if command == "help":
                    continue  # it is the overview itself
                for part in (f"usage: labferry {command}", "options:", "--config", "examples:", f"labferry {command}", "exit status"):
                    self.assertIn(part, done.stdout)
                self.assertEqual(self.expect(0, "help", command).stdout, done.stdout)

    def test_the_overview_names_every_command(self):
        """`labferry help` names every command; without arguments it is shown too, as an error."""
        done = self.expect(0, "help")
        for command in COMMANDS:
            self.assertRegex(done.stdout, rf"(?m)^  {command} ")
        self.assertIn("usage:", self.expect(2).stderr)
        self.expect(0, "--help")
        self.assertRegex(self.expect(0, "--version").stdout, r"^labferry \d+\.\d+\.\d+\n$")

    def test_help_as_json(self):
        """`labferry help --json` describes every command with arguments, permission and examples."""
        table = {row["name"]: row for row in json.loads(self.expect(0, "help", "--json").stdout)}
        self.assertEqual(sorted(table), sorted(COMMANDS))
        common = {"json", "config", "socket", "help", "version"}
        for name, row in table.items():
            with self.subTest(name):
                self.assertTrue(row["summary"] and row["usage"].startswith(name) and row["examples"])
                self.assertEqual(row["permission"], "operator" if row["changes"] else "anyone")
                self.assertEqual(row["remote"], "example_args" in row)
                self.assertFalse(common & {arg["name"] for arg in row["args"]}, "an argument hides a common option")
                for arg in row["args"]:
                    self.assertTrue(arg["help"])
        self.assertEqual([arg["name"] for arg in table["cancel"]["args"] if not arg["cli_only"]], ["job", "all", "instrument", "state", "kind", "why"])
        self.assertIn("held", next(arg for arg in table["jobs"]["args"] if arg["name"] == "state")["choices"])
        self.assertFalse(table["send"]["remote"])
        self.assertEqual([row["name"] for row in json.loads(self.expect(0, "help", "run", "--json").stdout)], ["run"])

    def test_help_for_mqtt(self):
        """`labferry help mqtt` explains topics, fields, states and rights, with an example for each verb."""
        text = self.expect(0, "help", "mqtt").stdout
        for part in ("labferry/SITE/agents/AGENT", "BASE/command", "BASE/reply/", "response topic", "correlation", "expires", "subscribe",
                     "publish", "accepted", "running", "succeeded", "failed"):
            self.assertIn(part, text)
        rights = text[text.index("Rights needed"):]
        reads, writes = rights[rights.index("subscribes to"):].split("publishes on", 1)
        for topic in ("labferry/SITE/events/#", "BASE/command", "BASE/status", "BASE/audit", "labferry/SITE/agents/+/routes"):
            self.assertIn(topic, reads)
        for topic in ("BASE/status", "BASE/audit", "BASE/routes", "BASE/instruments/+", "BASE/jobs/+", "BASE/reply/+"):
            self.assertIn(topic, writes)
        examples = [json.loads(line) for line in text.splitlines() if line.startswith("  {")]
        table = json.loads(self.expect(0, "help", "--json").stdout)
        self.assertEqual([one["verb"] for one in examples], [row["name"] for row in table if row["remote"]])
        for one in examples:
            self.assertLessEqual(set(one), {"id", "verb", "args"})

    def test_every_example_can_be_typed(self):
        """Each example in the help is understood: without an agent or a file it fails, but never as wrong usage."""
        for row in json.loads(self.expect(0, "help", "--json").stdout):
            for example in row["examples"]:
                if example.startswith("labferry ") and not row["name"].endswith(("export", "try")) and row["name"] != "ports":
                    words = shlex.split(re.split(r" && | \| ", example)[0])[1:]
                    with self.subTest(example):
                        self.assertNotEqual(self.run_it(*words).returncode, 2)

    def test_names_of_two_words(self):
        """A command with a '-' in its name may also be typed as two words, as it is written in many places."""
        self.assertEqual(self.expect(0, "help", "profile", "check").stdout, self.expect(0, "profile-check", "--help").stdout)
        self.assertEqual(self.expect(0, "audit", "verify", "--help").stdout, self.expect(0, "audit-verify", "-h").stdout)
        self.assertIn("audit trail", self.expect(0, "audit", "--help").stdout)

    def test_exit_codes_are_documented(self):
        """`labferry help exit-codes` explains 0 to 8."""
        text = self.expect(0, "help", "exit-codes").stdout
        for code in range(9):
            self.assertRegex(text, rf"(?m)^  {code}  \w")

    def test_wrong_usage(self):
        """Wrong usage ends with 2 and says what would be right."""
        for words, part in [(["stauts"], 'did you mean "status"'), (["jobs", "--sate", "x"], "--sate"), (["job"], "JOB"),
                            (["job", "x"], "whole number"), (["job", "1", "2"], 'unexpected argument "2"'), (["retry", "-1"], "-1"),
                            (["jobs", "--limit"], "--limit N"), (["jobs", "--limit", "0"], "whole number"),
                            (["status", "--json=yes"], "takes no value"), (["run", "b", "p", "x"], "name=value"),
                            (["profile"], "profile"), (["profile", "chek", "x"], "check"), (["match"], "--pattern"),
                            (["profile", "try", "mt-sics"], "--stream"), (["job", "1", "--wait", "--timeout", "soon"], "30s"),
                            (["match", "--pattern", "-", "--events", "-"], "standard input"), (["help", "nonsense"], "nonsense"),
                            (["--foo"], 'labferry has no option "--foo"'), (["--jsno"], 'did you mean "--json"'),
                            (["jobs", "--jsno"], 'did you mean "--json"'), (["jobs", "--limit", "5000"], "at most 1000"),
                            (["ask", "b", "c", "--timeout", "1h"], "at most 10 min"), (["audit", "--what", "bogus"], "acting"),
                            (["jobs", "--state", "hold"], 'did you mean "held"'), (["events", "--fate", "x"], "unrouted"),
                            (["run", "b", "p", "v=1", "v=2"], '"v" is given twice')]:
            with self.subTest(words):
                done = self.expect(2, *words)
                self.assertIn(part, done.stderr)
                self.assertEqual(done.stdout, "")
                asked = self.expect(2, "--json", *words)
                error = json.loads(asked.stdout)["error"]
                self.assertEqual((error["status"], error["class"], asked.stderr), ("invalid", "permanent", ""))

    def test_json_only_where_there_is_json(self):
        """What has no JSON output refuses --json, and its help does not list it."""
        for words in (["help", "mqtt"], ["help", "exit-codes"], ["profile-try", "mt-sics", "--stream", "unix:/x"]):
            self.assertIs(json.loads(self.expect(2, *words, "--json").stdout)["ok"], False)
        self.assertNotIn("--json", self.expect(0, "help", "profile-try").stdout)

    # ---- without an agent

    def test_no_agent(self):
        """Without an agent every command that needs one ends with 3 and says how to start it."""
        for words in (["status"], ["instruments"], ["jobs"], ["job", "1"], ["events"], ["event", "e"], ["run", "b", "p"],
                      ["ask", "b", "c"], ["retry", "1"], ["confirm", "1"], ["cancel", "1"], ["assign", "1", "r"],
                      ["pause", "all"], ["resume", "all"], ["send", "b", self.write("f.csv", "x")]):
            with self.subTest(words):
                done = self.expect(3, *words)
                self.assertIn("labferryd", done.stderr)
                self.assertIn(f"{self.home / 'none.sock'}. Start it with labferryd --config FILE", done.stderr)
                answer = json.loads(self.expect(3, *words, "--json").stdout)
                self.assertIs(answer["ok"], False)

    def test_the_socket_is_found(self):
        """The socket is that of --socket, else of --config (relative paths start at its folder), else of LABFERRY_SOCKET."""
        self.write("own.conf", 'agent = { socket = "run/x.sock"; };')
        self.assertIn(str(self.home / "run/x.sock"), self.expect(3, "status", "-c", self.home / "own.conf").stderr)
        self.assertIn("/y.sock", self.expect(3, "--socket", "/y.sock", "status", "--config", self.home / "own.conf").stderr)
        self.assertIn("/no/such.conf", self.expect(1, "status", "--config", "/no/such.conf").stderr)
        self.write("bad.conf", "agent = {")
        self.assertIn("bad.conf:1", self.expect(1, "status", "--config", self.home / "bad.conf").stderr)

    def answer_with(self, data):
        """A false agent that gives one answer."""
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(self.home / "none.sock"))
        server.listen()

        def serve():
            caller, _ = server.accept()
            caller.recv(65536)
            caller.sendall(data)
            caller.close()
        thread = threading.Thread(target=serve)
        thread.start()
        self.addCleanup(server.close)
        self.addCleanup(thread.join, SOON)

    def test_cancel_says_what_follows(self):
        """The answer to cancel says what becomes of a job that cannot end at once."""
        for job, text in [({"state": "running", "step": "run"}, "Job 43 was asked to stop."),
                          ({"state": "ready", "step": "settle", "ending": "cancelled"},
                           "Job 43 is being cancelled; its workflow task becomes failed."),
                          ({"state": "cancelled", "step": "run"}, "Job 43 is cancelled at run.")]:
            self.answer_with(json.dumps({"ok": True, "result": {"id": 43, **job}}).encode() + b"\n")
            self.assertIn(text, self.expect(0, "cancel", "43").stdout)
            (self.home / "none.sock").unlink()

    def test_an_agent_that_hangs_up(self):
        """An agent that hangs up before its answer leaves the outcome unknown: exit status 5."""
        self.answer_with(b"")
        self.assertIn("not known", self.expect(5, "retry", "1").stderr)

    def test_an_answer_that_is_none(self):
        """A reply that is not an agent's answer is refused, not shown."""
        self.answer_with(b"HTTP/1.1 400 Bad Request\n")
        self.expect(1, "status")

    def test_not_allowed(self):
        """What the agent does not allow ends with 4."""
        self.answer_with(b'{"ok":false,"error":{"status":"denied","class":"needs a person","text":"maria may not"}}\n')
        self.assertIn("maria may not", self.expect(4, "retry", "1").stderr)

    def test_texts_from_outside_cannot_steer_the_terminal(self):
        """Control characters in names and notes never reach the terminal."""
        evil = "\u001b[31mred\u0007\u202eevil\u009b2J\r\nforged"
        jobs = [{"id": 1, "state": "held", "kind": evil, "step": evil, "instrument": evil, "what": evil, "note": evil,
                 "updated": evil}]
        self.answer_with(json.dumps({"ok": True, "result": jobs}).encode() + b"\n")
        done = self.expect(0, "jobs")
        self.assertEqual(len(done.stdout.splitlines()), 2)
        self.assertFalse(re.search("[\x00-\x09\x0b-\x1f\x7f\x80-\x9f\u202e]", done.stdout), ascii(done.stdout))

    def test_free_space_of_a_disk(self):
        """The free space shown is that of the fuller disk, of those whose free space is known."""
        for journal, spool, shown in ((5, 7, "5 bytes free on disk"), (7, 5, "5 bytes free on disk"), (5, -1, "5 bytes free on disk"),
                                      (-1, 5, "5 bytes free on disk"), (-1, -1, None)):
            with self.subTest(journal=journal, spool=spool):
                storage = {"journal_disk_free": journal, "spool_disk_free": spool}
                self.answer_with(json.dumps({"ok": True, "result": {"needs": [], "storage": storage}}).encode() + b"\n")
                lines = [line for line in self.expect(0, "status").stdout.splitlines() if "spool" in line]
                self.assertEqual(len(lines), 1)
                self.assertEqual("free on disk" in lines[0], shown is not None)
                self.assertIn(shown or "", lines[0])
                (self.home / "none.sock").unlink()

    def on_terminal(self, columns, *words, **environment):
        leader, follower = pty.openpty()
        try:
            with subprocess.Popen([LABFERRY, *words], stdin=follower, stdout=follower, stderr=follower,
                                  env={**self.environment, "TERM": "xterm", "COLUMNS": str(columns), **environment}) as process:
                os.close(follower)
                follower = -1
                data = b""
                while select.select([leader], [], [], SOON)[0]:
                    try:
                        piece = os.read(leader, 65536)
                    except OSError:
                        break
                    if not piece:
                        break
                    data += piece
                process.wait(SOON)
            return data.decode()
        finally:
            os.close(leader)
            if follower >= 0:
                os.close(follower)

    def test_tables_fit_the_terminal(self):
        """On a terminal tables fit its width and have colour; NO_COLOR is respected; elsewhere nothing is cut."""
        jobs = [{"id": 1, "state": "held", "kind": "collect", "step": "match", "instrument": "reader-1", "what": "é.csv",
                 "note": "a long note " * 20, "updated": "2020-01-01T00:00:00Z"}]
        answer = json.dumps({"ok": True, "result": jobs}).encode() + b"\n"
        self.answer_with(answer)
        text = self.on_terminal(100, "jobs")
        self.assertIn("\x1b[31mheld\x1b[0m", text)
        for line in re.sub("\x1b\\[[0-9]*m", "", text).splitlines():
            self.assertLessEqual(len(line), 100)
        (self.home / "none.sock").unlink()
        self.answer_with(answer)
        for line in self.on_terminal(50, "jobs", NO_COLOR="1").splitlines():
            self.assertLessEqual(len(line), 50)
        (self.home / "none.sock").unlink()
        self.answer_with(answer)
        self.assertNotIn("\x1b", self.on_terminal(100, "jobs", NO_COLOR="1"))
        (self.home / "none.sock").unlink()
        self.answer_with(answer)
        done = self.expect(0, "jobs")
        self.assertIn("a long note " * 19, done.stdout)
        self.assertNotIn("\x1b", done.stdout)

    def test_json_is_the_agents_own_result(self):
        """--json prints the result as the agent gave it, on one line."""
        result = [{"id": 7, "note": "x\u2028y"}]
        self.answer_with(json.dumps({"ok": True, "result": result}).encode() + b"\n")
        done = self.expect(0, "jobs", "--json")
        self.assertEqual(json.loads(done.stdout), result)
        self.assertEqual(done.stdout.count("\n"), 1)

    def test_a_full_disk_is_no_success(self):
        """Output that could not be written is not reported as success."""
        with open("/dev/full", "w") as full:
            self.assertNotEqual(subprocess.run([LABFERRY, "drivers"], stdout=full, timeout=SOON).returncode, 0)

    # ---- check

    def test_check_good(self):
        """A good configuration passes, and --json counts what is in it."""
        path = self.write_config()
        self.assertIn("OK: 1 instrument, 1 route", self.expect(0, "check", path).stdout)
        answer = json.loads(self.expect(0, "check", path, "--json").stdout)
        self.assertEqual((answer["ok"], answer["instruments"], answer["routes"]), (True, 1, 1))
        warned = [problem["text"] for problem in answer["problems"]]
        self.assertEqual(len(warned), 1 if os.geteuid() == 0 else 0, warned)
        self.assertTrue(all("this runs as root" in text for text in warned))
        self.expect(0, "check", "--config", path)

    def test_check_bad(self):
        """Every mistake is reported with file, line and remedy, and the exit status is 1."""
        for old, new, part in [('name = "weigh"', 'nmae = "weigh"', 'did you mean "name"'),
                               ('procedure = "weigh"', 'procedure = "wiegh"', "weigh"),
                               ('instrument = "balance-1"', 'instrument = "balance-2"', "balance-2"),
                               ('driver = "line"', 'driver = "lime"', "line"),
                               ('profile = "mt-sics"', 'profile = "mt-sicks"', "mt-sics"),
                               ('"workflowTask.created"', '"workflowTask.craeted"', "workflowTask.created"),
                               ('stream = "tcp:127.0.0.1:9"', 'stream = "serail:/dev/x"', "serial"),
                               ('job = "task"', 'job = "deliver"', "deliver")]:
            with self.subTest(new):
                self.assertIn(old, CONFIG)
                path = self.write_config(CONFIG.replace(old, new))
                done = self.expect(1, "check", path)
                self.assertRegex(done.stdout, r"labferry\.conf:\d+: error: ")
                self.assertIn(part, done.stdout)
                problem = json.loads(self.expect(1, "check", path, "--json").stdout)["problems"][-1]
                self.assertGreater(problem["line"], 0)

    def test_check_secret(self):
        """A secret that others can read is refused with the remedy, and not shown."""
        path = self.write_config()
        (self.home / "secret").chmod(0o644)
        done = self.expect(1, "check", path)
        self.assertIn("chmod 600", done.stdout)
        self.assertNotIn("s3cret", done.stdout + done.stderr)

    def test_check_start(self):
        """What would keep the agent from starting is found: its group, its folders, an empty secret."""
        for old, new, part in [('socket =', 'operators = "nogroup99"; socket =', "nogroup99"),
                               ("%(home)s/state", "%(home)s/secret/state", "secret/state"),
                               ('socket =', 'spool_dir = "%(home)s/secret/spool"; socket =', "spool_dir"),
                               ("%(home)s/secret", "%(home)s/empty", "is empty")]:
            with self.subTest(new):
                self.write("empty", "")
                done = self.expect(1, "check", self.write_config(CONFIG.replace(old, new)))
                self.assertRegex(done.stdout, r"labferry\.conf:\d+: error: ")
                self.assertIn(part, done.stdout)
                self.assertEqual(list(self.home.glob("state*")), [])

    def test_check_nothing(self):
        """A missing file or a folder in its place is reported, without a crash."""
        for path in (self.home / "none.conf", self.home):
            done = self.expect(1, "check", path)
            self.assertIn(str(path), done.stdout + done.stderr)

    # ---- match

    def test_match(self):
        """Each event gets a line with 1 or 0; --json and --explain say more."""
        pattern = self.write("p.json", '{"detail": {"status": [{"prefix": "do"}]}}')
        events = '{"detail": {"status": "done"}}\n\n{"detail": {"status": "open"}}\n[]\n'
        done = self.expect(0, "match", "--pattern", pattern, "--events", self.write("e.jsonl", events))
        self.assertEqual(done.stdout, "1\n0\n0\n")
        self.assertEqual(self.expect(0, "match", f"--pattern={pattern}", "--events", "-", stdin=events).stdout, "1\n0\n0\n")
        explained = self.expect(0, "match", "--pattern", pattern, "--events", "-", "--explain", stdin=events).stdout.splitlines()
        self.assertEqual(explained[0], "1")
        self.assertIn("detail.status", explained[1])
        answers = [json.loads(line) for line in
                   self.expect(0, "match", "--pattern", pattern, "--events", "-", "--json", stdin=events).stdout.splitlines()]
        self.assertEqual([answer["match"] for answer in answers], [True, False, False])

    def test_match_bad(self):
        """A bad pattern or event is refused with where and why, and exit status 1."""
        event = self.write("e.jsonl", '{"a": 1}\n{"a": \n')
        for text, part in [("{", "JSON"), ('{"a": 5}', "a"), ('{"a": [{"prefx": "x"}]}', "prefx"), ("[]", ""), ("", "")]:
            done = self.expect(1, "match", "--pattern", self.write("p.json", text), "--events", event)
            self.assertIn(part, done.stderr)
            self.assertEqual(done.stdout, "")
        done = self.expect(1, "match", "--pattern", self.write("p.json", '{"a": [1]}'), "--events", event)
        self.assertEqual(done.stdout, "1\n")
        self.assertIn("2", done.stderr)
        self.assertIn("/none", self.expect(1, "match", "--pattern", "/none", "--events", event).stderr)

    # ---- ports, drivers, profile

    def test_ports(self):
        """The ports of this machine are listed, also as JSON."""
        self.expect(0, "ports")
        for port in json.loads(self.expect(0, "ports", "--json").stdout):
            self.assertTrue(port["path"].startswith("/dev/"))

    def test_drivers(self):
        """Drivers and their settings are shown; an unknown one is refused with those there are."""
        self.assertIn("folder", self.expect(0, "drivers").stdout)
        self.assertIn("inbox", self.expect(0, "drivers", "folder").stdout)
        drivers = {driver["name"]: driver for driver in json.loads(self.expect(0, "drivers", "--json").stdout)}
        self.assertIn("run", drivers["line"]["can"])
        self.assertTrue(next(row for row in drivers["line"]["settings"] if row["name"] == "stream")["required"])
        self.assertIn("folder, line", self.expect(1, "drivers", "nonsense").stderr)
        self.assertIn('did you mean "folder"', self.expect(1, "drivers", "foldr").stderr)

    def test_profile_check(self):
        """A good profile passes; a bad one is reported with line and column, exit status 1."""
        self.expect(0, "profile", "check", "mt-sics")
        self.assertIs(json.loads(self.expect(0, "profile", "check", "mt-sics", "--json").stdout)["ok"], True)
        path = self.write("bad.profile", "[nonsense]\nx = \n")
        done = self.expect(1, "profile", "check", path)
        self.assertRegex(done.stdout + done.stderr, r"bad(\.profile)?:1:\d+")
        self.assertIs(json.loads(self.expect(1, "profile", "check", path, "--json").stdout)["ok"], False)
        self.assertIn("mt-sics", self.expect(1, "profile", "check", "mt-sicks").stderr)
        inside = subprocess.run([LABFERRY, "profile-check", "bad.profile"], cwd=self.home, capture_output=True, text=True)
        self.assertEqual(inside.returncode, 1)
        self.assertIn("write ./bad.profile", inside.stderr)

    def test_profile_show(self):
        """What an instrument can do is shown with its classes."""
        text = self.expect(0, "profile", "show", "mt-sics").stdout
        self.assertRegex(text, r"weigh +safe")
        self.assertRegex(text, r"tare +once")
        profile = json.loads(self.expect(0, "profile", "show", "mt-sics", "--json").stdout)
        self.assertEqual(next(command for command in profile["commands"] if command["name"] == "tare")["class"], "once")
        self.expect(1, "profile", "show", "nonsense")

    def test_profile_try(self):
        """One can talk to a device from the terminal: here one that answers like a balance."""
        path = self.home / "balance.sock"
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(path))
        server.listen()
        self.addCleanup(server.close)

        def serve():
            device, _ = server.accept()
            with device, device.makefile("rwb", buffering=0) as lines:
                for line in lines:
                    answer = {b"S\r\n": b"S S     100.00 g\r\n", b"@\r\n": b'I4 A "0123456789"\r\n',
                              b"I4\r\n": b'I4 A "0123456789"\r\n'}.get(line, b"ES\r\n")
                    lines.write(answer)
        thread = threading.Thread(target=serve)
        thread.start()
        self.addCleanup(thread.join, SOON)
        done = self.expect(0, "profile", "try", "mt-sics", "--stream", f"unix:{path}", stdin="weigh\nquit\n")
        self.assertIn("0123456789", done.stdout)
        self.assertIn("100.00", done.stdout)

    def test_profile_try_nobody(self):
        """A missing device is reported, exit status 1."""
        self.assertIn("nobody", self.expect(1, "profile", "try", "mt-sics", "--stream", "unix:/nobody").stderr)


if __name__ == "__main__":
    unittest.main()
