"""Was everything done, exactly once? The tenant, the instruments and the agent are asked, while it goes on and in the end.

And the person who answers what the agent holds: looks at the instrument, then says what happened."""
import collections
import hashlib
import json
import re
import time

import bench

DONE = "done"
YOUNG_S = 2  # nobody asks about work that was only just given
AWAY_AROUND_S = 3  # a line printed so shortly before or after the agent was away may have been heard by nobody
NOT_HEARD_S = 30  # and after so long it was not
WANTED = ("automationInputGenerator.completed", "workflowTask.created")
SHOWN = re.compile(r' host +(?:D|DISP:TEXT) "([^"]*)"')
TARED, SOURCED = re.compile(r" event +tared$"), re.compile(r" host +SOUR:VOLT ")
MAY_BE_HELD = {("task", "run"): ("unknown outcome", "needs a person"), ("procedure", "run"): ("unknown outcome", "needs a person"), ("collect", "match"): ("needs a person",)}


class Wrong(Exception):
    """What must never be. kind: lost, repeated, wrong (held without need, a bad value, ...)."""

    def __init__(self, kind, text):
        super().__init__(f"{kind}: {text}")
        self.kind = kind


class Transcript:
    """What an instrument's log says it did, for which sample: {sample: count}. Read on and on."""

    def __init__(self, path, moved):
        self.path, self.pattern, self.at, self.shown, self.moved = path, moved, 0, "", collections.Counter()

    def read(self):
        with open(self.path, "rb") as log:
            log.seek(self.at)
            data = log.read()
        data = data[:data.rfind(b"\n") + 1]
        self.at += len(data)
        for line in data.decode(errors="replace").splitlines():
            shown = SHOWN.search(line)
            if shown:
                self.shown = shown[1]
            if self.pattern.search(line):
                self.moved[self.shown] += 1
        return self.moved


class Judge:
    def __init__(self, lab, work, faults, broken=None):
        self.lab, self.work, self.faults, self.broken = lab, work, faults, broken
        self.tares, self.sources = Transcript(lab.home / "balance.log", TARED), Transcript(lab.home / "meter.log", SOURCED)
        self.runs = {}  # of the liquid handler: {run: its entry}
        self.jobs, self.printed, self.fates = {}, collections.Counter(), collections.Counter()
        self.answers, self.assigned = collections.Counter(), {}  # of the person; {job: run}
        self.last_event, self.unseen, self.events = None, {}, 0
        self.unheard, self.by_digest = 0, {}

    # ---- the person

    def person(self):
        for job in self.lab.ask("jobs", state="held", limit=50):
            if job["class"] not in MAY_BE_HELD.get((job["kind"], job["step"]), ()):
                raise Wrong("wrong", f"held without need: {json.dumps(self.lab.job(job['id']))}")
            self.answer(self.lab.job(job["id"]))
        return 1

    def answer(self, job):
        if job["state"] != "held":
            return
        if job["kind"] == "collect" and job["instrument"] == "balance-1":
            said, args = "cancel", {"why": "nobody printed that: the balance chattered"}
        elif job["kind"] == "collect":
            if job["id"] not in self.assigned:
                self.assigned[job["id"]] = self.lab.ask_cloud("/sim/runs", {})["id"]
            said, args = "assign", {"run": self.assigned[job["id"]], "output": "Printed"}
        else:
            sample, on_balance = job["fields"]["inputs"].get("sample"), job["instrument"] == "balance-1"
            time.sleep(0.3)  # what was on its way to the instrument has arrived
            happened = sample and (self.tares if on_balance else self.sources).read()[sample] > 0
            if self.broken == "person":
                happened = False
            values = {"weight": bench.GRAMS, "unit": "g"} if on_balance else {"weight": bench.VOLTS}
            said, args = ("confirm", {"values": values}) if happened else ("retry", {})
        try:
            self.lab.ask(said, job=job["id"], **args)
        except bench.whole.Refused as refused:
            if refused.error["status"] == "invalid":  # not the agent's state, but this question is wrong
                raise Wrong("wrong", f"{said} {args}: {refused.error['text']}") from None
            raise
        self.answers[f"{job['kind']} at {job['step']}, {job['class']}: {said}"] += 1

    # ---- meanwhile

    def step(self):
        """One round. Parts that are away or have a fault are asked again in the next."""
        for look in (self.read_instruments, self.read_jobs, self.read_events):
            try:
                look()
            except bench.AWAY:
                pass
        for item in self.work.open():
            if time.monotonic() - item.made < YOUNG_S:
                continue
            try:
                item.why = getattr(self, "see_" + item.kind)(item)
                item.done = item.why == DONE
            except bench.AWAY as trouble:
                item.why = repr(trouble)
        return 2

    def read_instruments(self):
        for transcript in (self.tares, self.sources):
            for sample, count in transcript.read().items():
                if count > 1:
                    raise Wrong("repeated", f"{transcript.path.name}: moved {count} times for {sample}")
        state = self.lab.hamilton_state()
        if state["repeated"] or state["broken"] or state["aborted"]:
            raise Wrong("repeated", f"the liquid handler: {({k: v for k, v in state.items() if k != 'runs'})}")
        for run in state["runs"]:
            self.runs[run["run"]] = run
        self.by_digest = {run["sha256"]: run for run in self.runs.values()}

    def read_jobs(self):
        """Every job, and how it ended."""
        newest = self.lab.ask("jobs", limit=200)
        while newest and newest[-1]["id"] > max(self.jobs, default=0) + 1:
            newest += self.lab.ask("jobs", limit=200, before=newest[-1]["id"])
        for job in newest:
            self.jobs[job["id"]] = job
        oldest = min((job["id"] for job in newest), default=0)
        for number in [n for n, job in self.jobs.items() if n < oldest and job["state"] not in bench.whole.ENDED]:
            self.jobs[number] = self.lab.job(number)
        for job in self.jobs.values():
            if job["state"] in ("failed", "cancelled", "expired") and not self.chatter(job):
                raise Wrong("lost", f"a job is {job['state']}: {json.dumps(self.lab.job(job['id']))}")

    @staticmethod
    def chatter(job):
        """A weight that the balance for tasks sent unasked. Nobody presses its Print key: its faults make such lines."""
        return job["kind"] == "collect" and job["instrument"] == "balance-1"

    def read_events(self):
        """Every event that the tenant has sent must be known to the agent, with a fate."""
        while True:
            after = f"&startingAfter={self.last_event}" if self.last_event else ""
            page = self.lab.ask_cloud("/api/v2/events?pageSize=100" + after)
            for event in page["events"]:
                self.last_event = event["id"]
                self.events += 1
                if event["eventType"].split(".", 1)[1] in WANTED:
                    self.unseen[event["id"]] = event["eventType"]
            if len(page["events"]) < 100:
                break
        for event in list(self.unseen):
            try:
                known = self.lab.ask("event", event=event)
            except bench.whole.Refused:
                continue  # not yet
            if known["fate"] not in ("job", "twin", "woke", "unrouted"):
                raise Wrong("lost", f"the fate of event {event} is {known['fate']}: {known['note']}")
            self.fates[known["fate"]] += 1
            del self.unseen[event]

    # ---- one piece of work: DONE, or what it waits for

    def attached(self, run):
        """What is attached to a run: (status, processor, bytes); more than one is never right."""
        found = self.lab.ask_cloud(f"/api/v2/automation-output-processors?assayRunId={run}")["automationOutputProcessors"]
        if len(found) > 1:
            raise Wrong("repeated", f"run {run} has {len(found)} output processors")
        if not found or found[0]["status"] != "SUCCEEDED":
            return found[0]["status"] if found else "no output processor", None, None
        content = self.lab.ask_cloud(f"/sim/blobs/{found[0]['file']['id']}")
        return DONE, found[0], content if isinstance(content, bytes) else str(content).encode()

    def see_worklist(self, item):
        run = self.by_digest.get(item.sha256)
        if not run or "result_sha256" not in run:
            return f"the liquid handler has no result of a worklist with sha256 {item.sha256}"
        status, processor, content = self.attached(item.name)
        if status != DONE:
            return status
        if hashlib.sha256(content).hexdigest() != run["result_sha256"]:
            raise Wrong("lost", f"the result of run {item.name} in the cloud differs from the instrument's")
        if processor["progressStats"]["rowsSucceeded"] != item.rows or processor["progressStats"]["rowsFailed"]:
            raise Wrong("lost", f"run {item.name}: {processor['progressStats']}")
        return DONE

    def see_task(self, item, moved, wanted):
        outputs = self.lab.outputs({"id": item.task})
        if len(outputs) > 1:
            raise Wrong("repeated", f"task {item.name} has {len(outputs)} outputs")
        status = self.lab.task_status({"id": item.task})
        if status != "COMPLETED":
            return status
        if len(outputs) != 1 or moved.read()[item.name] != 1:
            raise Wrong("lost", f"task {item.name} is completed, with {len(outputs)} outputs, and moved "
                        f"{moved.moved[item.name]} times")
        if outputs[0].get("Mass") != float(wanted):
            raise Wrong("wrong", f"task {item.name}: the output says {outputs[0]}, the instrument showed {wanted}")
        return DONE

    def see_weigh(self, item):
        return self.see_task(item, self.tares, bench.GRAMS)

    def see_measure(self, item):
        return self.see_task(item, self.sources, bench.VOLTS)

    def see_print(self, item):
        self.read_printed()
        if self.printed[item.name]:
            return DONE
        heard = item.heard and not self.faults.was_away(item.made - AWAY_AROUND_S, item.made + AWAY_AROUND_S)
        if not heard and time.monotonic() - item.made > NOT_HEARD_S:
            self.unheard += 1
            return DONE
        return "no such weight in the cloud"

    def read_printed(self):
        for number, run in list(self.assigned.items()):
            status, _, content = self.attached(run) if run else ("", None, None)
            if status == DONE:
                self.assigned[number] = None
                weight = content.decode().splitlines()[1].split(",")[1]
                self.printed[weight] += 1
                if self.printed[weight] > 1:
                    raise Wrong("repeated", f"the printed weight {weight} is in the cloud twice")

    def see_command(self, item):
        verdicts = self.work.commander.verdicts(item.name)
        told = {(state, kind, json.dumps(result)) for state, kind, result in verdicts}
        if len(told) > 1:
            raise Wrong("repeated", f"command {item.name} has more than one verdict: {told}")
        if verdicts and verdicts[0][0] != "succeeded":
            raise Wrong("lost", f"command {item.name}: {verdicts}")
        if not verdicts:
            return "no verdict"
        state = self.lab.job(verdicts[0][2]["id"])["state"] if item.verb == "run" else "done"
        return DONE if state == "done" else f"its job is {state}"

    # ---- in the end

    def finished(self):
        """Everything is done; called when no more faults come."""
        self.step()
        self.read_jobs()
        self.read_printed()
        over = all(job["state"] in bench.whole.ENDED for job in self.jobs.values())
        quiet = self.lab.ask("status")["storage"]["outbox"] == 0
        return over and quiet and not self.unseen and not self.work.open() and not any(self.assigned.values())

    def left(self):
        """What is not done, for a message."""
        items = [f"{item.kind} {item.name} ({item.why})" for item in self.work.open()]
        jobs = [f"job {job['id']} ({job['kind']}) is {job['state']} at {job['step']}: {job['note']}" for job in self.jobs.values()
                if job["state"] not in bench.whole.ENDED]
        return f"not done: {items[:20]}; events that the agent does not know: {list(self.unseen.items())[:20]}; {jobs[:10]}"

    def verdict(self):
        """The sums, over everything. Raises Wrong."""
        made = self.work.made
        kinds = collections.Counter(job["kind"] for job in self.jobs.values() if not self.chatter(job))
        printed = sum(self.printed.values())
        commanded = sum(item.kind == "command" and item.verb == "run" for item in self.work.items)
        self.same("deliver jobs, worklists", kinds["deliver"], made["worklist"])
        self.same("collect jobs, results", kinds["collect"], made["worklist"] + printed)
        self.same("task jobs, tasks", kinds["task"], made["weigh"] + made["measure"])
        self.same("procedure jobs, run commands", kinds["procedure"], commanded)
        self.same("worklists run, worklists", self.lab.hamilton_state()["started"], made["worklist"])
        self.same("tares, tasks", self.lab.balance_state()["moved"]["tare"], made["weigh"])
        meter = json.loads((self.lab.home / "meter.json").read_text())
        self.same("outputs raised, tasks", meter["moved"]["sourced"], made["measure"])
        self.same("printed weights, prints", printed + self.unheard, made["print"])
        state = self.lab.cloud_state()
        self.same("output processors, results", len(state["processors"]), made["worklist"] + printed)
        self.same("workflow outputs, tasks", len(state["workflowOutputs"]), made["weigh"] + made["measure"])
        results = self.lab.home / "hamilton/results"
        self.same("results left on the instrument, none", len(list(results.glob("*.csv"))), 0)
        archived = collections.Counter(hashlib.sha256(path.read_bytes()).hexdigest() for path in results.rglob("archive/**/*.csv"))
        self.same("originals archived, results", archived,
                  collections.Counter(run["result_sha256"] for run in self.runs.values()))
        self.lab.ask("audit-verify")  # refuses when the chain is not whole

    @staticmethod
    def same(what, got, wanted):
        """Two numbers, or two Counters, that must be equal."""
        if got != wanted:
            numbers = isinstance(got, int)
            many = got > wanted if numbers else got - wanted
            raise Wrong("repeated" if many else "lost", f"{what}: {got}, {wanted}" if numbers else
                        f"{what}: too many {got - wanted}, too few {wanted - got}")
