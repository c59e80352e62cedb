"""What grows has a limit: what happens there is counted, and a person sees it."""
import json
import os
import subprocess
import unittest

from small_disk import MB, OnSmallDisks, prepare
from whole import BASE, config

ALL_TOPICS = 'broker = "mqtt://127.0.0.1:%(broker_port)d"; topics = [ "labferry/%(site)s/events/#" ];'
ANYTHING = "labferry/demo-lab/events/anything"
SIDE_BY_SIDE = 2
FULL = 120  # reports, and more than the limit of 100


def setUpModule():
    prepare()


class Bounds(OnSmallDisks):
    def storage(self):
        return self.lab.ask("status")["storage"]

    def shown(self):
        """`labferry status` as a person sees it."""
        lab = self.lab
        return subprocess.run([lab.program("labferry"), "--config", lab.home / "labferry.conf", "status"], check=True, timeout=60,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout

    def restart(self, text):
        self.lab.stop("agent")
        self.lab.write_config(text)
        self.lab.start_agent()

    def limit(self, name, number):
        """For the agents started from here on."""
        os.environ[name] = str(number)
        self.addCleanup(os.environ.pop, name)

    def test_outbox(self):
        """while the broker is away a bounded number of reports waits; then the oldest are dropped, counted and reported"""
        lab = self.lab
        self.limit("LF_OUTBOX_MAX", 100)
        self.begin(config(), hamilton=None)
        lab.stop("broker")
        lab.until("it is noticed", lambda: not lab.online())
        jobs = 0
        while self.storage()["outbox_dropped"] < FULL - 100:
            for _ in range(5):
                lab.ask("run", instrument="balance-1", procedure="weigh")
                jobs += 1
            lab.until("all are done", lambda: len(lab.jobs(state="done")) == jobs)
        self.assertEqual(self.storage()["outbox"], 100)
        self.status_says("100 reports are waiting for the broker, which is the limit")
        self.assertRegex(self.shown(), r"100 of 100 reports waiting for the broker, \d+ dropped")
        lab.start_broker()
        lab.until("they have left", lambda: lab.online() and self.storage()["outbox"] == 0)
        self.status_is_clear()
        dropped = self.storage()["outbox_dropped"]
        lab.ask("pause", instrument="balance-1")  # something to report
        lab.until("the status message says so", lambda: self.status_message()["outbox"]["dropped"] == dropped)
        self.assertEqual(len(lab.jobs(state="done")), jobs)  # and nothing is lost but reports

    def status_message(self):
        said = subprocess.run(["mosquitto_sub", "-h", "127.0.0.1", "-p", str(self.lab.broker_port), "-t", f"{BASE}/status", "-C", "1",
                               "-W", "10"], capture_output=True, text=True, check=True).stdout
        return {"outbox": {"dropped": None}, **json.loads(said)}

    def test_flood(self):
        """a flood of messages that are not events takes no more room than a twentieth of journal_max, and work goes on"""
        lab = self.lab
        self.begin(config(link=ALL_TOPICS, agent='journal_max = "20MB";'), hamilton=None)
        for number in range(40):
            lab.publish(json.dumps({"no event": number, "filling": "x" * 200_000}), ANYTHING)
        files = [lab.generate()]
        self.once(files)
        storage = self.storage()
        self.assertLessEqual(storage["unused_bytes"], storage["unused_max"])
        self.assertLess(storage["journal_bytes"], 3 * MB)
        self.assertEqual(storage["unused_dropped"] + len(lab.events(fate="bad")), 40)
        self.assertRegex(self.shown(), r"events without a job .* of 1 MB, \d+ dropped early")

    def test_journal(self):
        """a journal at its maximum size takes in nothing new and says so; with more room it continues"""
        lab = self.lab
        self.limit("LF_UNUSED_MAX", 5 * MB)
        small = config(link=ALL_TOPICS, agent='journal_max = "1MB";')
        self.begin(small, hamilton=None)
        for number in range(8):
            lab.publish(json.dumps({"no event": number, "filling": "x" * 200_000}), ANYTHING)
        self.status_says("agent.journal_max", "no new work")
        files = [lab.generate()]
        self.stands_still()
        self.assertEqual(lab.worklists(), {})
        self.restart(small.replace('journal_max = "1MB"', 'journal_max = "100MB"'))
        self.once(files)
        self.status_is_clear()

    def test_spool(self):
        """with a full spool nothing more is fetched and the status says so; with more room work continues"""
        lab = self.lab
        small = config(agent='spool_max = "1MB";')
        self.begin(small, hamilton=None)
        lab.ask("pause", instrument="hamilton-1")
        files = [lab.generate(name="large.csv", rows=80_000)]
        lab.until("it is fetched", lambda: [j for j in lab.jobs() if j["step"] == "turn"])
        files.append(lab.generate(lab.ask_cloud("/sim/runs", {})["id"], name="more.csv", content="Sample\nmore\n"))
        job = lab.until("the next waits", lambda: next((j for j in lab.jobs(state="waiting") if j["step"] == "fetch"), None))
        self.assertIn("agent.spool_max", job["note"])
        self.status_says("the spool is full")
        lab.ask("resume", instrument="hamilton-1")
        lab.until("the first is delivered", lambda: self.done("deliver") == 1)
        self.retry_waiting()
        self.once(files)
        self.status_is_clear()


if __name__ == "__main__":
    unittest.main()
