"""Each call of the API, and each way in which its answer can be lost or corrupted, before or after the cloud acted: a table. In the end
there is one of everything."""
import unittest

from carrying import IN_DOUBT, LARGE, PLATE, Carrying

SIDE_BY_SIDE = 3

CALLS = (
    ("POST", "/token"),
    ("GET", "/automation-input-generators/*"), ("GET", "/blobs/*/download"), ("GET", "/presigned/*"),
    ("GET", "/assay-runs/*"),
    ("POST", "/blobs"), ("POST", "/blobs:start-multipart-upload"), ("POST", "/blobs/*/parts"), ("POST", "/blobs/*:complete-upload"),
    ("GET", "/automation-output-processors"), ("POST", "/automation-output-processors"),
    ("PATCH", "/automation-output-processors/*"), ("POST", "/automation-output-processors/*:process-output"),
    ("GET", "/tasks/*"), ("GET", "/automation-output-processors/*"),
    ("GET", "/workflow-tasks/*"), ("GET", "/workflow-task-schemas/*"), ("PATCH", "/workflow-tasks/*"),
    ("GET", "/workflow-outputs"), ("POST", "/workflow-outputs"),
)

ANOTHER = PLATE + "A3,0.125\n"

# Name, the fault, and whether it leaves open what the cloud did.
WAYS = (
    ("come as a web page", {"kind": "html"}, True),
    ("come as a web page after the cloud acted", {"kind": "html", "act": True}, True),
    ("are no JSON", {"kind": "not-json"}, True),
    ("are JSON of another shape", {"kind": "wrong-schema", "act": True}, True),
    ("are cut off after the cloud acted", {"kind": "truncated", "bytes": 20}, True),
    ("never end", {"kind": "endless"}, True),
    ("come slowly", {"kind": "slow", "bytesPerSecond": 40000}, False),
    ("do not come: reset before the request", {"kind": "reset-before"}, True),
    ("do not come: reset after the cloud acted", {"kind": "reset-after"}, True),
    ("do not come: reset in their middle", {"kind": "reset-mid"}, True),
    ("are 401", {"kind": "status", "status": 401}, False),
    ("are 429", {"kind": "status", "status": 429, "headers": False}, False),
    ("are 500 after the cloud acted", {"kind": "status", "status": 500, "act": True}, True),
    ("are 502", {"kind": "status", "status": 502}, True),
    ("are 503", {"kind": "status", "status": 503}, True),
    ("are 504 after the cloud acted", {"kind": "status", "status": 504, "act": True}, True),
)

# Other bytes in place of a file that is downloaded, and no digest with them: nobody can find that out.
FILE_ITSELF = {"not-json", "wrong-schema"}


class Answers(Carrying):
    def strike(self, fault):
        """The first answer of every call comes like this."""
        lab = self.lab
        for method, path in CALLS:
            if not (path == "/presigned/*" and fault["kind"] in FILE_ITSELF):
                lab.fault(**fault, method=method, path=path)
        lab.ask_cloud("/sim/tokens/revoke", {})  # so that a token is asked for, too

    def all_struck(self):
        rules = self.lab.ask_cloud("/sim/faults")["faults"]
        self.assertEqual([(rule["method"], rule["path"]) for rule in rules if rule["hits"] != 1], [], "every call was struck, once")

    def work(self, fault, in_doubt):
        self.stall_after(20_000)
        self.start(agent='file_max = "20MB";')
        self.strike(fault)
        run = self.send_down()
        task = self.lab.new_task()
        self.send_up("a.csv", PLATE, run)
        self.send_up("large.bin", LARGE, run)
        self.send_up("v.bin", b"first version", run)
        self.wait("collect", "v.bin", hurry=True)
        self.wait("collect", "a.csv", hurry=True)
        self.send_up("b.csv", ANOTHER, run)  # the long-running task of a.csv may have been lost
        self.send_up("v.bin", b"second version", run)
        for kind, name in (("deliver", ""), ("task", ""), ("collect", "b.csv"), ("collect", "large.bin"), ("collect", "v.bin")):
            self.wait(kind, name, hurry=True)
        self.lab.until("all is over", lambda: self.hurry() or self.lab.all_over())
        self.all_struck()
        self.delivered_once()
        self.collected_once(run, PLATE, ANOTHER, LARGE, b"second version")
        self.weighed_once(task)
        # An output was created; a processor was created and one was started, by one job or by two.
        jobs = [self.lab.job(job["id"]) for job in self.lab.jobs()]
        self.assertEqual(sum(self.times_said(job, IN_DOUBT) for job in jobs), 3 if in_doubt else 0, self.lab.story())


def in_spite_of(fault, in_doubt):
    return lambda self: self.work(fault, in_doubt)


for _number, (_name, _fault, _in_doubt) in enumerate(WAYS):
    _test = in_spite_of(_fault, _in_doubt)
    _test.__doc__ = f"the first answers of all calls {_name}: in the end everything is done, once"
    setattr(Answers, f"test_{_number:02}_{_name.replace(' ', '_').replace(':', '')}", _test)


class ByItself(Carrying):
    def test_lost(self):
        """answers that are lost after the cloud acted need no person: the agent looks, and continues"""
        self.start()
        for path in ("/blobs", "/automation-output-processors", "/automation-output-processors/*:process-output", "/workflow-outputs"):
            self.lab.fault("reset-after", method="POST", path=path)
        task = self.lab.new_task()
        run = self.send_up("a.csv", PLATE)
        self.seen("task", IN_DOUBT)
        self.seen("collect", IN_DOUBT)
        self.wait("task")
        self.assertEqual(self.times_said(self.wait("collect"), IN_DOUBT), 2)
        self.collected_once(run, PLATE)
        self.weighed_once(task)


if __name__ == "__main__":
    unittest.main()
