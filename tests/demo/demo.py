"""Runs the main job and reports what happens. See toolchain/demo."""
import argparse
import datetime
import hashlib
import pathlib
import re
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from stage import Stage, wait_until  # noqa: E402

# What the steps of a job mean to somebody who has never seen one: (what has happened, who did it).
WORDS = {
    "resolve": ("the generator still has this file", "Benchling"),
    "fetch": ("file fetched to the spool", "agent"),
    "deliver": ("file delivered", "hamilton-1"),
    "confirm": ("file checked again", "hamilton-1"),
    "spool": ("result appeared; copied to the spool", "hamilton-1"),
    "match": ("result belongs to", "agent"),
    "upload": ("result uploaded", "agent"),
    "attach": ("result", "Benchling"),
    "process": ("result", "Benchling"),
    "file": ("original archived", "hamilton-1"),
    "check": ("task is still to do", "Benchling"),
    "claim": ("task claimed", "Benchling"),
    "run": ("balance read", "balance-1"),
    "report": ("weight reported", "Benchling"),
    "settle": ("task completed", "Benchling"),
}
BOLD, DIM, GREEN, RED, PLAIN = ("\033[1m", "\033[2m", "\033[32m", "\033[31m", "\033[0m") if sys.stdout.isatty() else ("",) * 5


def clock(stamp=None):
    when = datetime.datetime.fromisoformat(stamp.replace("Z", "+00:00")).astimezone() if stamp else datetime.datetime.now()
    return when.strftime("%H:%M:%S.") + f"{when.microsecond // 1000:03d}"


def shorter(text):
    """the text with digests and run ids shortened"""
    text = re.sub(r"\b([0-9a-f]{16})[0-9a-f]{48}\b", r"\1...", text)
    return re.sub(r"\b([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", r"\1...", text)


def tell(who, text, stamp=None):
    text = shorter(text)
    print(f"  {DIM}{clock(stamp)}{PLAIN}  {who:<11} {text}", flush=True)


def title(text):
    print(f"\n{BOLD}{text}{PLAIN}", flush=True)


class Narrator:
    """Follows the agent's jobs and prints each new line of their history once, in order of time."""

    def __init__(self, stage):
        self.stage, self.told, self.lines, self.final = stage, {}, 0, {}

    def look(self):
        news = []
        for job in self.stage.jobs():
            if job["id"] in self.final:
                continue
            whole = self.stage.job(job["id"])
            history = whole.get("history", [])
            for line in history[self.told.get(job["id"], 0):]:
                news.append((line["at"], job, line["text"]))
            self.told[job["id"]] = len(history)
            if whole.get("state") in ("done", "failed", "cancelled", "expired", "held"):
                self.final[job["id"]] = whole
        for stamp, job, text in sorted(news, key=lambda entry: entry[0]):
            self.tell_line(stamp, job, text)

    def tell_line(self, stamp, job, text):
        step, colon, rest = text.partition(": ")
        if colon and step in WORDS:
            words, who = WORDS[step]
            tell(who, f"{words}{': ' + rest if rest else ''}", stamp)
        elif text.startswith("made from event"):
            tell("agent", f"event received and journalled: {job['kind']} job {job['id']} {text}", stamp)
        else:
            tell("agent", f"{job['kind']} job {job['id']}: {text}", stamp)

    def until(self, kind, seconds):
        """Waits for a job of this kind to end; returns it."""
        def ended():
            self.look()
            self.stage.alive("agent")
            return next((job for job in self.final.values() if job["kind"] == kind), None)
        return wait_until(f"the {kind} job ends", ended, seconds)


def start_parts(stage):
    title("Starting the parts")
    stage.start_broker()
    tell("broker", f"mosquitto listens on 127.0.0.1:{stage.broker_port}")
    stage.start_cloud()
    tell("Benchling", f"simulated tenant at {stage.tenant}, relaying its events to the broker")
    stage.start_hamilton("--take", "keep", "--look", "200", "--run-time", "1", "--write", "parts", "--write-time", "1")
    tell("hamilton-1", "liquid handler with plate reader, on two folders")
    stage.start_balance("--weight", "12.34")
    tell("balance-1", "balance speaking MT-SICS on a pseudo terminal, 12.34 g on the pan")
    config = stage.write_config()
    stage.start_agent()
    tell("agent", f"connected to everything; configuration {config}")


def file_down_and_result_up(stage, narrator):
    title("A worklist goes down, a result comes back")
    run = stage.cloud_state()["runs"][0]["id"]
    tell("Benchling", f"someone presses Generate for run {run}")
    stage.ask_cloud(f"/sim/runs/{run}/input", {})
    deliver = narrator.until("deliver", 20)
    tell("hamilton-1", "the liquid handler runs the worklist, then the reader writes its result ...")
    collect = narrator.until("collect", 20)
    return run, deliver, collect


def task_weighed(stage, narrator):
    title("A workflow task is weighed")
    task = stage.ask_cloud("/sim/tasks", {"fields": {"Sample": {"value": "S-1"}, "Target mass": {"value": 12.0}}})
    tell("Benchling", f"someone creates the workflow task {task.get('displayId', task['id'])}: weigh sample S-1")
    return task["id"], narrator.until("task", 20)


def sha256_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def confirm_with_cloud(stage, run, task_id, jobs):
    """Checks the tenant's own API and the instruments. Returns rows of (what, found, as expected?)."""
    deliver, collect, task_job = jobs
    generator = stage.ask_cloud(f"/api/v2/assay-runs/{run}/automation-input-generators")["automationInputGenerators"][0]
    blob = stage.ask_cloud(f"/sim/blobs/{generator['file']['id']}")
    sent = hashlib.sha256(blob if isinstance(blob, bytes) else b"").hexdigest()
    taken = [path for path in (stage.home / "hamilton/worklists").rglob("*.csv")]
    there = sha256_of(taken[0]) if len(taken) == 1 else f"{len(taken)} worklists"
    processors = stage.ask_cloud(f"/api/v2/automation-output-processors?assayRunId={run}&automationFileConfigName=Plate%20reader")
    processors = processors["automationOutputProcessors"]
    processor = processors[0] if len(processors) == 1 else {}
    uploaded = stage.ask_cloud(f"/sim/blobs/{processor['file']['id']}") if processor else b""
    archived = [path for path in (stage.home / "hamilton/results").rglob("*.csv") if "archive" in path.parts]
    result = sha256_of(archived[0]) if len(archived) == 1 else f"{len(archived)} results"
    rows = processor.get("progressStats", {})
    task = stage.ask_cloud(f"/api/v2/workflow-tasks/{task_id}")
    outputs = stage.ask_cloud(f"/api/v2/workflow-outputs?workflowTaskIds={task_id}")["workflowOutputs"]
    fields = {name: field["value"] for name, field in outputs[0]["fields"].items()} if len(outputs) == 1 else {}
    return [
        ("worklist on the instrument, once, as generated", f"sha256 {there[:16]}", there == sent and deliver["state"] == "done"),
        ("result in Benchling, once, as written", f"sha256 {result[:16]}",
         isinstance(uploaded, bytes) and hashlib.sha256(uploaded).hexdigest() == result and collect["state"] == "done"),
        ("output processor", f"{processor.get('status', 'missing')}, {rows.get('rowsSucceeded', 0)} rows, "
         f"{rows.get('rowsFailed', 0)} failed",
         processor.get("status") == "SUCCEEDED" and rows.get("rowsSucceeded", 0) > 0 and rows.get("rowsFailed") == 0),
        ("workflow task", task["status"]["displayName"],
         task["status"]["statusType"] == "COMPLETED" and task_job["state"] == "done"),
        ("workflow output, once", ", ".join(f"{name} {value}" for name, value in fields.items()) or f"{len(outputs)} outputs",
         float(fields.get("Mass") or 0) == 12.34 and fields.get("Unit") == "g"),
    ]


def summary(rows, started):
    title("What Benchling's API reports")
    width = max(len(what) for what, _, _ in rows)
    for what, found, good in rows:
        mark = f"{GREEN}yes{PLAIN}" if good else f"{RED}NO {PLAIN}"
        print(f"  {mark}  {what:<{width}}  {found}")
    good = all(row[2] for row in rows)
    print(f"\n{BOLD}{'Everything is confirmed' if good else 'NOT everything is confirmed'}{PLAIN} "
          f"({time.monotonic() - started:.1f} s, not counting installation and build).")
    return good


def keep(stage):
    labferry = f"{stage.program('labferry')} --config {stage.home}/labferry.conf"
    title("Everything keeps running. Try")
    for command, why in (
        (f"{labferry} status", "the state of the agent"),
        (f"{labferry} jobs", "the jobs and their results"),
        (f"{labferry} ask balance-1 weigh", "weigh once more"),
        (f"{stage.program('labferry-sim-balance')} --tell {stage.home}/balance.ctl weight 99.9", "put something else on the pan"),
        (f"curl -s -X POST {stage.tenant}/sim/tasks -d '{{\"fields\": {{\"Sample\": {{\"value\": \"S-2\"}}}}}}'", "one more task"),
        (f"mosquitto_sub -p {stage.broker_port} -v -t 'labferry/#'", "watch all MQTT messages"),
    ):
        print(f"  {DIM}# {why}{PLAIN}\n  {command}")
    print("\nCtrl-C stops everything.", flush=True)
    try:
        signal.pause()
    except KeyboardInterrupt:
        print("\nStopping.", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="toolchain/demo")
    parser.add_argument("--build", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--keep", action="store_true", help="leave everything running afterwards")
    parser.add_argument("--verbose", action="store_true", help="show the agent's log too")
    options = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):  # also where a shell has told its children to ignore them
        signal.signal(number, signal.default_int_handler)
    started, good = time.monotonic(), False
    with Stage(options.build) as stage:
        try:
            start_parts(stage)
            narrator = Narrator(stage)
            run, deliver, collect = file_down_and_result_up(stage, narrator)
            task_id, task = task_weighed(stage, narrator)
            good = summary(confirm_with_cloud(stage, run, task_id, (deliver, collect, task)), started)
            if options.keep:
                keep(stage)
        except KeyboardInterrupt:
            print("\nInterrupted; stopping.", flush=True)
        except (TimeoutError, RuntimeError, OSError, KeyError) as trouble:
            print(f"\n{RED}The demo failed:{PLAIN} {trouble!r}\n\nThe agent's log:\n{stage.log('agent')[-4000:]}")
        if options.verbose:
            print(stage.log("agent"))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
