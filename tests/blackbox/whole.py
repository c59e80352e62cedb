"""The whole agent among real parts, for black-box tests: Stage of the demo, asked over the control socket.

A test takes a Lab (broker, simulated tenant, instruments, agent in a private folder), and asks it in words of the agent.
When a wait is in vain, the error has the jobs and the end of the agent's log.
"""
import datetime
import hashlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import unittest
import unittest.mock

SOURCE = pathlib.Path(os.environ.get("LF_SOURCE") or pathlib.Path(__file__).resolve().parents[2])
sys.path.insert(0, str(SOURCE / "tests/demo"))
from stage import AGENT, SITE, Stage  # noqa: E402

SOON = 60  # seconds; generous, for loaded machines
BASE = f"labferry/{SITE}/agents/{AGENT}"
FAST = ("--quiet", "--generate-ms", "30", "--process-ms", "50", "--key-rate-limit", "1000000")
BY_NAME = r'"filename:^(?<run>[0-9a-f-]{36})_"'  # results that carry the id of their run
ENDED = ("done", "failed", "cancelled", "expired")

HAMILTON = """\
    {
        name = "hamilton-1"; driver = "folder";
        inbox = "%(home)s/hamilton/worklists"; outbox = "%(home)s/hamilton/results";
        results = [ "*.csv", "*.bin" ]; stable_for = "200ms"; scan_interval = "100ms";
        collect = ( { files = "*"; match = [ {match} ]; config = "Plate reader"; } );
        {hamilton}
    }"""

BALANCE = """\
    {
        name = "balance-1"; driver = "line"; stream = "serial:%(home)s/balance";
        profile = "%(profiles)s/mt-sics.profile"; expect_identity = "B021002593";
    }"""

WORKLISTS = """\
    {
        name = "worklists"; on = "automationInputGenerator.completed"; job = "deliver"; instrument = "hamilton-1";
        where = { automationInputGenerator = { automationFileConfig = { name = [ "Hamilton worklist" ]; }; }; };
    }"""

WEIGH = """\
    {
        name = "weigh"; on = {on}; job = "task"; only_agent = true; start = "at-once";
        where = { workflowTask = { schema = { name = [ "Weigh sample" ]; }; status = { displayName = [ "To do" ]; }; }; };
        instrument = "balance-1"; procedure = "{procedure}"; outputs = { weight = "Mass"; unit = "Unit"; }; {weigh}
    }"""

BY_HAND = """\
    { name = "by-hand"; on = "automationOutputProcessor.uploaded"; job = "collect"; }"""


def config(match='"last-job"', hamilton="", procedure="weigh", weigh="", on='"workflowTask.created"', routes=(WORKLISTS, WEIGH),
           instruments=(HAMILTON, BALANCE), agent="", first_start="take", cloud="", link="broker = \"mqtt://127.0.0.1:%(broker_port)d\";"):
    """The text of a configuration; what a test is about is put in. A test may write a result before the agent has looked at the
    outbox for the first time, so first_start is not the default (None)."""
    def fill(text):
        for name, value in (("match", match), ("hamilton", hamilton), ("procedure", procedure), ("weigh", weigh),
                            ("on", on)):
            text = text.replace("{" + name + "}", value)
        return text
    if first_start:
        agent += f'first_start = "{first_start}";'
    return "\n".join([
        'agent = { name = "%(agent)s"; site = "%(site)s"; state_dir = "%(home)s/state"; socket = "%(home)s/control.sock";',
        '    disk_reserve = "1MB"; log_level = "debug"; log_format = "text"; ' + agent + " };",
        'cloud = { tenant = "%(tenant)s"; client_id = "labferry-sim"; client_secret_file = "%(home)s/client_secret"; '
        + cloud + " };",
        "link = { " + link + " };" if link else "",
        "instruments = (", fill(",\n".join(instruments)), ");",
        "routes = (", fill(",\n".join(routes)), ");", ""])


class Refused(Exception):
    """The agent refused: .error is its error object."""

    def __init__(self, error):
        super().__init__(error.get("text", error))
        self.error = error


def now():
    """The time in an event's format. A fixed day would expire for its route some day."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def sha256(data):
    return hashlib.sha256(data if isinstance(data, bytes) else data.encode()).hexdigest()


class Lab(Stage):
    def __init__(self):
        super().__init__(os.environ["LF_BUILD"])
        self.path = self.home / "control.sock"

    # ---- the agent

    def start_all(self, text=None, cloud=FAST, hamilton=("--run-time", "0.2", "--look", "50"), balance=("--weight", "12.34"),
                  broker="", wait=True):
        """Every part; what is None is left out. `broker` is more of its configuration."""
        self.start_broker(broker)
        self.start_cloud(*cloud)
        if hamilton is not None:
            self.start_hamilton(*hamilton)
        else:
            for folder in ("worklists", "results"):
                (self.home / "hamilton" / folder).mkdir(parents=True, exist_ok=True)
        if balance is not None:
            self.start_balance(*balance)
        self.write_config(text or config())
        self.start_agent(wait)

    def restart_agent(self, how=signal.SIGKILL):
        self.stop("agent", how)
        self.start_agent()

    def ask(self, verb, **args):
        """One verb over the control socket."""
        with socket.socket(socket.AF_UNIX) as desk:
            desk.settimeout(SOON)
            desk.connect(str(self.path))
            desk.sendall(json.dumps({"verb": verb, "args": args}).encode() + b"\n")
            with desk.makefile("rb") as answer:
                said = json.loads(answer.readline())
        if not said["ok"]:
            raise Refused(said["error"])
        return said.get("result")

    def online(self):
        try:
            return (self.ask("status")["link"] or {"state": "online"})["state"] == "online"
        except (OSError, ValueError):
            return False

    def jobs(self, *_, **args):
        return sorted(self.ask("jobs", limit=1000, **args), key=lambda job: job["id"])

    def job(self, number):
        return self.ask("job", job=number)

    def events(self, **args):
        return self.ask("events", limit=1000, **args)

    def event(self, **wanted):
        """The one event whose report has these members, or None."""
        return next((e for e in self.events() if all(e.get(k) == v for k, v in wanted.items())), None)

    # ---- waiting

    def until(self, what, ready, seconds=SOON):
        """Asks `ready` until it gives something true; returns that."""
        end = time.monotonic() + seconds
        while True:
            found = ready()
            if found:
                return found
            if time.monotonic() > end:
                break
            time.sleep(0.03)
        raise AssertionError(f"waited {seconds} s in vain for {what}; {self.story()}")

    def story(self):
        try:
            jobs = "\n".join(json.dumps(self.job(job["id"]), indent=1) for job in self.jobs()[-4:])
        except (OSError, ValueError, Refused) as trouble:
            jobs = repr(trouble)
        return f"jobs:\n{jobs}\nlog of the agent:\n{self.log('agent')[-6000:]}"

    def wait_job(self, kind, state="done", count=1, seconds=SOON):
        """Waits until there are so many jobs of that kind, all in that state. Returns the last one whole."""
        states = (state,) if isinstance(state, str) else state

        def ready():
            jobs = [job for job in self.jobs() if job["kind"] == kind]
            wrong = [job for job in jobs if job["state"] in (*ENDED, "held") and job["state"] not in states]
            if wrong and seconds > 0:
                raise AssertionError(f"{kind} job is {wrong[0]['state']}, not {states}: {self.story()}")
            return len(jobs) >= count and all(job["state"] in states for job in jobs) and jobs[-1]["id"]
        return self.job(self.until(f"{count} {kind} job(s) {states}", ready, seconds))

    def wait_state(self, number, *states, seconds=SOON):
        return self.until(f"job {number} is {states}",
                          lambda: (lambda job: job if job["state"] in states else None)(self.job(number)), seconds)

    def all_over(self):
        """No job is in progress; held ones remain."""
        return not [job for job in self.jobs(state="open") if job["state"] != "held"]

    def memory(self):
        """The most memory that the agent ever used, in bytes."""
        status = pathlib.Path(f"/proc/{self.parts['agent'].pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) * 1024

    # ---- the cloud and the instruments

    @property
    def run(self):
        return self.cloud_state()["runs"][0]["id"]

    def generate(self, run=None, **more):
        return self.ask_cloud(f"/sim/runs/{run or self.run}/input", more)

    def new_task(self, **fields):
        return self.ask_cloud("/sim/tasks", {"fields": {name.replace("_", " "): {"value": value} for name, value in
                                                        (fields or {"Sample": "S-1"}).items()}})

    def task_status(self, task):
        return self.ask_cloud(f"/api/v2/workflow-tasks/{task['id']}")["status"]["statusType"]

    def outputs(self, task):
        return [{name: field["value"] for name, field in output["fields"].items()} for output in
                self.ask_cloud(f"/api/v2/workflow-outputs?workflowTaskIds={task['id']}")["workflowOutputs"]]

    def fault(self, kind, **more):
        return self.ask_cloud("/sim/faults", {"kind": kind, **more})

    def clear_faults(self):
        self.ask_cloud("/sim/faults", method="DELETE")

    def publish(self, payload, topic):
        """Any bytes on any topic, past the relay."""
        data = payload if isinstance(payload, bytes) else payload.encode() if isinstance(payload, str) else \
            json.dumps(payload).encode()
        content = ["-s"] if data else ["-n"]
        subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(self.broker_port), "-V", "5", "-q", "1", "-t", topic,
                        *content], input=data, check=True, timeout=SOON)

    def requests(self, operation):
        """How often the cloud was asked for this operation: {status: count}."""
        return self.ask_cloud("/sim/requests")["byOperation"].get(operation, {})

    def result(self, name, content):
        """The instrument writes a result at once."""
        folder = self.home / "hamilton/results"
        (folder / ".new").write_bytes(content if isinstance(content, bytes) else content.encode())
        (folder / ".new").rename(folder / name)

    def worklists(self):
        """The worklists on the instrument, by name without the folder: {name: [bytes, ...]}."""
        found = {}
        for path in sorted((self.home / "hamilton/worklists").rglob("*")):
            if path.is_file() and not any(part.startswith(".") for part in path.parts[-2:]):
                found.setdefault(path.name, []).append(path.read_bytes())
        return found

    def balance_state(self):
        return json.loads((self.home / "balance.json").read_text())

    def retained_status(self):
        """The status message that the broker keeps; {} without one."""
        run = subprocess.run(["mosquitto_sub", "-V", "5", "-p", str(self.broker_port), "-t", f"{BASE}/status", "-C", "1", "-W",
                              "10"], capture_output=True, timeout=SOON)
        return json.loads(run.stdout or b"{}")

    def hamilton_state(self):
        return json.loads((self.home / "hamilton.json").read_text())

    def balance(self, line):
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(SOON)
            control.connect(str(self.home / "balance.ctl"))
            control.sendall(line.encode() + b"\n")
            with control.makefile() as answer:
                return answer.readline().rstrip("\n")


PLATE = "Well,Absorbance\nA1,0.5\nA2,0.25\n"


def without_quarantine(test):
    """The sanitizer keeps freed memory for a while, which would count as the agent's."""
    patch = unittest.mock.patch.dict(os.environ, ASAN_OPTIONS="quarantine_size_mb=1")
    patch.start()
    test.addCleanup(patch.stop)


class WithLab(unittest.TestCase):
    """self.lab, whose agent must stop cleanly, without a sanitizer report."""
    lab_class = Lab

    def setUp(self):
        self.lab = self.lab_class()
        self.addCleanup(self.lab.__exit__)
        self.addCleanup(self.good_end)

    def good_end(self, lab=None):
        lab = lab or self.lab
        if "agent" in lab.parts:
            self.assertEqual(lab.stop("agent", seconds=SOON), 0, lab.log("agent")[-4000:])
        log = lab.log("agent")
        for word in ("AddressSanitizer", "LeakSanitizer", "ThreadSanitizer", "runtime error:"):
            at = log.find(word)
            self.assertEqual(at, -1, log[max(at - 300, 0):at + 4000])


class Exactly(WithLab):
    """What must hold no matter what happened in between."""

    def exactly_one(self, files, tasks, results=None):
        lab = self.lab
        state = lab.cloud_state()
        self.assertEqual(sorted(sha256(data) for copies in lab.worklists().values() for data in copies),
                         sorted(file["sha256"] for file in files), "each file is on the instrument, once")
        blobs = {blob["id"]: blob["sha256"] for blob in state["blobs"]}
        attached = sorted(blobs[processor["file"]["id"]] for processor in state["processors"])
        archived = sorted(sha256(path.read_bytes()) for path in (lab.home / "hamilton/results/archive").rglob("*.csv"))
        self.assertEqual(attached, archived, "each result is attached, once")
        self.assertEqual(len(attached), len(files) if results is None else results)
        self.assertEqual({processor["status"] for processor in state["processors"]} - {"SUCCEEDED"}, set())
        for task in tasks:
            self.assertEqual((lab.task_status(task), len(lab.outputs(task))), ("COMPLETED", 1), lab.story())
        counts = lab.hamilton_state()
        self.assertEqual((counts["started"], counts["repeated"], counts["broken"]), (len(files), 0, 0))
        self.assertEqual(len(lab.jobs(state="held")), 0, lab.story())

    def finished(self, files, tasks, seconds=120, person=lambda: None):
        """`person` is called again and again, and may answer."""
        lab = self.lab

        def over():
            person()
            jobs = [job for job in lab.jobs()]
            done = {kind: len([job for job in jobs if job["kind"] == kind and job["state"] == "done"])
                    for kind in ("deliver", "collect", "task")}
            return done["deliver"] >= files and done["collect"] >= files and done["task"] >= tasks and lab.all_over()
        lab.until(f"{files} files, results and {tasks} tasks are done", over, seconds)
