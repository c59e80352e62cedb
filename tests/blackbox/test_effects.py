"""Killed between a commit and what follows from it outside the journal: the next start does the rest. Built programs with
failpoints, a real broker and simulated instruments."""
import collections
import signal
import unittest

from whole import BY_NAME, Exactly, config


class Effects(Exactly):
    def die_at(self, point):
        """The agent that runs from now on kills itself when it first passes the point."""
        self.lab.stop("agent")
        self.lab.start_agent(env={"LF_DIE_AT": f"{point}:1"})

    def has_died(self, point):
        self.assertEqual(self.lab.parts["agent"].wait(60), -signal.SIGKILL, f"{point} was not reached")
        self.lab.stop("agent")
        self.lab.start_agent()

    def ask_and_die(self, point, verb, **args):
        with self.assertRaises((OSError, ValueError), msg="no answer comes from an agent that is dead"):
            self.lab.ask(verb, **args)
        self.has_died(point)

    def balance(self):
        return collections.defaultdict(lambda: None, next(info for info in self.lab.ask("instruments") if info["name"] == "balance-1"))

    def test_pause(self):
        """killed between the commit of a pause and the pause, the instrument is paused at the next start; so is a resume"""
        self.lab.start_all()
        self.die_at("effect.pause")
        self.ask_and_die("effect.pause", "pause", instrument="balance-1", why="the test")
        self.assertTrue(self.balance()["paused"])
        self.die_at("effect.pause")
        self.ask_and_die("effect.pause", "resume", instrument="balance-1")
        self.assertFalse(self.balance()["paused"])

    def test_file_removed(self):
        """killed between the commit of a cancel and the removal of its file, the file is removed at the next start"""
        lab = self.lab
        lab.start_all(config(match=BY_NAME))
        self.die_at("effect.remove")
        lab.result("nobody-knows-whose.csv", "a,b\n")
        held = lab.wait_job("collect", "held")
        spool = lab.home / "state" / "spool"
        self.assertEqual(len(list(spool.iterdir())), 1)
        self.ask_and_die("effect.remove", "cancel", job=held["id"])
        self.assertEqual(lab.job(held["id"])["state"], "cancelled")
        self.assertEqual(list(spool.iterdir()), [])

    def cancel_while_it_runs(self, procedure, silent):
        """The balance gets the command and does not answer; the cancel is committed and the agent dies before it acts on it."""
        lab = self.lab
        lab.start_all(config(procedure=procedure), hamilton=None, balance=("--weight", "5", "--fault", f"silence on={silent} times=1"))
        self.die_at("effect.cancel")
        lab.new_task()
        job = lab.until("it runs on the balance", lambda: next(iter(lab.jobs(kind="task", state="running")), None) if self.balance()["job"]
                        else None)
        self.ask_and_die("effect.cancel", "cancel", job=job["id"], why="the test")
        return job["id"]

    def test_cancel(self):
        """killed between the commit of a cancel and the cancel, an action that can be repeated is not run again"""
        number = self.cancel_while_it_runs("weigh", "S")
        self.lab.wait_state(number, "failed", "cancelled")
        self.assertIn("the test", self.lab.job(number)["note"])

    def test_cancel_in_doubt(self):
        """in the same case an action that moves something is held for a person"""
        number = self.cancel_while_it_runs("tare-and-weigh", "T")
        job = self.lab.wait_state(number, "held")
        self.assertIn("labferry confirm", job["note"])
        self.assertEqual(self.lab.balance_state()["moved"]["tare"], 1)

    def test_kick(self):
        """killed between the commit of new work and the wake-up of those who do it, the work is done after the next start"""
        lab = self.lab
        lab.start_all()
        self.die_at("effect.kick")
        task = lab.new_task()
        self.has_died("effect.kick")
        lab.wait_job("task")
        self.exactly_one([], [task])


if __name__ == "__main__":
    unittest.main()
