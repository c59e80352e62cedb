"""Folders of instruments as network shares have them: gone, back, empty, replaced, crowded, never finished."""
import os
import shutil
import time
import unittest

from whole import FAST, PLATE, WithLab, config

SIDE_BY_SIDE = 4
CROWD = 100
QUIET_S = 1.5


class Folders(WithLab):
    def start(self, stable_for="200ms"):
        text = config(match=r'"filename:^(?<run>[0-9a-f-]{36})_"').replace('stable_for = "200ms"', f'stable_for = "{stable_for}"')
        self.lab.start_all(text, hamilton=None, balance=None,
                           cloud=(*FAST, "--rate-limit", "1000000"))
        self.outbox, self.inbox = self.lab.home / "hamilton/results", self.lab.home / "hamilton/worklists"

    def info(self):
        return next(i for i in self.lab.ask("instruments") if i["name"] == "hamilton-1")

    def offline(self, words):
        info = self.lab.until("it is reported", lambda: (lambda i: i if i["state"] == "offline" else None)(self.info()))
        self.assertRegex(info["note"], words)

    def collected(self):
        return sorted(job["what"] for job in self.lab.jobs() if job["kind"] == "collect" and job["state"] == "done")

    def put(self, name, text=PLATE):
        self.lab.result(f"{self.lab.run}_{name}.csv", f"{text}# {name},1\n")
        return f"{self.lab.run}_{name}.csv"

    def nothing_more(self, names):
        """Once a later one has been collected, whatever was to be collected a second time has been, too."""
        last = self.put("last")
        self.lab.until("the last is collected", lambda: last in self.collected() and self.lab.all_over())
        self.assertEqual(self.collected(), sorted([*names, last]))

    def test_gone_and_back(self):
        """an outbox that vanishes and returns with new results: reported, and each result is collected once"""
        lab = self.lab
        self.start()
        names = [self.put("before")]
        lab.until("the first is collected", lambda: self.collected() == names)
        away = self.outbox.with_name("away")
        self.outbox.rename(away)
        self.offline("results")
        (away / ".new").write_text(PLATE + "# meanwhile,2\n")
        (away / ".new").rename(away / f"{lab.run}_meanwhile.csv")
        away.rename(self.outbox)
        names.append(f"{lab.run}_meanwhile.csv")
        lab.until("it goes on by itself", lambda: self.collected() == sorted(names))
        self.nothing_more(names)

    def test_empty_mount_point(self):
        """an empty folder in the outbox's place makes the agent forget nothing; when the share is back nothing is collected twice"""
        lab = self.lab
        self.start()
        names = [self.put("a"), self.put("b")]
        lab.until("both are collected", lambda: self.collected() == names)
        away = self.outbox.with_name("away")
        self.outbox.rename(away)
        self.outbox.mkdir()
        time.sleep(QUIET_S)
        shutil.rmtree(self.outbox)
        away.rename(self.outbox)
        names.append(self.put("c"))
        lab.until("it goes on", lambda: self.collected() == names)
        self.nothing_more(names)

    def test_no_inbox(self):
        """a worklist whose inbox is gone waits, which is reported, and is delivered once when it is back"""
        lab = self.lab
        self.start()
        shutil.rmtree(self.inbox)
        lab.generate(name="late.csv", content="Sample\nlate\n")
        self.offline("worklists")
        lab.until("it waits", lambda: [job for job in lab.jobs() if job["step"] in ("turn", "deliver") and job["state"] in ("ready", "waiting")])
        time.sleep(QUIET_S)
        self.assertFalse(self.inbox.exists(), "a missing folder may be a share that is not mounted: never created")
        self.inbox.mkdir()
        job = lab.wait_job("deliver")
        self.assertEqual(lab.worklists(), {"late.csv": [b"Sample\nlate\n"]}, job)

    def test_crowd(self):
        """many results at once, among them unfinished ones, links, pipes and odd names: each good one is collected once, the others are left"""
        lab = self.lab
        self.start(stable_for="4s")  # what grows at each look below is unfinished even on a busy machine
        growing = open(self.outbox / f"{lab.run}_growing.csv", "w", encoding="utf-8")
        self.addCleanup(growing.close)
        os.mkfifo(self.outbox / f"{lab.run}_pipe.csv")
        os.symlink("/dev/zero", self.outbox / f"{lab.run}_zero.csv")
        for number in range(50):
            (self.outbox / f"{number}{'x' * 240}.csv").write_text("x")
        names = sorted(self.put(f"n{number:03}") for number in range(CROWD))

        def all_there():
            growing.write("1,2\n")
            growing.flush()
            return len(self.collected()) >= CROWD
        lab.until("all are collected", all_there, 180)
        self.assertEqual(self.collected(), names)
        self.assertEqual(len(lab.cloud_state()["processors"]), CROWD)
        self.assertEqual({p["status"] for p in lab.cloud_state()["processors"]}, {"SUCCEEDED"})


if __name__ == "__main__":
    unittest.main()
