"""Error statuses of the cloud: refusals wait for a person, the others pass by themselves, nothing is done twice."""
import datetime
import time
import unittest

from carrying import IN_DOUBT, LARGE, PLATE, Carrying

SIDE_BY_SIDE = 3
GENERATOR, RUN, TASK = "/automation-input-generators/*", "/assay-runs/*", "/workflow-tasks/*"


class Revoked(Carrying):
    def test_parts(self):
        """a token revoked in the middle of an upload in parts is renewed, and no part is sent twice"""
        self.start()
        self.lab.fault("latency", ms=300, path="/blobs/*/parts", count=0)
        run = self.send_up("large.bin", LARGE)
        self.lab.until("a part is sent", lambda: self.lab.requests("createBlobPart").get("200"))
        self.lab.ask_cloud("/sim/tokens/revoke", {})
        self.assertEqual(self.times_said(self.wait("collect"), "401"), 0, "no trouble of the job's")
        self.assertEqual(self.lab.requests("createBlobPart"), {"200": 2, "401": 1})
        self.collected_once(run, LARGE)

    def test_steps(self):
        """tokens revoked again and again in the middle of jobs cost nothing but new tokens"""
        self.start()
        run, task = self.send_down(), self.lab.new_task()
        self.send_up("a.csv", PLATE, run)
        for _ in range(30):
            self.lab.ask_cloud("/sim/tokens/revoke", {})
            time.sleep(0.02)
        for kind in ("deliver", "collect", "task"):
            self.wait(kind)
        self.assertGreater(self.lab.requests("generateToken")["200"], 2)
        self.delivered_once()
        self.collected_once(run, PLATE)
        self.weighed_once(task)


class Refused(Carrying):
    """What only a person can fix: reported with its reason, kept, and done once after `retry`."""

    def refused(self, status, words, **states):
        self.start()
        for method, path in (("GET", GENERATOR), ("POST", "/blobs"), ("GET", TASK)):
            self.lab.fault("status", status=status, method=method, path=path)
        run, task = self.send_down(), self.lab.new_task()
        self.send_up("a.csv", PLATE, run)
        for kind, state in states.items():
            job = self.wait(kind, states=(state,))
            self.assertIn(words, job["note"])
            self.assertIn(f"({status}", job["note"])
            if state == "held":
                self.lab.until("it is needed", lambda: any(f"job {job['id']} " in need and words in need for need in self.needs()))
        self.assertEqual((self.lab.worklists(), self.attached(run), self.lab.outputs(task)), ({}, [], []))
        self.assertFalse([need for need in self.needs() if "cannot be used" in need], "one refusal does not mean trouble with the cloud")
        self.retry_all()
        for kind in states:
            self.wait(kind)
        self.delivered_once()
        self.collected_once(run, PLATE)
        self.weighed_once(task)

    def test_403(self):
        """without access (403) jobs are held with what to do, and resume on retry once access is granted"""
        self.refused(403, "give the app or user access", deliver="held", collect="held", task="held")

    def test_404(self):
        """a missing resource (404) fails a job with the reason, but a result is held instead"""
        self.refused(404, "does not have it", deliver="failed", collect="held", task="failed")

    def test_413(self):
        """a request that is too large (413) says so; a result is held and kept"""
        self.refused(413, "too large", deliver="failed", collect="held", task="failed")

    def test_409(self):
        """a conflict (409) when a result is attached holds it; nothing is attached twice after a retry"""
        self.start()
        self.lab.fault("status", status=409, method="POST", path="/automation-output-processors")
        run = self.send_up("a.csv", PLATE)
        self.assertIn("conflict (409", self.wait("collect", states=("held",))["note"])
        self.assertEqual(self.attached(run), [])
        self.retry_all()
        self.wait("collect")
        self.collected_once(run, PLATE)

    def test_409_claim(self):
        """a conflict (409) when a task is claimed fails the job; the task stays as it was, and a retry does it"""
        self.start()
        self.lab.fault("status", status=409, method="PATCH", path=TASK)
        task = self.lab.new_task()
        self.assertIn("conflict (409", self.wait("task", states=("failed",))["note"])
        self.assertEqual((self.lab.task_status(task), self.lab.outputs(task)), ("PENDING", []))
        self.assertEqual(self.lab.balance_state()["commands"], 1, "only identified")
        self.retry_all()
        self.wait("task")
        self.weighed_once(task)


class Limited(Carrying):
    def answers(self, since):
        """[(seconds, request)] of the agent since then, in order; files are not counted in the rate limit."""
        requests = self.lab.ask_cloud(f"/sim/requests?since={since}")["requests"]
        return [(datetime.datetime.fromisoformat(request["time"]).timestamp(), request) for request in requests
                if request["by"] == "app" or request["status"] == 429]

    def waited(self, path):
        """Seconds between the 429 of this path and the next request to it."""
        times = [at for at, request in self.answers(0) if request["path"].startswith(path)]
        return times[1] - times[0]

    def test_window(self):
        """429 with the rate limit's headers: no requests until the window ends, then work resumes"""
        self.start()
        self.lab.fault("status", status=429, reset=3, path=GENERATOR)
        self.send_down()
        self.seen("deliver", "rate limit is used up (429")
        task = self.lab.new_task()
        self.assertTrue([need for need in self.needs() if "rate limit" in need])
        for kind in ("deliver", "task"):
            self.wait(kind)
        self.delivered_once()
        self.weighed_once(task)
        answers = self.answers(0)
        struck = next(at for at, request in answers if request["status"] == 429)
        waited = min(at for at, _ in answers if at > struck) - struck
        self.assertTrue(2.9 < waited < 25, f"{waited} s, where 3 were asked for and the window before had 30")

    def test_retry_after(self):
        """429 with Retry-After is retried when that has passed; without any header, after the usual pause"""
        self.start()
        self.lab.fault("status", status=429, headers=False, retryAfter=8, path=GENERATOR)
        self.lab.fault("status", status=429, headers=False, path=RUN)
        run = self.send_down()
        self.send_up("a.csv", PLATE, run)
        self.seen("deliver", "rate limit is used up (429")
        self.seen("collect", "rate limit is used up (429")
        self.wait("deliver")
        self.wait("collect")
        self.assertGreater(self.waited("/automation-input-generators"), 7.9)
        self.assertLess(self.waited("/assay-runs"), self.waited("/automation-input-generators"))
        self.delivered_once()
        self.collected_once(run, PLATE)


class Failing(Carrying):
    def test_outage(self):
        """while the cloud gives nothing but errors, work waits, and the status and each job say why; then it is done, once"""
        self.start()
        self.lab.fault("status", status=503, count=0, path="/a*")
        self.lab.fault("reset-before", count=0, path="/w*")
        run, task = self.send_down(), self.lab.new_task()
        self.send_up("a.csv", PLATE, run)
        for kind, words in (("deliver", "is not available (503"), ("collect", "is not available (503"), ("task", "connection broke")):
            self.lab.until(f"{kind} waits", lambda: (lambda job: job and job["state"] == "waiting" and job["attempt"] > 1
                                                     and words in job["note"])(self.job_of(kind)))
        self.assertTrue([need for need in self.needs() if "Benchling cannot be used" in need])
        self.lab.clear_faults()
        for kind in ("deliver", "collect", "task"):
            self.wait(kind)
        self.assertFalse([need for need in self.needs() if "Benchling cannot be used" in need])
        self.delivered_once()
        self.collected_once(run, PLATE)
        self.weighed_once(task)

    def test_each(self):
        """500, 502, 503 and 504 are retried, and each is in the job's history"""
        self.start()
        for number, status in enumerate((500, 502, 503, 504)):
            for path in (GENERATOR, RUN):
                self.lab.fault("status", status=status, path=path)
            name = f"of_{status}"
            run = self.send_down(f"{name}.csv", f"Sample\n{name}\n")
            self.send_up(f"{name}.bin", name.encode(), run)
            for kind in ("deliver", "collect"):
                job = self.wait(kind, name)
                self.assertEqual((self.times_said(job, f"({status}"), self.times_said(job, IN_DOUBT)), (1, 0), self.lab.story())
            self.delivered_once(f"{name}.csv", f"Sample\n{name}\n")
            self.collected_once(run, name.encode())


if __name__ == "__main__":
    unittest.main()
