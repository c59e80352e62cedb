"""The main job of the agent, run once with one interruption, and judged.

A worklist goes down, a result comes up, and a workflow task is done on a balance, whose first command (tare) is an action that
must never be done twice. The agent is interrupted somewhere; it is started again and left to finish; a person answers what is
held. Then everybody is asked what happened: the agent, the tenant, the instruments.
"""
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import struct
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "blackbox")]
import powercut  # noqa: E402
import whole  # noqa: E402

POLL_S = 0.02
TRIES = 10
LARGE_ROWS = 130_000  # the result has more than 10 MB then, and goes up in parts
ROWS_KEPT = 5000  # by the simulated tenant, of a file
CANNOT_START = 1  # exit status of an agent that finds no good disk
BOOTING_NS = 1_000_000_000  # from the boot to the start of the agent
AGAIN_MAX = 400  # calls until a started agent is ended again; what is left to do takes fewer and fewer
WEIGHT = 12.34

CONFIG = """\
agent = { name = "%(agent)s"; site = "%(site)s"; state_dir = "%(disk)s/state"; socket = "%(home)s/control.sock";
          disk_reserve = "1MB"; log_level = "debug"; log_format = "text"; };
cloud = { tenant = "%(tenant)s"; client_id = "labferry-sim"; client_secret_file = "%(home)s/client_secret"; };
link = { broker = "mqtt://127.0.0.1:%(broker_port)d"; };
instruments = (
    { name = "hamilton-1"; driver = "folder"; inbox = "%(disk)s/worklists"; outbox = "%(disk)s/results"; results = [ "*.csv" ];
      stable_for = "100ms"; scan_interval = "100ms";
      collect = ( { files = "*.csv"; match = [ "last-job" ]; config = "Plate reader"; } ); },
    { name = "balance-1"; driver = "line"; stream = "serial:%(home)s/balance"; profile = "%(home)s/balance.profile";
      expect_identity = "B021002593"; }
);
routes = (
    { name = "worklists"; on = "automationInputGenerator.completed"; job = "deliver"; instrument = "hamilton-1"; },
    { name = "weigh"; on = "workflowTask.created"; job = "task"; only_agent = true; start = "at-once"; instrument = "balance-1"; procedure = "tare-then-weigh";
      outputs = { weight = "Mass"; unit = "Unit"; }; }
);
"""

PROCEDURE = """
[procedure tare-then-weigh]
help   = 'Tare what is on the pan (once), then weigh'
do     = tare
do     = weigh
result = weigh.value as weight
result = weigh.unit as unit
"""


class Wrong(Exception):
    """What must never be. kind: lost, repeated, stuck, ended (the agent ended by itself), refused."""

    def __init__(self, kind, text):
        super().__init__(f"{kind}: {text}")
        self.kind = kind


class Bench(whole.Lab):
    """Broker, tenant, instruments and agent for one run. `disk` is what the agent's machine may lose in a power cut."""

    def __init__(self, shim, options, seed):
        """options: how, only, cut, again, broken, large, patience (see sweep.py)."""
        super().__init__()
        self.shim, self.options, self.chance = shim, options, random.Random(seed)
        self.disk, self.store = self.home / "disk", self.home / "store"
        self.failing = options.how in ("enospc", "eio", "erofs")
        self.deaths, self.armed, self.held, self.task, self.places, self.booted_ns = 0, False, [], None, [], 0

    # ---- parts

    def start_parts(self):
        for folder in ("state", "worklists", "results"):
            (self.disk / folder).mkdir(parents=True)
        (self.disk / "state").rmdir()  # the agent makes it
        self.start_broker()
        self.start_cloud(*whole.FAST, "--twins")  # each event comes in two versions: still one job
        self.start_hamilton()
        self.start_balance("--weight", str(WEIGHT), "--settle", "0")
        (self.home / "balance.profile").write_text((whole.SOURCE / "etc/profiles/mt-sics.profile").read_text() + PROCEDURE)
        self.write_config(CONFIG, disk=self.disk)

    def start_broker(self, extra=""):
        for _ in range(TRIES):
            try:
                return super().start_broker(extra)
            except RuntimeError:  # somebody was quicker and took the port that had been free
                self.parts.pop("broker")
                self.broker_port = 0
        raise RuntimeError("the broker does not start: " + self.log("broker"))

    def start_hamilton(self, *_):
        self.start("hamilton", [self.program("labferry-sim-folder"), "--inbox", str(self.disk / "worklists"), "--outbox",
                                str(self.disk / "results"), "--state", str(self.home / "hamilton.json"), "--look", "20",
                                "--run-time", "0.05", "--quiet"])

    def start_under_shim(self, at):
        """The agent that ends at its call number `at` (0: it only counts). After a power cut it is another boot."""
        env = {"LD_PRELOAD": str(self.shim)}
        (self.home / "count").unlink(missing_ok=True)
        if at is not None:
            env.update(LF_CRASH_COUNT_FILE=str(self.home / "count"), LF_CRASH_AT=str(at), LF_CRASH_HOW=self.options.how,
                       LF_CRASH_LOG=str(self.home / "where"), LF_CRASH_FOR=str(self.options.lasts))
            if self.options.only:
                env["LF_CRASH_ONLY"] = self.options.only
        if self.options.cut and at is not None:
            shutil.rmtree(self.store, ignore_errors=True)
            self.store.mkdir()
            env.update(LF_CRASH_ROOT=str(self.disk), LF_CRASH_STORE=str(self.store))
            if self.options.broken == "sync":
                env["LF_CRASH_NO_SYNC"] = "1"
        if self.options.cut and self.deaths:
            (self.home / "boot_id").write_text(f"00000000-0000-4000-8000-{self.deaths:012}\n")
            env["LF_CRASH_BOOT_ID"] = str(self.home / "boot_id")
            env["LF_CRASH_BOOTED_NS"] = str(self.booted_ns)
        self.armed = bool(at)
        self.start_agent(wait=False, env=self.sane(env))

    @staticmethod
    def sane(env):
        """A build with sanitizers wants to be loaded before any preload."""
        return {**env, "ASAN_OPTIONS": "verify_asan_link_order=0:" + os.environ.get("ASAN_OPTIONS", "")}

    def calls(self):
        try:
            return struct.unpack("q", (self.home / "count").read_bytes())[0]
        except (OSError, struct.error):
            return 0

    def where(self):
        """The call at which it ended, without what differs from run to run."""
        call, _, target = (self.home / "where").read_text().partition(" ")
        return f"{call} {os.path.relpath(target, self.disk) if target.startswith('/') else target}"

    def restart(self):
        """After the end by the shim, and after nothing else. In a power cut the disk loses what was not synced. It may be
        ended again, at another call."""
        process = self.parts.pop("agent")
        if self.failing and self.armed and process.returncode == CANNOT_START:
            return self.start_under_shim(None)  # as systemd would
        if process.returncode != -signal.SIGKILL or not self.armed:
            raise Wrong("ended", f"the agent ended by itself with {process.returncode}; {self.log('agent')[-3000:]}")
        self.deaths += 1
        self.places.append(self.where())
        if self.options.cut:
            self.cut_power()
        again = self.deaths <= self.options.again
        self.start_under_shim(self.chance.randint(1, AGAIN_MAX) if again else None)

    def cut_power(self):
        others = [self.parts[name] for name in ("hamilton", "balance")]
        for other in others:
            other.send_signal(signal.SIGSTOP)
        powercut.cut(self.disk, self.store, self.chance if self.options.cut == "mix" else None)
        self.booted_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - BOOTING_NS
        for other in others:
            other.send_signal(signal.SIGCONT)

    def dead(self):
        return "agent" not in self.parts or self.parts["agent"].poll() is not None

    # ---- the way through

    def live(self, what, ready, end):
        """Waits for something of a living agent; one that was ended is started again. What is held is answered."""
        while time.monotonic() < end:
            if self.dead():
                self.restart()
            if self.parts["hamilton"].poll() is not None:
                self.start_hamilton()  # a power cut took a worklist from under its hands, and it does not take that well
            try:
                if ready():
                    return
            except (OSError, ValueError, whole.Refused):
                pass  # it is starting, or ended just now
            time.sleep(POLL_S)
        raise self.stuck(f"waited in vain until {what}; {self.story()}")

    def stuck(self, text):
        missing = self.missing()
        return Wrong("lost" if missing else "stuck", f"{text}; not in the journal: {missing}")

    def go(self, at):
        """The whole run, ended at call number `at`."""
        end = time.monotonic() + self.options.patience
        self.start_parts()
        self.start_under_shim(at)
        self.live("the agent is online", self.online, end)
        self.generate(**({"rows": LARGE_ROWS} if self.options.large else {}))
        self.task = self.new_task()
        self.live("everything is done", self.finished, end)
        while self.stop_agent():  # ended while it stopped: is everything still there?
            self.live("everything is still done", self.finished, end)
        self.judge()
        if self.failing and (self.home / "where").exists():
            self.deaths = 1
            self.places.append(self.where())

    def stop_agent(self):
        """Asks it to stop. True: it was killed before it had."""
        process = self.parts["agent"]
        status = self.stop("agent", seconds=60)
        if status == 0:
            return False
        self.parts["agent"] = process
        return True

    def finished(self):
        jobs = self.jobs()
        for job in jobs:
            if job["state"] == "held":
                self.answer(self.job(job["id"]))
            elif job["state"] in ("failed", "cancelled", "expired"):
                raise Wrong("lost", f"{job['kind']} job is {job['state']}: {job['note']}")
        kinds = sorted(job["kind"] for job in jobs)
        if len(set(kinds)) < len(kinds):
            raise Wrong("repeated", f"jobs: {kinds}")
        if kinds != ["collect", "deliver", "task"] or any(job["state"] != "done" for job in jobs):
            return False
        return self.missing() == []

    def missing(self):
        """Events that the tenant has sent and the agent does not know."""
        try:
            self.seen = {event["id"]: event for event in self.events()}
        except (OSError, ValueError, whole.Refused):
            return None
        sent = self.ask_cloud("/api/v2/events?pageSize=100")["events"]
        wanted = ("automationInputGenerator.completed", "workflowTask.created")
        return [event["id"] for event in sent if event["eventType"].split(".", 1)[1] in wanted and event["id"] not in self.seen]

    # ---- a person

    def answer(self, job):
        """Looks at the instrument, as the reason says, and answers the agent. Only a once action in doubt may be held."""
        doubtful = ("task", "run"), ("deliver", "deliver")
        if job["class"] != "unknown outcome" or (job["kind"], job["step"]) not in doubtful:
            raise self.stuck(f"held without need: {json.dumps(job)}")
        time.sleep(0.2)  # what was on its way to the instrument has arrived
        happened = self.tared() > 0 if job["kind"] == "task" else self.hamilton_count("started") > 0
        if job["kind"] == "deliver" and not (happened or self.options.cut or self.failing):
            raise self.stuck(f"what the instrument has not taken is not in doubt as long as the machine stays up: {json.dumps(job)}")
        if self.options.broken == "person":
            happened = False
        if not any(deaths == self.deaths and kind == job["kind"] for deaths, kind, *_ in self.held):
            self.held.append((self.deaths, job["kind"], job["step"], "confirm" if happened else "retry"))
        if not happened:
            self.ask("retry", job=job["id"])
        elif job["kind"] == "task":
            self.ask("confirm", job=job["id"], values={"weight": "0.00", "unit": "g"})
        else:
            self.ask("confirm", job=job["id"])

    def tared(self):
        return self.balance_state()["moved"]["tare"]

    def hamilton_count(self, name):
        try:
            return self.hamilton_state()[name]
        except FileNotFoundError:  # before its first worklist
            return 0

    # ---- the verdict

    def judge(self):
        self.judge_delivery()
        self.judge_result()
        self.judge_task()
        for event in self.seen.values():
            if event["fate"] not in ("job", "twin", "woke", "unrouted"):
                raise Wrong("lost", f"the fate of event {event['id']} ({event['type']}) is {event['fate']}: {event['note']}")

    def once(self, what, count):
        if count != 1:
            raise Wrong("repeated" if count > 1 else "lost", f"{what}: {count} times")

    def judge_delivery(self):
        state = self.cloud_state()
        [generator] = state["generators"]
        sent = self.ask_cloud(f"/sim/blobs/{generator['file']['id']}")
        self.once("worklists run", self.hamilton_count("started"))
        if self.hamilton_count("repeated") or self.hamilton_count("broken"):
            raise Wrong("repeated", json.dumps(self.hamilton_state()))
        [run] = self.hamilton_state()["runs"]
        if run["sha256"] != hashlib.sha256(sent).hexdigest():
            raise Wrong("lost", "the worklist on the instrument differs from the generated one")

    def judge_result(self):
        state = self.cloud_state()
        [run] = self.hamilton_state()["runs"]
        self.once("output processors", len(state["processors"]))
        [processor] = state["processors"]
        if processor["status"] != "SUCCEEDED" or processor["progressStats"]["rowsFailed"] or \
                processor["progressStats"]["rowsSucceeded"] != run["rows"]:
            raise Wrong("lost", f"the output processor is {processor['status']}")
        there = self.ask_cloud(f"/sim/blobs/{processor['file']['id']}")
        if hashlib.sha256(there).hexdigest() != run["result_sha256"]:
            raise Wrong("lost", "the result in the cloud differs from the instrument's")
        [blob] = [blob for blob in state["blobs"] if blob["id"] == processor["file"]["id"]]
        if (blob["parts"] > 1) != self.options.large:
            raise Wrong("stuck", f"went up in {blob['parts']} parts")
        rows = min(processor["progressStats"]["rowsSucceeded"], ROWS_KEPT)
        if len(state["results"]) != rows:
            raise Wrong("repeated" if len(state["results"]) > rows else "lost", f"{len(state['results'])} results of {rows} rows")
        left = [path.name for path in (self.disk / "results").glob("*.csv")]
        archived = list((self.disk / "results").rglob("archive/**/*.csv"))
        if left or len(archived) != 1 or hashlib.sha256(archived[0].read_bytes()).hexdigest() != run["result_sha256"]:
            raise Wrong("lost", f"the original is not archived: {left}, {archived}")

    def judge_task(self):
        self.once("tares", self.tared())
        if self.task_status(self.task) != "COMPLETED":
            raise Wrong("lost", f"the workflow task is {self.task_status(self.task)}")
        outputs = self.outputs(self.task)
        self.once("workflow outputs", len(outputs))
        if float(outputs[0]["Mass"]) != 0 or outputs[0]["Unit"] != "g":
            raise Wrong("lost", f"the workflow output says {outputs[0]}")

    def keep(self, folder):
        """Leaves everything for a person to look at."""
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.home, folder, symlinks=True, ignore=lambda _, names: [n for n in names if n.endswith((".sock", ".ctl"))
                                                                                   or n == "balance"])
