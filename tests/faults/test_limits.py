"""Limits of the machine that are reached while the disk has room: open files, names (inodes), a spool on a file system of its own."""
import os
import resource
import threading
import unittest

from small_disk import MB, OnSmallDisks, SmallDisk, prepare
from whole import BY_NAME, FAST, PLATE, Refused, WithLab, config

FILES = 104  # what the agent asks for at least, with two instruments
NAMES = 60   # more than a journal and a spool need while one file is on its way
WORK = config(match=BY_NAME)
CLOUD = (*FAST, "--rate-limit", "1000000")


def setUpModule():
    prepare()


class Work:
    """Worklists go down, and a result of each run comes up."""

    def work(self, *names):
        lab = self.lab
        for name in names:
            run = lab.ask_cloud("/sim/runs", {})["id"]
            lab.generate(run, name=f"{name}.csv", content=f"Sample\n{name}\n")
            lab.result(f"{run}_{name}.csv", f"{PLATE}# {name},1\n")

    def ends(self):
        """How many jobs of each kind are done. Back-off may be long, and a test is not patient."""
        try:
            for job in self.lab.jobs(state="waiting"):
                self.lab.ask("retry", job=job["id"])
            jobs = self.lab.jobs()
        except (OSError, ValueError, Refused):
            return None
        return [len([job for job in jobs if job["kind"] == kind and job["state"] == "done"]) for kind in ("deliver", "collect")]

    def all_is_done(self, *names):
        lab = self.lab
        lab.until("all is done", lambda: self.ends() == [len(names)] * 2)
        self.assertEqual(lab.worklists(), {f"{name}.csv": [f"Sample\n{name}\n".encode()] for name in names})
        self.assertEqual([p["status"] for p in lab.cloud_state()["processors"]], ["SUCCEEDED"] * len(names))


class OpenFiles(Work, WithLab):
    def begin(self, front=""):
        os.environ["LF_FRONT"] = front
        self.addCleanup(os.environ.pop, "LF_FRONT")
        self.lab.start_all(WORK, cloud=CLOUD, hamilton=None, wait=not front)

    def test_too_few(self):
        """an agent that may open too few files does not start, and says how many it needs and where to set that"""
        self.begin(f"prlimit --nofile={FILES - 1}")
        agent = self.lab.parts.pop("agent")
        self.assertEqual(agent.wait(60), 1)
        self.assertIn(f"it may open {FILES - 1} files at once, and needs {FILES} for 2 instruments. Raise the limit: LimitNOFILE",
                      self.lab.log("agent"))

    def test_just_enough(self):
        """with as many files as it asks for, the agent does its work while as many people as can be served ask"""
        self.begin(f"prlimit --nofile={FILES}")
        lab, stop, answers = self.lab, threading.Event(), []
        lab.until("the agent answers", lab.online)
        names = [f"n{number}" for number in range(12)]

        def ask():
            while not stop.is_set():
                try:
                    answers.append(lab.ask("status")["needs"])
                except (OSError, ValueError, Refused):  # more than can be served
                    pass
        people = [threading.Thread(target=ask, daemon=True) for _ in range(14)]
        for person in people:
            person.start()
        self.work(*names)
        self.all_is_done(*names)
        stop.set()
        for person in people:
            person.join()
        self.assertGreater(len(answers), len(people))
        self.assertNotIn("Too many open files", lab.log("agent"))

    def test_used_up(self):
        """an agent that can open no more files loses nothing, and goes on by itself once it can"""
        self.begin()
        lab, pid = self.lab, self.lab.parts["agent"].pid
        usual = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{pid}/fd")), usual[1]))
        self.work("a", "b", "c")
        lab.until("it is noticed", lambda: "Too many open files" in lab.log("agent"))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, usual)
        self.all_is_done("a", "b", "c")


class Names(Work, OnSmallDisks):
    def test_no_names(self):
        """on a disk that has room but takes no more files, work waits with the reason, and is done once it takes them"""
        self.begin(WORK, names=NAMES, cloud=CLOUD, hamilton=None)
        lab = self.lab
        self.work("before")
        self.all_is_done("before")
        self.disk.use_up_names()
        self.work("without")

        def says():
            notes = [job["note"] or "" for job in lab.jobs() if job["state"] not in ("done", "running")]
            return len([note for note in notes if "No space left on device" in note or "no room" in note]) == 2
        lab.until("both jobs say it", says)
        self.assertEqual(list(lab.worklists()), ["before.csv"])
        self.disk.make_room()
        self.all_is_done("before", "without")


class OwnSpool(Work, OnSmallDisks):
    def good_end(self):
        super().good_end()
        self.spool.unmount()

    def test_full_spool(self):
        """a spool on a file system of its own that is full holds up files alone, is reported, and work is done once it has room"""
        self.spool = spool = SmallDisk(self.lab.home / "spool", 8 * MB)
        self.begin(WORK.replace("disk_reserve", 'spool_dir = "%(home)s/spool"; disk_reserve'), cloud=CLOUD, hamilton=None)
        lab = self.lab
        spool.fill()
        self.work("a")
        self.status_says("the disk of the spool has 0 MB free")
        task = lab.new_task()
        lab.until("the event of a task is stored", lambda: lab.event(resource=task["id"]) or "task" in [j["kind"] for j in lab.jobs()])
        self.assertEqual(lab.worklists(), {})
        spool.make_room()
        self.all_is_done("a")
        self.status_is_clear()


if __name__ == "__main__":
    unittest.main()
