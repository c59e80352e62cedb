"""The agent is killed, the broker loses its state, a cable is pulled: in the end everything exists exactly once."""
import os
import random
import signal
import subprocess
import time
import unittest

from whole import BY_NAME, Exactly, config

SIDE_BY_SIDE = 3
KILLS = int(os.environ.get("LF_KILLS", "30"))
SEED = int(os.environ.get("LF_SEED", "20261122"))


class Killed(Exactly):
    def test_closed_files(self):
        """started without standard files, the agent writes its log into none of its own"""
        lab = self.lab
        lab.start_all()
        lab.stop("agent", seconds=60)
        before = (lab.home / "state/journal.db.lock").read_bytes()
        lab.parts["agent"] = subprocess.Popen(
            ["sh", "-c", 'exec "$@" 0<&- 1>&- 2>&-', "sh", lab.program("labferryd"), "--config", str(lab.home / "labferry.conf")])
        lab.until("it is online", lab.online)
        for number in range(3 if os.geteuid() == 0 else 0):  # others may not look into the process
            self.assertEqual(os.readlink(f"/proc/{lab.parts['agent'].pid}/fd/{number}"), "/dev/null")
        self.assertEqual((lab.home / "state/journal.db.lock").read_bytes(), before)

    def test_kill(self):
        """killed at any moment and started again, it does everything exactly once, or asks whether it was done"""
        self.kill(KILLS // 2, SEED)

    def test_kill_further(self):
        """the same, at other moments"""
        self.kill(KILLS - KILLS // 2, SEED + 1)

    def kill(self, kills, seed):
        lab, dice = self.lab, random.Random(seed)
        lab.start_all(config(match=BY_NAME), hamilton=("--run-time", "0.05", "--look", "20"))
        files, tasks = [], []
        for number in range(kills):
            run = lab.ask_cloud("/sim/runs", {})["id"]
            files.append(lab.generate(run, name=f"{run}_list.csv", content=f"Sample,Volume\nS-{number},50\n"))
            tasks.append(lab.new_task(Sample=f"S-{number}"))
            time.sleep(dice.uniform(0, 0.5))
            lab.stop("agent", signal.SIGKILL)
            lab.start_agent(wait=number % 3 == 0)
        lab.until("the agent answers", lambda: lab.alive("agent") and lab.online())
        self.finished(kills, kills, person=self.look_at_the_instrument)
        self.exactly_one(files, tasks)

    def look_at_the_instrument(self):
        """Killed just after the worklist had appeared, which was taken at once, the agent asks."""
        started = {run["worklist"] for run in self.lab.hamilton_state()["runs"]}
        for job in self.lab.jobs(state="held"):
            self.assertEqual((job["kind"], job["class"]), ("deliver", "unknown outcome"))
            self.lab.ask("confirm" if job["what"] in started else "retry", job=job["id"])

    def test_terminated(self):
        """stopped cleanly in the middle of its work, it resumes where it was"""
        lab = self.lab
        lab.start_all()
        files = [lab.generate(name="a.csv")]
        tasks = [lab.new_task() for _ in range(5)]
        for number in range(5):
            lab.until("it has started", lambda: lab.log("agent").count("starts as") == number + 1)
            self.assertEqual(lab.stop("agent"), 0)
            lab.start_agent(wait=False)
        lab.until("the agent answers", lambda: lab.alive("agent") and lab.online())
        self.finished(1, 5)
        self.exactly_one(files, tasks)
        self.assertEqual(lab.log("agent").count("first start: the list of events is asked from"), 1)

    def test_while_away(self):
        """events that happen while the agent is down are there when it is back"""
        lab = self.lab
        lab.start_all()
        lab.stop("agent", signal.SIGKILL)
        files, tasks = [lab.generate()], [lab.new_task() for _ in range(3)]
        lab.start_agent()
        self.finished(1, 3)
        self.exactly_one(files, tasks)


class BrokerGone(Exactly):
    def broker_away(self, forget):
        lab = self.lab
        lab.start_all()
        files = [lab.generate(name="before.csv")]
        self.finished(1, 0)
        lab.stop("broker")
        if forget:
            (lab.home / "mosquitto.db").unlink()
        files.append(lab.generate(lab.ask_cloud("/sim/runs", {})["id"], name="during.csv", content="Sample\nduring\n"))
        tasks = [lab.new_task()]
        lab.until("the agent has noticed", lambda: not lab.online())
        lab.ask_cloud("/sim/relay", {"paused": True})
        lab.start_broker()
        return files, tasks

    def test_restart(self):
        """a broker that restarts with its sessions intact costs nothing"""
        files, tasks = self.broker_away(False)
        self.lab.ask_cloud("/sim/relay", {"paused": False})
        self.finished(2, 1)
        self.exactly_one(files, tasks)
        self.assertIn("session resumed", self.lab.log("agent"))

    def test_forgotten(self):
        """a broker that lost its sessions and the queued events: the gap is filled from GET /events"""
        files, tasks = self.broker_away(True)
        self.finished(2, 1)
        self.exactly_one(files, tasks)
        self.assertTrue(any(event["source"] == "poll" or "poll" in event["source"] for event in self.lab.events()))
        self.lab.ask_cloud("/sim/relay", {"paused": False})
        self.lab.until("the relay's own come late", lambda: any(event["times"] > 1 for event in self.lab.events()))
        self.exactly_one(files, tasks)

    def test_absent_at_start(self):
        """without a broker the agent starts, reports that, and connects once there is one"""
        lab = self.lab
        lab.start_all()
        lab.stop("agent")
        lab.stop("broker")
        lab.start_agent(wait=False)
        needs = lab.until("it says so", lambda: lab.path.exists() and self.needs())
        self.assertTrue(any("broker" in need["what"] for need in needs))
        lab.start_broker()
        lab.until("it connects", lab.online)
        task = lab.new_task()
        lab.wait_job("task")
        self.assertEqual(lab.task_status(task), "COMPLETED")

    def needs(self):
        try:
            return self.lab.ask("status")["needs"]
        except OSError:
            return None


class Unplugged(Exactly):
    def test_unplug_between(self):
        """an unplugged balance is noticed; work waits for it and is done when it is back"""
        lab = self.lab
        lab.start_all(balance=("--weight", "4", "--replug", "0"))
        lab.balance("unplug")
        lab.until("it is noticed", lambda: self.state("balance-1") == "offline")
        task = lab.new_task()
        lab.until("the task waits", lambda: [job for job in lab.jobs() if job["step"] == "turn"])
        lab.balance("plug")
        lab.wait_job("task")
        self.assertEqual(lab.outputs(task), [{"Mass": 4, "Unit": "g"}])

    def state(self, name):
        return next(i["state"] for i in self.lab.ask("instruments") if i["name"] == name)

    def unplug_in_reply(self, cuts):
        """After a while the agent tries to connect less often; so a bench has a few of the cuts only."""
        lab = self.lab
        lab.start_all(balance=("--weight", "4", "--replug", "100"))
        for cut in cuts:
            lab.balance(f"fault unplug={cut} times=1 on=S")
            task = lab.new_task()
            lab.until(f"done after a cut at {cut}", lambda: lab.task_status(task) == "COMPLETED")
            self.assertEqual(lab.outputs(task), [{"Mass": 4, "Unit": "g"}], cut)

    def test_unplug_early_in_reply(self):
        """after a cable is pulled at the beginning of a reply, the weighing is repeated and reported once"""
        self.unplug_in_reply((0, 2, 4))

    def test_unplug_in_reply(self):
        """after a cable is pulled in the middle of a reply, the weighing is repeated and reported once"""
        self.unplug_in_reply((6, 8, 10))

    def test_unplug_late_in_reply(self):
        """after a cable is pulled at the end of a reply, the weighing is repeated and reported once"""
        self.unplug_in_reply((12, 14, 16))

    def test_unplug_while_moving(self):
        """a cable pulled while the balance moves: held, not repeated"""
        lab = self.lab
        lab.start_all(config(procedure="tare-and-weigh"), balance=("--weight", "4", "--replug", "100", "--fault",
                                                                  "unplug=3 times=1 on=T"))
        lab.new_task()
        held = lab.until("it is held", lambda: next(iter(lab.jobs(state="held")), None))
        self.assertEqual(held["class"], "unknown outcome")
        self.assertEqual(lab.balance_state()["moved"]["tare"], 1)


if __name__ == "__main__":
    unittest.main()
