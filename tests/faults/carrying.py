"""The work that faults of the cloud disturb, and what must hold in the end. For test_cloud_*.py beside this file.

Files go down; results come up: *.csv are processed, *.bin are attached and left to people, large ones go in parts, and a new version
replaces the old one; tasks are weighed. Together that makes every call of the API that the agent has.
"""
import hashlib
import os

from whole import FAST, PLATE, SOON, Refused, WithLab, config, sha256

BY_NAME = r'"filename:^(?<run>[0-9a-f-]{36})_"'
LEFT_TO_PEOPLE = 'collect = ( { files = "*.bin"; match = [ ' + BY_NAME + ' ]; config = "Plate reader"; process = false; },'
LARGE = b"".join(hashlib.sha256(b"%d" % number).digest() for number in range(330_000))  # 10.56 MB: above the largest single blob
WEIGHT = {"Mass": 12.34, "Unit": "g"}
IN_DOUBT = "it may or may not have been done"


class Carrying(WithLab):
    text = config(match=BY_NAME).replace("collect = (", LEFT_TO_PEOPLE)

    def stall_after(self, ms):
        """A transfer that moves no byte for this long is given up (by the agents started from here on)."""
        os.environ["LF_STALL_MS"] = str(ms)
        self.addCleanup(os.environ.pop, "LF_STALL_MS")

    def start(self, cloud="", agent="", sim=()):
        """Every part but the liquid handler: what it would do is done by the tests."""
        text = self.text.replace("client_id =", cloud + " client_id =", 1).replace("disk_reserve", agent + " disk_reserve", 1)
        self.lab.start_all(text, cloud=(*FAST, "--rate-limit", "1000000", *sim), hamilton=None)

    # ---- the work

    def send_down(self, name="worklist.csv", content="Sample,Volume\nS-1,50\n"):
        """A file for the instrument was generated, of a run of its own."""
        run = self.lab.ask_cloud("/sim/runs", {})["id"]
        self.lab.generate(run, name=name, content=content)
        return run

    def send_up(self, name, content, run=None):
        """The instrument has written a result of this run."""
        run = run or self.lab.run
        self.lab.result(f"{run}_{name}", content)
        return run

    def job_of(self, kind, name=""):
        """The newest job of this kind (and file), whole; None if there is none yet."""
        found = [job for job in self.lab.jobs() if job["kind"] == kind and name in (job["what"] or "")]
        return self.lab.job(found[-1]["id"]) if found else None

    def wait(self, kind, name="", states=("done",), hurry=False, seconds=SOON):
        """Waits until the job is in one of these states. With hurry, what waits to be tried again is tried at once."""
        def ready():
            job = self.job_of(kind, name)
            if job and job["state"] in ("held", "failed", "cancelled", "expired") and job["state"] not in states:
                raise AssertionError(f"the {kind} job is {job['state']}, not {states}: {self.lab.story()}")
            if hurry:
                self.hurry()
            return job if job and job["state"] in states else None
        return self.lab.until(f"{kind} job {name} {states}", ready, seconds)

    def hurry(self):
        for job in self.lab.jobs(state="waiting"):
            if job["attempt"] or "is processing it" in job["note"]:
                try:
                    self.lab.ask("retry", job=job["id"])
                except Refused:  # it went on by itself
                    pass

    def retry_all(self):
        """A person has fixed the cause and retries each job that was held or failed."""
        for job in self.lab.jobs():
            if job["state"] in ("held", "failed"):
                self.lab.ask("retry", job=job["id"])

    # ---- what can be seen

    def needs(self):
        return [need["what"] for need in self.lab.ask("status")["needs"]]

    def seen(self, kind, words, name=""):
        """Waits until the operator can read these words of the job: in its note while it lasts, in its history afterwards."""
        def ready():
            job = self.job_of(kind, name)
            return job and words in " ".join([job["note"] or "", *(line["text"] for line in job["history"])])
        return self.lab.until(f"the {kind} job says {words!r}", ready)

    def times_said(self, job, words):
        return len([line for line in job["history"] if words in line["text"]])

    # ---- what must hold

    def attached(self, run):
        """(sha256, status) of what is attached to the run's processors, sorted."""
        state = self.lab.cloud_state()
        digests = {blob["id"]: blob["sha256"] for blob in state["blobs"]}
        return sorted((digests[processor["file"]["id"]], processor["status"]) for processor in state["processors"]
                      if processor["assayRunId"] == run)

    def status_changes(self, task):
        events = self.lab.ask_cloud("/api/v2/events?eventTypes=v2.workflowTask.updated.status&pageSize=100")["events"]
        return [event["workflowTask"]["status"]["displayName"] for event in events if event["workflowTask"]["id"] == task["id"]]

    def delivered_once(self, name="worklist.csv", content="Sample,Volume\nS-1,50\n"):
        self.assertEqual([sha256(data) for data in self.lab.worklists().get(name, [])], [sha256(content)], self.lab.story())

    def collected_once(self, run, *contents):
        """Each is attached to one processor; texts were processed, each in one long-running task, bytes were not."""
        wanted = sorted((sha256(content), "SUCCEEDED" if isinstance(content, str) else "NOT_STARTED") for content in contents)
        self.assertEqual(self.attached(run), wanted, self.lab.story())
        self.assertEqual(len(self.lab.cloud_state()["tasks"]), len([content for content in contents if isinstance(content, str)]))

    def weighed_once(self, task):
        self.assertEqual((self.lab.task_status(task), self.lab.outputs(task)), ("COMPLETED", [WEIGHT]), self.lab.story())
        self.assertEqual(self.status_changes(task), ["To do", "In progress", "Completed"])
        self.assertEqual(self.lab.balance_state()["commands"], 2, "identified once, weighed once")
