"""The wall clock is wrong, or is set while everything works. Timers must not notice; people must."""
import json
import signal
import time
import unittest

from wrong_clock import HOUR, WRONG, YEARS, WithLab
from whole import BASE, FAST, PLATE, Refused, config, sha256

CALM_S = 3  # so long it is watched that nothing fires at once


class Steps(WithLab):
    def start(self, text=None, cloud=(*FAST, "--token-seconds", "20"), **more):
        self.lab.start_all(text or config(), cloud=cloud, **more)

    def work(self, name):
        """A worklist down, its result up, a task: begun. Returns what to look for."""
        lab = self.lab
        run = lab.ask_cloud("/sim/runs", {})["id"]
        lab.generate(run, name=f"{name}.csv", content=f"Sample\n{name}\n")
        return name, run, lab.new_task()

    def finish(self, work):
        """Each of it is done, and once."""
        lab, (name, run, task) = self.lab, work
        lab.until(f"the worklist {name} is there", lambda: f"{name}.csv" in lab.hamilton_state()["worklists"]
                  if isinstance(lab.hamilton_state().get("worklists"), dict) else f"{name}.csv" in json.dumps(lab.hamilton_state()))
        lab.until("the task is done", lambda: lab.task_status(task) == "COMPLETED")
        self.assertEqual(len(lab.outputs(task)), 1)
        lab.until("its result is processed", lambda: [p["status"] for p in lab.cloud_state()["processors"]
                                                      if p["assayRunId"] == run] == ["SUCCEEDED"])

    def audit_holds(self):
        status, said = self.lab.labferry("audit", "verify")
        self.assertEqual(status, 0, said)

    def test_while_working(self):
        """the clock is set by an hour and by ten years, both ways and back, while all works: everything is done, once, as ever"""
        lab = self.lab
        self.start()
        for number, (how, shift) in enumerate(WRONG.items()):
            with self.subTest(how):
                work = self.work(f"wrong-{number}")
                lab.step(shift)
                more = self.work(f"stepped-{number}")
                self.finish(work)
                self.finish(more)
                lab.until("it is told", lambda: [need for need in lab.ask("status")["needs"] if "of the tenant's" in need["what"] or
                                                 "the tenant's" in need["what"]])
                work = self.work(f"right-{number}")
                lab.step(0)
                self.finish(work)
        self.assertEqual({job["state"] for job in lab.jobs()}, {"done"})
        lab.until("nothing is left to tell", lambda: not lab.ask("status")["needs"])
        self.audit_holds()
        clock = [entry["text"] for entry in lab.ask("audit", what="clock", limit=100)["entries"]]
        self.assertTrue(any("set forward by 3653" in text for text in clock), clock)
        self.assertTrue(any("set back by 3653" in text for text in clock), clock)


if __name__ == "__main__":
    unittest.main()
