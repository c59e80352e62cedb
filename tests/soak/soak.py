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
import bench  # noqa: E402
import faults  # noqa: E402
import judge  # noqa: E402
import measure  # noqa: E402
import processes  # noqa: E402
import work  # noqa: E402

UNITS = {"s": 1, "m": 60, "h": 3600}
TOLD_S = 30
PATIENCE_S = 180  # to come to the end when no more faults come; on a loaded machine with a backlog
LONG_S = 420  # of a soak this long, part is one life of the agent, whose slopes are judged
ONE_LIFE = (0.25, 0.95)  # from where to where in a long soak the agent is not ended
MB = 1_000_000


class Soak:
    def __init__(self, lab, options):
        self.lab, self.options, self.trouble, self.hands = lab, options, None, []
        self.enough, self.over = threading.Event(), threading.Event()  # of work and faults; of all
        self.began = time.monotonic()
        options.quiet = self.one_life
        self.work = work.Work(lab, options.seed, options.rate, options.broken)
        self.faults = faults.Faults(lab, options.seed, options)
        self.judge = judge.Judge(lab, self.work, self.faults, options.broken)
        self.measure = measure.Measure(lab)

    def passed(self):
        return time.monotonic() - self.began

    def one_life(self):
        share = self.passed() / self.options.seconds
        return self.options.seconds >= LONG_S and ONE_LIFE[0] < share < ONE_LIFE[1]

    # ---- hands

    def hand(self, step, over, calm=()):
        """A thread that does step() until `over`; step() says how long to pause. What is not `calm` ends the soak."""
        def go():
            try:
                while not over.is_set():
                    try:
                        pause = step()
                    except calm:
                        pause = 1
                    over.wait(pause)
            except Exception as trouble:
                self.trouble = self.trouble or trouble
                self.enough.set()
                self.over.set()
        self.hands.append(threading.Thread(target=go, daemon=True))
        self.hands[-1].start()

    def join(self, over):
        over.set()
        for hand in self.hands[:2] if over is self.enough else self.hands:
            hand.join(60)

    def check(self):
        if self.trouble:
            raise self.trouble

    def run(self):
        for step, over, calm in ((self.work.step, self.enough, ()), (self.faults.step, self.enough, ()),
                                 (self.judge.step, self.over, ()), (self.judge.person, self.over, bench.AWAY),
                                 (self.measure.step, self.over, ()), (self.work.remind, self.over, ())):
            self.hand(step, over, calm)
        self.wait(lambda: self.passed() >= self.options.seconds)
        self.join(self.enough)
        self.check()
        self.faults.undo(everything=True)
        print(f"{self.passed():5.0f} s: no more work, no more faults; what is open comes to its end", flush=True)
        self.wait(self.all_over, self.options.patience)
        self.join(self.over)
        self.check()
        self.wait(self.judge.finished, self.options.patience)
        self.measure.look()
        self.judge.verdict()
        status = self.lab.stop("agent", signal.SIGTERM, 60)
        if status != 0:
            raise RuntimeError(f"the agent ended with {status}; {self.lab.log('agent')[-3000:]}")

    def all_over(self):
        return not self.work.open() and not self.lab.ask("jobs", state="open", limit=1)

    def wait(self, ready, seconds=None):
        """Until `ready`, telling how it goes; what is not ready in time is lost."""
        told, end = time.monotonic(), time.monotonic() + seconds if seconds else None
        while True:
            self.check()
            try:
                if ready():
                    return
            except bench.AWAY:
                pass
            if end and time.monotonic() > end:
                raise judge.Wrong("lost", self.judge.left())
            if time.monotonic() - told >= TOLD_S:
                told = time.monotonic()
                self.tell()
            time.sleep(0.2)

    # ---- what a person sees

    def tell(self):
        sample = self.measure.samples[-1] if self.measure.samples else {}
        made = sum(n for kind, n in self.work.made.items() if kind in ("worklist", "weigh", "measure", "print", "command"))
        print(f"{self.passed():5.0f} s: {made} pieces of work, {len(self.work.open())} open, {len(self.judge.jobs)} jobs, "
              f"{sum(self.faults.counts.values())} faults, {sum(self.judge.answers.values())} held and answered; "
              f"{sample.get('rss', 0) / MB:.1f} MB, {sample.get('descriptors', 0)} descriptors, {sample.get('threads', 0)} threads, "
              f"now: {', '.join(sorted(self.faults.active)) or 'all well'}", flush=True)

    def tables(self):
        """(lines, what is not flat)."""
        lines, wrong = self.measure.verdict()
        for title, counts in (("work", self.work.made), ("faults", self.faults.counts), ("held and answered", self.judge.answers),
                              ("events by fate", self.judge.fates)):
            lines.append(f"{title}, {sum(counts.values())}:")
            lines += [f"  {counts[name]:6} {name}" for name in sorted(counts)]
        return lines, wrong

    def close(self):
        self.join(self.enough)
        self.join(self.over)
        self.work.commander.end()
        for part in ("balance", "meter", "hamilton"):  # one that stands still would not hear that it is to end
            if part in self.lab.parts:
                self.lab.parts[part].send_signal(signal.SIGCONT)

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
    parser.add_argument("--rate", type=float, default=1.2, metavar="N", help="pieces of work a second, of one or two jobs (1.2)")
    parser.add_argument("--gap", type=float, metavar="S", help="seconds between two faults (1 to 6)")
    parser.add_argument("--only", metavar="WORDS", help="only faults that have these words: broker, killed, on=T ...")
    parser.add_argument("--seed", default="1", help="of everything random (1)")
    parser.add_argument("--patience", type=float, default=PATIENCE_S, metavar="S", help="seconds to come to the end (180)")
    parser.add_argument("--keep", metavar="FOLDER", help="leave there what everybody wrote")
    parser.add_argument("--report", metavar="FILE", help="write all samples and counts there, as JSON")
    parser.add_argument("--broken", choices=("lost", "person"), help="to prove that a soak finds what is wrong: nobody hears of "
                        "the first worklist; the person says 'retry' without looking")
    return parser.parse_args()


def called_off(number, _frame):
    """Ctrl-C and the like: everything that was started ends on the way out."""
    sys.exit(128 + number)


def judged(soak):
    """[(kind, what is wrong)]; prints the tables."""
    wrong = []
    try:
        soak.run()
    except judge.Wrong as trouble:
        wrong.append((trouble.kind, str(trouble)))
    except Exception as trouble:  # the agent ended, or a mistake of the soak: no good verdict either
        wrong.append(("wrong", "".join(traceback.format_exception(trouble)) +
                      f"the agent's log ends with:\n{soak.lab.log('agent')[-3000:]}"))
    if any("outbox" in sample for sample in soak.measure.samples):
        lines, bounds = soak.tables()
        print("\n".join(lines))
        wrong += [("wrong", text) for text in bounds]
    return wrong


def keep(lab, folder):
    shutil.copytree(lab.home, folder, symlinks=True, dirs_exist_ok=True, ignore=lambda _, names: [
        name for name in names if name.endswith((".sock", ".ctl")) or name in ("balance", "printer")])


def main():
    options = read_options()
    processes.adopt_orphans()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, called_off)
    with bench.Bench() as lab:
        lab.start_parts()
        soak = Soak(lab, options)
        try:
            wrong = judged(soak)
            if options.report:
                pathlib.Path(options.report).write_text(json.dumps(soak.report()))
        finally:
            soak.close()
        lab.end()
        if options.keep:
            keep(lab, options.keep)
    kinds = [kind for kind, _ in wrong]
    lost, repeated = kinds.count("lost"), kinds.count("repeated")
    print(f"\n{soak.passed():.0f} s, {len(soak.judge.jobs)} jobs, {soak.judge.events} events, "
          f"{sum(soak.faults.counts.values())} faults, {sum(soak.judge.answers.values())} held and answered, "
          f"{lost} lost, {repeated} repeated, {len(wrong) - lost - repeated} otherwise wrong")
    for _, text in wrong:
        print(f"  WRONG  {text}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
