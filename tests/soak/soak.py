"""Drives mixed work with random faults through the agent for as long as asked, and judges: nothing lost, nothing repeated,
memory, descriptors, threads and disk flat. Ends with 0 only if all of that holds."""
import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import sys
import threading
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "blackbox")]
import processes  # noqa: E402

UNITS = {"s": 1, "m": 60, "h": 3600}
TOLD_S = 30
PATIENCE_S = 180  # to come to the end when no more faults come; on a loaded machine with a backlog
LONG_S = 420  # of a soak this long, part is one life of the agent, whose slopes are judged
ONE_LIFE = (0.25, 0.95)  # from where to where in a long soak the agent is not ended
MB = 1_000_000


class Soak:
    def __init__(self, lab, options):
        import faults
        import judge
        import measure
        import work
        self.lab, self.options, self.stop, self.trouble = lab, options, threading.Event(), None
        self.began = time.monotonic()
        self.work = work.Work(lab, options.seed, options.rate)
        options.quiet = self.one_life
        self.faults = faults.Faults(lab, options.seed, options)
        self.judge = judge.Judge(lab, self.work, self.faults, options.broken)
        self.measure = measure.Measure(lab)
        self.working, self.harming = threading.Event(), threading.Event()

    def passed(self):
        return time.monotonic() - self.began

    def one_life(self):
        share = self.passed() / self.options.seconds
        return self.options.seconds >= LONG_S and ONE_LIFE[0] < share < ONE_LIFE[1]

    # ---- hands

    def hand(self, step, over, calm=()):
        """A thread that does step() until `over`; step() says how long to pause. What is not `calm` ends the soak."""
        def go():
            while not over.is_set() and not self.stop.is_set():
                try:
                    pause = step()
                except calm:
                    pause = 1
                except BaseException as trouble:
                    self.trouble = self.trouble or trouble
                    if not hasattr(trouble, "kind"):
                        traceback.print_exc()
                    self.stop.set()
                    return
                over.wait(pause) if not self.stop.is_set() else None
        thread = threading.Thread(target=go, daemon=True)
        thread.start()
        return thread

    def check(self):
        if self.trouble:
            raise self.trouble

    def run(self):
        import bench
        over = threading.Event()
        hands = [self.hand(self.judge.step, over), self.hand(self.judge.person, over, bench.AWAY),
                 self.hand(self.measure.step, over), self.hand(self.work.remind, over)]
        working, harming = self.hand(self.work.step, self.working), self.hand(self.faults.step, self.harming)
        self.wait(lambda: self.passed() >= self.options.seconds)
        self.working.set()
        self.harming.set()
        working.join()
        harming.join()
        self.faults.undo(everything=True)
        print(f"{self.passed():.0f} s: no more work, no more faults; what is open comes to its end", flush=True)
        end = time.monotonic() + self.options.patience
        while not self.quiet(over, hands):
            self.check()
            if time.monotonic() > end:
                from judge import Wrong
                raise Wrong("lost", self.judge.left())
            time.sleep(1)
        self.measure.look_at_disk()
        self.measure.disk and self.measure.step()
        self.judge.verdict()
        status = self.lab.stop("agent", signal.SIGTERM, 60)
        if status != 0:
            raise RuntimeError(f"the agent ended with {status}; {self.lab.log('agent')[-3000:]}")

    def quiet(self, over, hands):
        """Only the judge asks now, from here."""
        import bench
        try:
            if self.work.open() or self.lab.ask("jobs", state="open", limit=1):
                return False
        except bench.AWAY:
            return False
        if not over.is_set():
            over.set()
            for hand in hands:
                hand.join()
        try:
            self.judge.person()
            return self.judge.finished()
        except bench.AWAY:
            return False

    def wait(self, ready):
        told = self.began
        while not ready():
            self.check()
            time.sleep(0.2)
            if time.monotonic() - told >= TOLD_S:
                told = time.monotonic()
                self.tell()
        self.check()

    # ---- what a person sees

    def tell(self):
        sample = self.measure.samples[-1] if self.measure.samples else {}
        made = sum(n for kind, n in self.work.made.items() if kind in ("worklist", "weigh", "measure", "print", "command"))
        print(f"{self.passed():5.0f} s: {made} pieces of work, {len(self.work.open())} open, {len(self.judge.jobs)} jobs, "
              f"{sum(self.faults.counts.values())} faults, {sum(self.judge.answers.values())} held and answered; "
              f"{sample.get('rss', 0) / MB:.1f} MB, {sample.get('descriptors', 0)} descriptors, {sample.get('threads', 0)} threads, "
              f"now: {', '.join(sorted(self.faults.active)) or 'all well'}", flush=True)

    def tables(self):
        lines, wrong = self.measure.verdict()
        print("\n".join(lines))
        for title, counts in (("work", self.work.made), ("faults", self.faults.counts), ("held and answered", self.judge.answers),
                              ("events by fate", self.judge.fates)):
            print(f"{title}, {sum(counts.values())}:")
            for name in sorted(counts):
                print(f"  {counts[name]:6} {name}")
        return wrong

    def report(self):
        return {"seconds": self.passed(), "seed": self.options.seed, "work": self.work.made, "faults": self.faults.counts,
                "answers": self.judge.answers, "fates": self.judge.fates, "samples": self.measure.samples}


def duration(text):
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if not found:
        raise argparse.ArgumentTypeError("a number with s, m or h")
    return float(found[1]) * UNITS[found[2] or "s"]


def read_options():
    parser = argparse.ArgumentParser(prog="tests/soak/run", description=__doc__)
    parser.add_argument("seconds", nargs="?", type=duration, default=600, metavar="DURATION", help="30s, 10m, 1h (10m)")
    parser.add_argument("--rate", type=float, default=1.2, metavar="N", help="pieces of work a second, which makes one to two jobs of each (1.2)")
    parser.add_argument("--gap", type=float, metavar="S", help="seconds between two faults (1 to 6)")
    parser.add_argument("--only", metavar="WORDS", help="only faults that have these words: broker, 'at tare', killed ...")
    parser.add_argument("--seed", default="1", help="of everything random (1)")
    parser.add_argument("--patience", type=float, default=PATIENCE_S, metavar="S", help="seconds to come to the end (180)")
    parser.add_argument("--keep", metavar="FOLDER", help="leave there what everybody wrote")
    parser.add_argument("--report", metavar="FILE", help="write all samples and counts there, as JSON")
    parser.add_argument("--broken", choices=("judge", "person"), help="to see that a soak finds what is wrong: a worklist that never "
                        "was is missed; the person says 'retry' without looking")
    return parser.parse_args()


def called_off(number, _frame):
    processes.end_children(grace=0)
    os._exit(128 + number)


def main():
    options = read_options()
    processes.adopt_orphans()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, called_off)
    import bench
    lost = repeated = 0
    wrong = []
    with bench.Bench() as lab:
        lab.start_parts()
        soak = Soak(lab, options)
        try:
            soak.run()
        except Exception as trouble:
            kind = getattr(trouble, "kind", "")
            lost, repeated = int(kind == "lost"), int(kind == "repeated")
            wrong.append(str(trouble))
            soak.stop.set()
            print(f"\n{trouble}\n{lab.log('agent')[-3000:]}" if not kind else f"\n{trouble}", flush=True)
        if len(soak.measure.samples) > 2 and "outbox" in soak.measure.samples[-1]:
            wrong += soak.tables()
        if options.report:
            pathlib.Path(options.report).write_text(json.dumps(soak.report()))
        soak.work.commander.end()
        soak.faults.undo(everything=True) if wrong else None
        lab.end()
        if options.keep:
            shutil.copytree(lab.home, options.keep, symlinks=True, dirs_exist_ok=True,
                            ignore=lambda _, names: [n for n in names if n.endswith((".sock", ".ctl")) or n in ("balance", "printer")])
        print(f"\n{soak.passed():.0f} s, {len(soak.judge.jobs)} jobs, {soak.judge.events} events, {sum(soak.faults.counts.values())} faults, "
              f"{sum(soak.judge.answers.values())} held and answered, {lost} lost, {repeated} repeated, "
              f"{len(wrong) - lost - repeated} otherwise wrong")
        for text in wrong:
            print(f"  WRONG  {text[:3000]}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
