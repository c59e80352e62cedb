"""A state folder that is older than what was done: nothing is done again before a person has looked."""
import json
import shutil
import subprocess
import unittest

from whole import BASE, BY_NAME, Refused, WithLab, config

OLDER = "the state folder is older than what was done"
UNSURE = "the state folder may be older than what was done"


class PutBack(WithLab):
    """The state folder is copied, more is done, and the copy is put back."""

    def start(self):
        lab = self.lab
        lab.start_all(config(match=BY_NAME), hamilton=None)
        lab.generate(name="first.csv")
        lab.wait_job("deliver")

    def snapshot(self):
        self.lab.stop("agent")
        shutil.copytree(self.lab.home / "state", self.lab.home / "snapshot")
        self.lab.start_agent()

    def put_back(self):
        state = self.lab.home / "state"
        self.lab.stop("agent")
        shutil.rmtree(state)
        shutil.copytree(self.lab.home / "snapshot", state)

    def deliver_and_take(self):
        """A worklist is delivered, and the instrument takes it."""
        self.lab.generate(name="plate.csv", content="Sample\nS-1\n")
        self.lab.wait_job("deliver", count=2)
        (self.lab.home / "hamilton/worklists/plate.csv").unlink()

    def paused(self):
        return [info["note"] for info in self.lab.ask("instruments") if info["state"] == "paused"]

    def needs(self):
        return json.dumps(self.lab.ask("status")["needs"])

    def trail(self):
        return json.dumps([entry for entry in self.lab.ask("audit", limit=1000) if entry["what"] == "audit"])

    def head(self):
        """The number of the entry whose digest the broker keeps."""
        got = subprocess.run(["mosquitto_sub", "-V", "5", "-p", str(self.lab.broker_port), "-t", f"{BASE}/audit", "-C", "1",
                              "-W", "10"], capture_output=True, timeout=60).stdout
        return int(json.loads(got)["head"].split(":")[0]) if got else 0

    def at_the_bench(self, count):
        """So many jobs are there again, and wait for their instruments."""
        def waiting():
            jobs = self.lab.jobs(state="open")
            return len(jobs) == count and all(job["state"] == "ready" and job["step"] in ("turn", "deliver", "run") for job in jobs)
        self.lab.until("they wait for the instruments", waiting)

    def replay(self):
        self.lab.ask_cloud("/sim/events/replay", {"last": 3, "times": 1})


class KnownByTheBroker(PutBack):
    def test_not_again(self):
        """what was done since is not done again: the broker's head of the audit trail shows that entries are missing"""
        lab = self.lab
        self.start()
        self.snapshot()
        self.deliver_and_take()
        command = {"id": "op-1", "verb": "run", "args": {"instrument": "balance-1", "procedure": "weigh"}}
        lab.publish(command, f"{BASE}/command")
        lab.wait_job("procedure")
        self.put_back()
        lab.start_agent()
        lab.until("it is paused", lambda: len(self.paused()) == 2)
        self.replay()
        lab.publish(command, f"{BASE}/command")
        self.at_the_bench(2)
        lab.until("the list was read", lambda: lab.requests("listEvents"))
        self.assertFalse((lab.home / "hamilton/worklists/plate.csv").exists())
        self.assertIn(OLDER, self.paused()[0])
        self.assertRegex(self.trail(), r"entries \d+ to \d+ are missing")
        self.assertIn("labferry resume", self.needs())
        # A person decides: it was done. What comes then is done as ever.
        for job in lab.jobs(state="open"):
            lab.ask("cancel", job=job["id"])
        lab.ask("resume", instrument="all")
        lab.generate(name="next.csv", content="Sample\nS-2\n")
        lab.until("it is delivered", lambda: (lab.home / "hamilton/worklists/next.csv").exists())
        lab.restart_agent()
        self.assertEqual(self.paused(), [])

    def test_reread(self):
        """an ordinary restart, a kill included, finds its own head at the broker and goes on at once"""
        lab = self.lab
        self.start()
        for _ in range(3):
            lab.restart_agent()
        lab.generate(name="next.csv", content="Sample\nS-2\n")
        lab.until("it is delivered", lambda: (lab.home / "hamilton/worklists/next.csv").exists())
        self.assertEqual(self.paused(), [])

    def test_told_at_once(self):
        """what the broker keeps names an action as soon as it has begun, and never what is not on disk"""
        lab = self.lab
        self.start()
        for number in range(3):
            lab.generate(name=f"{number}.csv", content=f"Sample\nS-{number}\n")
            lab.wait_job("deliver", count=number + 2)
            begun = max(entry["seq"] for entry in lab.ask("audit", limit=1000) if entry["what"] == "acting")
            lab.until("the broker knows", lambda: self.head() >= begun, seconds=4)
        lab.stop("agent", 9)
        lab.start_agent()
        self.assertEqual(self.paused(), [])


class WithoutWitness(PutBack):
    def test_copy(self):
        """without a broker's word, a journal whose file is a copy holds all work until a person has looked"""
        lab = self.lab
        self.start()
        self.snapshot()
        self.deliver_and_take()
        self.put_back()
        subprocess.run(["mosquitto_pub", "-V", "5", "-p", str(lab.broker_port), "-t", f"{BASE}/audit", "-r", "-n", "-q", "1"],
                       check=True, timeout=60)
        lab.start_agent()
        lab.until("it is paused", lambda: len(self.paused()) == 2)
        self.replay()
        self.at_the_bench(1)
        self.assertFalse((lab.home / "hamilton/worklists/plate.csv").exists())
        self.assertIn(UNSURE, self.paused()[0])
        lab.ask("cancel", job=lab.jobs(state="open")[0]["id"])
        lab.ask("resume", instrument="all")
        lab.restart_agent()
        self.assertEqual(self.paused(), [], "it is asked once")

    def test_by_the_share(self):
        """what the instrument's share remembers of deliveries tells it too, even if the file is the same and there is no broker"""
        lab = self.lab
        self.start()
        lab.stop("agent")
        lab.write_config(config(match=BY_NAME, link="", cloud='events = "poll"; poll_interval = "1s";'))
        lab.start_agent()
        self.snapshot()
        self.deliver_and_take()
        lab.stop("agent")
        for name in ("journal.db-wal", "journal.db-shm"):
            (lab.home / "state" / name).unlink(missing_ok=True)
        for name in ("journal.db", "journal.db.lock"):
            shutil.copyfile(lab.home / "snapshot" / name, lab.home / "state" / name)
        lab.start_agent()
        lab.until("it is paused", lambda: len(self.paused()) == 2)
        self.assertIn("plate.csv", self.trail())
        self.assertFalse((lab.home / "hamilton/worklists/plate.csv").exists())
        for job in lab.jobs(state="open"):
            lab.until("it is cancelled", lambda: self.cancelled(job["id"]))
        lab.ask("resume", instrument="all")
        lab.restart_agent()
        self.assertEqual(self.paused(), [], "it is asked once")

    def cancelled(self, number):
        try:
            return self.lab.ask("cancel", job=number)
        except Refused:
            return None

    def test_broker_away(self):
        """a copy waits for a broker that is away, is then held, and goes on by itself once the broker agrees"""
        lab = self.lab
        self.start()
        lab.stop("agent")
        shutil.copytree(lab.home / "state", lab.home / "snapshot")
        self.put_back()
        lab.stop("broker")
        lab.start_agent(wait=False, env={"LF_WITNESS_MS": "1500"})
        lab.until("it answers", lambda: lab.path.exists() and self.needs())
        lab.until("it is held", lambda: len(self.paused()) == 2)
        self.assertIn("is not reached", self.trail())
        lab.start_broker()
        lab.until("it goes on", lambda: lab.online() and not self.paused())
        self.assertNotIn("state folder", self.needs())


if __name__ == "__main__":
    unittest.main()
