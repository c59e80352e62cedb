"""What the agent accepts at its start, and what does not end it. `labferry check` and labferryd refuse the same."""
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time
import unittest

BUILD = pathlib.Path(os.environ["LF_BUILD"])
PROGRAM = {name: str(BUILD / "bin" / name) for name in ("labferry", "labferryd")}
CONFIG = """\
agent = { name = "bench-1"; site = "lab"; state_dir = "state"; socket = "control.sock"; %(agent)s };
cloud = { tenant = "http://127.0.0.1:1"; client_id = "app"; client_secret_file = "secret"; events = "poll"; %(cloud)s };
%(more)s
"""


class Start(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.home = pathlib.Path(folder.name)
        self.conf = self.home / "labferry.conf"
        self.write("secret", "hush\n", 0o600)
        (self.home / "state").mkdir(0o700)
        self.configure()

    def write(self, name, text, mode=0o644):
        (self.home / name).write_text(text)
        (self.home / name).chmod(mode)

    def configure(self, **parts):
        self.write("labferry.conf", CONFIG % {"agent": "", "cloud": "", "more": "", **parts})

    def run_program(self, name, *words):
        return subprocess.run([PROGRAM[name], *words], capture_output=True, text=True, timeout=60, check=False, cwd=self.home)

    def assert_refused(self, *words):
        """both refuse it, with the same words"""
        check, daemon = self.run_program("labferry", "check", str(self.conf)), self.run_program("labferryd", "--config", str(self.conf))
        for word in words:
            self.assertIn(word, check.stdout)
            self.assertIn(word, daemon.stderr)
        self.assertEqual((check.returncode != 0, daemon.returncode), (True, 78), check.stdout + daemon.stderr)
        errors = [re.findall(r".*: error: .*", text) for text in (check.stdout, daemon.stderr)]
        self.assertEqual(*errors)

    def start(self):
        log = open(self.home / "log", "ab")
        self.addCleanup(log.close)
        agent = subprocess.Popen([PROGRAM["labferryd"], "--config", str(self.conf)], stdout=log, stderr=log)
        self.addCleanup(agent.wait)
        self.addCleanup(agent.kill)
        end = time.monotonic() + 60
        while not (self.home / "control.sock").exists() and time.monotonic() < end:
            self.assertIsNone(agent.poll(), (self.home / "log").read_text())
            time.sleep(0.05)
        return agent

    def test_changeable(self):
        """a configuration, a secret, a certificate or a state folder that others can change is refused"""
        self.write("ca.pem", "", 0o644)
        self.configure(cloud='ca_file = "ca.pem";')
        for name, mode in (("labferry.conf", 0o666), ("ca.pem", 0o664), ("state", 0o777)):
            path = self.home / name
            before = path.stat().st_mode
            path.chmod(mode)
            self.assert_refused(f"{name} can be changed by ", f"(mode {mode:04o}", "run chmod go-w ")
            path.chmod(before)
        self.configure()
        self.home.chmod(0o777)
        self.assert_refused("can be replaced by every user of this machine", "run chmod o-w ")

    def test_owner(self):
        """what belongs to another user is refused, with the user's name"""
        if os.geteuid() != 0:
            self.skipTest("only root can give files away")
        for name in ("labferry.conf", "secret", "state"):
            os.chown(self.home / name, 65534, 65534)
            self.assert_refused(f"{name} belongs to nobody, who can change it at any time", "chown root ")
            os.chown(self.home / name, 0, 0)

    def test_same(self):
        """what the daemon would refuse, the check refuses"""
        for parts, words in (
                ({"agent": 'operators = "no-such-group";'}, ('"operators": the group "no-such-group" does not exist',)),
                ({"agent": f'spool_dir = "labferry.conf/spool";'}, ('"spool_dir": this user cannot write into ',)),
                ({"cloud": 'ca_file = "secret";'}, ('"ca_file": ', "has no certificate (PEM)")),
                ({"cloud": 'proxy = "proxy.example:3128";'}, ('"proxy" has no scheme',)),
                ({"cloud": 'proxy = "http://proxy.example:99999";'}, ('"proxy" has no valid port number',))):
            with self.subTest(parts=parts):
                self.configure(**parts)
                self.assert_refused(*words)
        self.write("labferry.conf", (CONFIG % {"agent": "", "cloud": "", "more": ""}).replace("control.sock", "x" * 104))
        self.assert_refused('"socket": the path of a socket must have 1 to 103 bytes')

    def test_signals(self):
        """SIGHUP, SIGUSR1, SIGUSR2 and SIGPIPE do not end the agent, and SIGTERM does"""
        agent = self.start()
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE):
            agent.send_signal(number)
            time.sleep(0.2)
            self.assertIsNone(agent.poll(), number)
        self.assertEqual(self.run_program("labferry", "--config", str(self.conf), "status").returncode, 0)
        agent.terminate()
        self.assertEqual(agent.wait(60), 0)

    def test_memory(self):
        """the agent's memory, with its secrets, is neither dumped nor open to others of its user, and it may open many files"""
        pid = self.start().pid
        limits = {line[:25].strip(): line[25:].split() for line in pathlib.Path(f"/proc/{pid}/limits").read_text().splitlines()}
        self.assertEqual(limits["Max core file size"][:2], ["0", "0"])
        self.assertEqual(limits["Max open files"][0], limits["Max open files"][1])
        self.assertEqual(os.stat(f"/proc/{pid}/mem").st_uid, 0)  # a process that may be dumped belongs to its user


if __name__ == "__main__":
    unittest.main()
