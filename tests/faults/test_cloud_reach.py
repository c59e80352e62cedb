"""Reaching the cloud: certificates, names, proxies and credentials. Each is one problem of the agent, reported once in its status; jobs
wait, and resume as soon as it is solved."""
import subprocess
import unittest

from carrying import PLATE, Carrying
from front import Front, make_certificates
from whole import FAST

SIDE_BY_SIDE = 3
HOST = "cloud.example"


class Reach(Carrying):
    def waits(self, *words):
        """A result is there, its job waits, and job and status say why: the status once, and nobody has to do something for the job."""
        run = self.send_up("a.csv", PLATE)

        def told():
            job = self.job_of("collect")
            return job and job["state"] == "waiting" and all(word in job["note"] for word in words)
        self.lab.until(f"the job waits and says {words}", told)
        self.needed_once(*words)
        return run

    def needed_once(self, *words):
        needs = self.needs()
        self.assertEqual(len(needs), 1, needs)
        for word in ("Benchling cannot be used", *words):
            self.assertIn(word, needs[0])
        self.assertEqual(self.lab.jobs(state="held"), [])

    def goes_on(self, run):
        self.wait("collect")
        self.collected_once(run, PLATE)
        self.assertEqual(self.needs(), [])


class Certificates(Reach):
    """The tenant is https://cloud.example:PORT; this machine's hosts file, in a namespace of the agent's own, says where that is."""

    @classmethod
    def setUpClass(cls):
        probe = subprocess.run(["unshare", "--mount", "true"], capture_output=True, text=True)
        if probe.returncode:
            raise unittest.SkipTest(f"no mount namespace can be made here: {probe.stderr.strip()}")

    def start_behind(self, hosts=f"127.0.0.1 {HOST}\n", certificate="right", more=""):
        """The agent, with names of its own, before the tenant's door."""
        lab = self.lab
        lab.start_broker()
        lab.start_cloud(*FAST)
        self.door = Front(int(lab.tenant.rsplit(":", 1)[1]))
        self.addCleanup(self.door.shut)
        self.certificates = make_certificates(lab.home, HOST)
        self.door.certificate = self.certificates[certificate]
        (lab.home / "hosts").write_text(hosts)
        (lab.home / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        for folder in ("worklists", "results"):
            (lab.home / "hamilton" / folder).mkdir(parents=True)
        text = self.text.replace("client_id =", f'ca_file = "{lab.home}/ca.pem"; connect_timeout = "2s"; {more} client_id =', 1)
        lab.write_config(text, tenant=f"https://{HOST}:{self.door.port}")
        lab.program = self.in_namespace(lab.program)
        lab.start_balance("--weight", "1")
        lab.start_agent()

    def in_namespace(self, program):
        """labferryd is started by a script that first lays the files of names over the machine's."""
        home = self.lab.home

        def found(name):
            if name != "labferryd":
                return program(name)
            script = home / "labferryd"
            mounts = " && ".join(f"mount --bind {home / name} $(readlink -f /etc/{name})" for name in ("hosts", "resolv.conf"))
            script.write_text("#!/bin/sh\nexec unshare --mount sh -c '" + mounts + f" && exec {program(name)} \"$@\"' labferryd \"$@\"\n")
            script.chmod(0o755)
            return str(script)
        return found

    def trouble(self, certificate, *words):
        self.start_behind(certificate=certificate)
        run = self.waits(*words)
        self.assertEqual(self.lab.ask_cloud("/sim/requests")["byOperation"], {}, "nothing is said to a server that is not trusted")
        self.door.certificate = self.certificates["right"]
        self.goes_on(run)

    def test_other_authority(self):
        """a certificate of another authority: nothing is sent, the problem is reported once, and ends with the right certificate"""
        self.trouble("stranger", "not trusted", "CA file")

    def test_other_host(self):
        """a certificate for another host: nothing is sent, the problem is reported once, and ends with the right certificate"""
        self.trouble("elsewhere", "not trusted", "host name")

    def test_expired(self):
        """an expired certificate: nothing is sent, and the report mentions the clock"""
        self.trouble("expired", "expired", "clock")

    def test_no_name(self):
        """while the tenant's name cannot be resolved, jobs wait and say so; then they resume"""
        self.start_behind(hosts="127.0.0.1 localhost\n")
        run = self.waits("resolve", HOST, "DNS")
        (self.lab.home / "hosts").write_text(f"127.0.0.1 {HOST}\n")
        self.goes_on(run)

    def test_proxy(self):
        """a proxy that is down or refuses is reported as such; once it works, all requests go through it"""
        way = Front(0)
        way.proxy = True
        way.shut()
        self.start_behind(hosts="127.0.0.1 localhost\n", more=f'proxy = "http://127.0.0.1:{way.port}";')
        way.target = self.door.port
        run = self.waits("cannot connect")
        way.refusal = "407 Proxy Authentication Required"
        way.open()
        self.addCleanup(way.shut)
        self.lab.until("the refusal is reported", lambda: "the proxy refused to connect (407)" in (self.job_of("collect")["note"] or ""))
        self.needed_once("the proxy refused to connect (407)")
        way.refusal = None
        self.goes_on(run)


class Credentials(Reach):
    def several(self):
        """A file, two results and a task: four jobs that need the cloud."""
        runs = [self.send_down(), self.send_up("b.csv", PLATE + "A3,1\n")]
        self.send_up("a.csv", PLATE, runs[0])
        return runs, self.lab.new_task()

    def all_wait(self, *words):
        def told():
            jobs = self.lab.jobs()
            return len(jobs) == 4 and all(job["state"] == "waiting" and words[0] in (job["note"] or "") for job in jobs)
        self.lab.until(f"four jobs wait and say {words}", told)
        self.needed_once(*words)

    def all_go_on(self, runs, task):
        for kind, name in (("deliver", ""), ("collect", "a.csv"), ("collect", "b.csv"), ("task", "")):
            self.wait(kind, name)
        self.delivered_once()
        self.assertEqual([len(self.attached(run)) for run in runs], [1, 1])
        self.assertEqual(len(self.lab.cloud_state()["tasks"]), 2)
        self.weighed_once(task)
        self.assertEqual(self.needs(), [])

    def test_secret(self):
        """a rejected client secret is reported once, with its file; jobs wait, and all resume once the file is corrected"""
        self.start()
        secret = self.lab.home / "client_secret"
        secret.write_text("rotated-away\n")
        self.lab.ask_cloud("/sim/tokens/revoke", {})
        runs, task = self.several()
        self.all_wait("was rejected", str(secret))
        secret.write_text("sim-secret\n")
        self.all_go_on(runs, task)

    def test_secret_unreadable(self):
        """so is a secret's file that is empty"""
        self.start()
        secret = self.lab.home / "client_secret"
        secret.write_text("")
        self.lab.ask_cloud("/sim/tokens/revoke", {})
        runs, task = self.several()
        self.all_wait(str(secret), "is empty")
        secret.write_text("sim-secret\n")
        self.all_go_on(runs, task)

    def test_key(self):
        """so is an API key"""
        key = self.lab.home / "api_key"
        key.write_text("sk_revoked\n")
        key.chmod(0o600)
        self.text = self.text.replace('client_id = "labferry-sim"; client_secret_file = "%(home)s/client_secret";',
                                      'api_key_file = "%(home)s/api_key";')
        self.lab.start_all(self.text, hamilton=None)
        runs, task = self.several()
        self.all_wait("rejected our credentials")
        key.write_text("sk_simulated\n")
        self.all_go_on(runs, task)


if __name__ == "__main__":
    unittest.main()
