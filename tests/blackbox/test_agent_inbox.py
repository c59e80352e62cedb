"""The inbox of an instrument as people and its software treat it: files that stay, folders that are emptied."""
import signal
import unittest

from whole import FAST, WithLab, config

SIDE_BY_SIDE = 3


class Inbox(WithLab):
    def setUp(self):
        super().setUp()
        self.lab.start_all(config(), cloud=FAST, hamilton=None, balance=None)
        self.inbox = self.lab.home / "hamilton/worklists"

    def generate(self):
        run = self.lab.ask_cloud("/sim/runs", {})["id"]
        return self.lab.ask_cloud(f"/sim/runs/{run}/input", {"name": "qc.csv", "content": "Well,Volume\nA1,50\n"})

    def held_second(self):
        """The same worklist generated for two runs, and the instrument leaves it where it is."""
        self.generate()
        self.lab.wait_job("deliver")
        before = (self.inbox / "qc.csv").stat()
        self.generate()
        self.lab.until("the second job", lambda: len(self.lab.jobs()) == 2)
        job = self.lab.wait_state(2, "held")
        after = (self.inbox / "qc.csv").stat()
        self.assertEqual((before.st_ino, before.st_mtime_ns), (after.st_ino, after.st_mtime_ns), "nothing was touched")
        return job

    def test_equal_removed(self):
        """a worklist equal to one that still lies there is held, with whose it is, and delivered once that is removed"""
        job = self.held_second()
        self.assertEqual(job["step"], "deliver")
        self.assertIn("put there by job 1 at ", job["note"])
        self.assertIn(f"labferry confirm {job['id']}", job["note"])
        (self.inbox / "qc.csv").unlink()
        self.lab.ask("retry", job=job["id"])
        self.lab.wait_state(job["id"], "done")
        self.assertTrue((self.inbox / "qc.csv").exists())

    def test_order(self):
        """worklists that waited for a paused instrument arrive in the order in which they were generated"""
        lab, names = self.lab, [f"w{number}.csv" for number in range(10)]
        lab.ask("pause", instrument="hamilton-1")
        for name in names:
            lab.generate(lab.ask_cloud("/sim/runs", {})["id"], name=name, content=f"Sample\n{name}\n")
        lab.until("all wait for it", lambda: len([job for job in lab.jobs() if job["step"] == "turn"]) == len(names))
        self.assertEqual(lab.worklists(), {})
        lab.ask("resume", instrument="hamilton-1")
        lab.wait_job("deliver", count=len(names))
        self.assertEqual([path.name for path in sorted(self.inbox.glob("*.csv"), key=lambda path: path.stat().st_ctime_ns)], names)

    def test_equal_confirmed(self):
        """a person can confirm that the instrument is to use the equal worklist that lies there"""
        job = self.held_second()
        self.assertIn("confirm", job["can"])
        self.lab.ask("confirm", job=job["id"])
        done = self.lab.wait_state(job["id"], "done")
        self.assertIn("read back", done["note"])

    def test_nothing_of_ours(self):
        """the instrument's software sees nothing of the agent's in its folders"""
        self.generate()
        self.lab.wait_job("deliver")
        self.assertEqual([path.name for path in self.inbox.iterdir()], ["qc.csv"])
        self.assertEqual(list((self.lab.home / "hamilton/results").iterdir()), [])


class SlowStore(WithLab):
    def test_tasks_go_on(self):
        """while every courier but one downloads slowly, tasks are done"""
        lab = self.lab
        lab.start_all(config(agent="couriers = 2;"), cloud=FAST, hamilton=None)
        lab.fault("slow", path="/presigned/*", bytesPerSecond=1000, count=0)
        for number in range(3):
            run = lab.ask_cloud("/sim/runs", {})["id"]
            lab.ask_cloud(f"/sim/runs/{run}/input", {"name": f"big{number}.csv", "content": "x" * 200_000})
        lab.until("two are being fetched", lambda: sum(j["step"] == "fetch" and j["state"] == "running" for j in lab.jobs()) == 2)
        task = lab.new_task()
        lab.wait_job("task")
        self.assertEqual(lab.task_status(task), "COMPLETED")
        fetches = [job for job in lab.jobs() if job["kind"] == "deliver"]
        self.assertEqual({job["step"] for job in fetches}, {"fetch"}, "they were all still downloading")
        self.assertTrue(any("transfers" in (job["note"] or "") for job in fetches), "the third says what it waits for")
        lab.clear_faults()


class Sending(WithLab):
    def test_interrupted(self):
        """sending a huge file ends with the command that sends it, and leaves nothing behind"""
        lab = self.lab
        lab.start_all(config(agent='file_max = "8GB"; spool_max = "8GB";'), cloud=FAST, hamilton=None, balance=None)
        huge, spool = lab.home / "huge.bin", lab.home / "state/spool"
        with open(huge, "wb") as file:
            file.truncate(6_000_000_000)

        def spooled():
            return [path for path in spool.rglob("*") if path.is_file() and path.stat().st_size]
        send = lab.start("send", [str(lab.build / "bin/labferry"), "--config", str(lab.home / "labferry.conf"), "send",
                                  "hamilton-1", str(huge)])
        lab.until("it is being read", spooled)
        send.send_signal(signal.SIGINT)
        send.wait(30)
        lab.until("the agent has let go of it", lambda: not spooled(), 20)
        self.assertEqual(lab.jobs(), [])


if __name__ == "__main__":
    unittest.main()
