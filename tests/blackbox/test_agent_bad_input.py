"""Bad input to the whole agent: configurations, messages, names, instruments. Clear words, never a crash, the rest
goes on."""
import json
import os
import re
import subprocess
import unittest

from whole import PLATE, SITE, SOON, SOURCE, WithLab, config, now

SIDE_BY_SIDE = 3
EVENTS = f"labferry/{SITE}/events/v2.workflowTask.created"


class Configurations(WithLab):
    def refuse(self, text, *words, line=None):
        """The daemon refuses to start with this configuration: file, line and remedy on standard error, exit status 78."""
        lab = self.lab
        lab.tenant, lab.broker_port = "http://127.0.0.1:9", 9
        path = lab.write_config(text)
        done = subprocess.run([lab.program("labferryd"), "--config", str(path)], capture_output=True, text=True, timeout=SOON)
        self.assertEqual(done.returncode, 78, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)
        number = line or next(n for n, entry in enumerate(path.read_text().splitlines(), 1) if words[0] in entry)
        self.assertRegex(done.stderr, re.escape(f"labferry.conf:{number}"))

    def test_unknown_key(self):
        """an unknown setting is named with file, line and the nearest known one"""
        self.refuse(config(agent="log_levle = \"info\";"), "log_levle", "log_level\"")

    def test_wrong_type(self):
        """a setting of the wrong type is named with file and line"""
        self.refuse(config(agent="couriers = \"many\";"), "couriers")

    def test_syntax(self):
        """text that is not a configuration is named with file and line"""
        self.refuse(config() + "extra = = 3;\n", "syntax error", line=len(config().splitlines()) + 1)

    def test_missing_instrument(self):
        """a route to an unknown instrument is refused with the nearest name"""
        self.refuse(config().replace('instrument = "balance-1"', 'instrument = "balence-1"'), "balence-1", "balance-1")

    def test_two_on_one_port(self):
        """two instruments on one port are refused with the name of the first"""
        text = config()
        again = text[text.index('        name = "balance-1"'):text.index("    }\n);")].replace("balance-1", "balance-2")
        text = text.replace("    }\n);\nroutes", "    },\n    {\n" + again + "    }\n);\nroutes")
        self.refuse(text, "already used", "balance-1",
                    line=next(n for n, entry in enumerate(text.splitlines(), 1) if "balance-2" in entry) - 1)

    def test_bad_pattern(self):
        """a malformed pattern is refused with where and why"""
        self.refuse(config().replace('name = [ "Weigh sample" ]', 'name = ( { sufix = "x"; } )'), "sufix", "suffix",
                    line=next(n for n, entry in enumerate(config().splitlines(), 1) if "Weigh sample" in entry))

    def test_missing_profile(self):
        """a missing profile is named"""
        self.refuse(config().replace("mt-sics.profile", "mt-siks.profile"), "mt-siks.profile")

    def test_no_tasks_for_folders(self):
        """a route that asks an instrument for what it cannot do is refused"""
        self.refuse(config().replace('instrument = "balance-1"; procedure', 'instrument = "hamilton-1"; procedure'), "hamilton-1",
                    line=next(n for n, entry in enumerate(config().splitlines(), 1) if "balance-1\"; procedure" in entry))

    def test_readable_secret(self):
        """a secret that everybody may read is refused with the remedy"""
        lab = self.lab
        lab.tenant, lab.broker_port = "http://127.0.0.1:9", 9
        path = lab.write_config(config())
        os.chmod(lab.home / "client_secret", 0o644)
        done = subprocess.run([lab.program("labferryd"), "--config", str(path)], capture_output=True, text=True, timeout=SOON)
        self.assertEqual(done.returncode, 78, done.stderr)
        self.assertIn("chmod 600", done.stderr)
        self.assertRegex(done.stderr, r"labferry\.conf:\d+")

    def test_no_file(self):
        """a missing configuration file is named"""
        done = subprocess.run([self.lab.program("labferryd"), "--config", "/no/such/labferry.conf"], capture_output=True,
                              text=True, timeout=SOON)
        self.assertEqual(done.returncode, 78, done.stderr)
        self.assertIn("/no/such/labferry.conf", done.stderr)


class Messages(WithLab):
    def bad(self):
        return [event for event in self.lab.events() if event["fate"] == "bad"]

    def goes_on(self):
        before = len(self.lab.jobs())
        task = self.lab.new_task()
        self.lab.wait_job("task", count=before + 1)
        self.assertEqual(self.lab.task_status(task), "COMPLETED")

    def test_bad_events(self):
        """messages that are not events are kept with the reason and counted, and the rest goes on"""
        lab = self.lab
        lab.start_all(hamilton=None)
        detail = {"id": "evt_x", "eventType": "v2.workflowTask.created", "createdAt": now(),
                  "deprecated": False, "excludedProperties": [], "workflowTask": {"id": "wftask_x"}}
        envelope = {"version": "0", "id": "1", "detail-type": "v2.workflowTask.created", "source": "aws.partner/x", "detail": detail}
        messages = [
            b"", b"not json", b"{", b"[]", b"null", b"42", b'"text"', b"{}", b"\x00\xff\xfe", b'{"detail": 3, "detail-type": "x"}',
            b"[" * 100_000, b'{"a":' * 30_000, json.dumps({**envelope, "detail": {**detail, "id": 7}}),
            json.dumps({**envelope, "detail": {**detail, "createdAt": "yesterday"}}),
            json.dumps({**envelope, "detail": {**detail, "workflowTask": []}}),
            json.dumps({**envelope, "detail": {**detail, "deprecated": "no"}}),
            json.dumps({**envelope, "detail": {**detail, "excludedProperties": [1]}}),
            json.dumps({**envelope, "detail": {**detail, "eventType": ["x"]}}),
            json.dumps({**envelope, "detail": {k: v for k, v in detail.items() if k != "id"}}),
            json.dumps({**envelope, "detail": {**detail, "id": ""}}), '{"eventType": "v2.x", "id": "\ud800"}'.encode("utf-8", "replace"),
            b'{"detail-type": "v2.a.b", "detail": {"id": "\xc3\x28", "eventType": "v2.a.b"}}',
            json.dumps({**envelope, "detail": {**detail, "id": "evt_" + "x" * 300_000}}), b"x" * 1_000_000,
        ]
        for message in messages:
            lab.publish(message, EVENTS)
        kept = lab.until("all are kept", lambda: (lambda bad: bad if len(bad) >= len(messages) - 3 else None)(self.bad()))
        self.assertTrue(all(event["note"] for event in kept))
        self.goes_on()
        health = lab.ask("status")["intake"]
        self.assertEqual(health["events"]["bad"], len(self.bad()))
        whole = lab.ask("event", event=next(e["id"] for e in kept if "size" not in e["note"] and "more than" not in e["note"]))
        self.assertTrue({"body", "body_text", "body_base64"} & set(whole), "what came can be looked at")

    def test_logged_once(self):
        """a kind of bad message is logged once, with its topic, however often it comes"""
        lab = self.lab
        lab.start_all(hamilton=None)
        for number in range(20):
            lab.publish(f'{{"nonsense": {number}}}', EVENTS)
        lab.until("all are kept", lambda: len(self.bad()) == 20)
        self.assertEqual(lab.log("agent").count("ignoring unusable event"), 1)
        self.assertIn(EVENTS, lab.log("agent"))

    def test_unknown_types(self):
        """events of unknown types are stored and counted"""
        lab = self.lab
        lab.start_all(config(link='broker = "mqtt://127.0.0.1:%(broker_port)d"; topics = [ "labferry/%(site)s/events/#" ];'),
                      hamilton=None)
        lab.ask_cloud("/sim/events", {"type": "v9.teapot.boiled", "resource": {"id": "tea_1"}})
        lab.until("it is stored", lambda: lab.event(fate="unknown"))
        self.assertEqual(lab.ask("status")["intake"]["events"]["unknown"], 1)

    def test_largest(self):
        """an event of 256 KB is processed"""
        lab = self.lab
        lab.start_all(hamilton=None)
        task = lab.new_task(Sample="x" * 200_000)
        lab.wait_job("task")
        self.assertEqual(lab.task_status(task), "COMPLETED")

    def test_hostile_ids(self):
        """ids from outside are data: they reach no other path of the API and no other place on disk"""
        lab = self.lab
        lab.start_all(hamilton=None)
        for number, resource in enumerate(("../../automation-output-processors", "a/b?c=d#e", "%2e%2e", "x\n\ry", "a" * 5000)):
            lab.publish({"version": "0", "id": str(number), "detail-type": "v2.workflowTask.created", "source": "s", "detail": {
                "id": f"evt_../{number}", "eventType": "v2.workflowTask.created", "createdAt": now(),
                "excludedProperties": ["fields"], "workflowTask": {"id": resource}}}, EVENTS)
        lab.until("all are dealt with", lambda: len([e for e in lab.events() if e["fate"] in ("lost", "bad", "job")]) == 5)
        self.assertEqual(sum(lab.requests("listAutomationOutputProcessors").values()), 0)
        self.goes_on()


class Names(WithLab):
    def test_hostile_names(self):
        """file names from the cloud that are not safe are refused with the reason; nothing appears outside the folder"""
        lab = self.lab
        lab.start_all(hamilton=None)
        before = self.tree()
        names = ["../../etc/x", "/etc/x", "..", "a/b.csv", "a\\b.csv", "CON.csv", "nul", "a\nb.csv", "a\x1b[31m.csv", "x" * 300 + ".csv",
                 ".hidden.csv", "-rf.csv", "a:b.csv", "a?.csv", "end. ", "\u202ecsv.exe", "com1.txt"]
        for name in names:
            lab.generate(lab.ask_cloud("/sim/runs", {})["id"], name=name)
        jobs = lab.until("all are dealt with", lambda: (lambda jobs: jobs if len(jobs) == len(names) else None)(
            [job for job in lab.jobs() if job["state"] in ("held", "failed", "done")]))
        for job in jobs:
            done = job["state"] == "done"
            self.assertFalse(done and "\u202e" not in job["what"], job)
            self.assertTrue(job["note"])
        for line in lab.log("agent").splitlines():
            self.assertNotIn("\x1b", line)
        extra = {path for path in self.tree() - before if "hamilton/worklists" not in path and "/state/" not in path}
        self.assertEqual(extra, set())
        self.assertFalse(os.path.exists("/etc/x"))

    def tree(self):
        return {str(path) for path in self.lab.home.rglob("*") if path.is_file()}

    def test_hostile_results(self):
        """a result with a strange name does no harm, and others go on"""
        lab = self.lab
        lab.start_all(config(match='"sidecar", "last-job"'), hamilton=None)
        lab.generate(name="w.csv")
        lab.wait_job("deliver")
        folder = lab.home / "hamilton/results"
        (folder / "a\nb\x1b[31m.csv").write_text(PLATE + "A7,1\n")
        os.symlink("/etc/passwd", folder / "link.csv")
        os.mkfifo(folder / "pipe.csv")
        (folder / "dir.csv").mkdir()
        lab.wait_job("collect")
        lab.generate(name="w2.csv")
        lab.wait_job("deliver", count=2)
        lab.result("good.csv", PLATE)
        lab.wait_job("collect", ("done", "held"), count=2)
        jobs = {job["what"]: lab.job(job["id"]) for job in lab.jobs() if job["kind"] == "collect"}
        self.assertEqual(sorted(jobs), ["a_b_[31m.csv", "good.csv"])
        self.assertEqual(jobs["a_b_[31m.csv"]["fields"]["original"], "a\\x0Ab\\x1B[31m.csv")
        state = json.dumps(lab.cloud_state()["processors"])
        self.assertNotIn("link.csv", state)
        self.assertNotIn("pipe.csv", state)
        needs = json.dumps(lab.ask("status")["needs"])
        for name in ("link.csv", "pipe.csv", "dir.csv"):
            self.assertIn(name, needs)


class Instruments(WithLab):
    def test_faults(self):
        """garbage, silence, chatter, cut and doubled replies: bounded, reported, and in the end one correct weight"""
        lab = self.lab
        profile = (SOURCE / "etc/profiles/mt-sics.profile").read_text().replace("first_byte = 60s", "first_byte = 1s")
        (lab.home / "quick.profile").write_text(profile)
        lab.start_all(config().replace("%(profiles)s/mt-sics.profile", "%(home)s/quick.profile"), hamilton=None,
                      balance=("--weight", "7.5"))
        for fault in ("garbage=40", "garbage=100000", "silence", "deaf", "cut=0", "cut=5", "cut=16", "slow=5", "et", "busy", "delay=1500"):
            lab.balance(f"fault {fault} times=1 on=S")
            task = lab.new_task()
            lab.until(f"done in spite of {fault}", lambda: self.hurry(task))
            self.assertEqual(lab.outputs(task), [{"Mass": 7.5, "Unit": "g"}], fault)

    def test_twice(self):
        """a reply that arrives twice is one weight; an unsolicited line is never another job's answer"""
        lab = self.lab
        lab.start_all(hamilton=None, balance=("--weight", "7.5", "--fault", "twice times=1 on=S"))
        tasks = [lab.new_task(), lab.new_task()]
        lab.balance("weight 3.5")
        for task in tasks:
            lab.until("it is done", lambda: lab.task_status(task) == "COMPLETED")
            self.assertEqual(len(lab.outputs(task)), 1)
        self.assertEqual(lab.outputs(tasks[1]), [{"Mass": 3.5, "Unit": "g"}])

    def hurry(self, task):
        for job in self.lab.jobs():
            self.assertNotIn(job["state"], ("failed", "held"), self.lab.story())
        return self.lab.task_status(task) == "COMPLETED"

    def test_chatter(self):
        """endless chatter on the line does not stop the agent, and when it ends work goes on"""
        lab = self.lab
        lab.start_all(hamilton=None, balance=("--weight", "7.5"))
        lab.balance("fault chatter=1")
        task = lab.new_task()
        lab.until("it is at the balance", lambda: [job for job in lab.jobs() if job["step"] in ("turn", "run", "settle")])
        lab.balance("clear")
        lab.until("it is done", lambda: lab.task_status(task) == "COMPLETED")
        self.assertEqual([output["Mass"] for output in lab.outputs(task)], [7.5])


if __name__ == "__main__":
    unittest.main()
