"""Runs the main job again and again, ended at another system call each time, and adds up what came of it. See README.md."""
import argparse
import collections
import concurrent.futures
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import processes  # noqa: E402

playground = None  # the folder of all runs, a TemporaryDirectory
SOURCES = ("count.c", "calls.c", "durable.c")
WAYS = {"before": "before a call", "after": "after a call", "torn": "in the middle of a write"}
FAULTS = {"enospc": "the disk is full", "eio": "the disk has an error", "erofs": "the disk is read-only"}
CUTS = {"lost": "power cut, all lost that was not synced", "mix": "power cut, a random part lost of what was not synced"}
EVERYTHING = ({}, {"how": "torn"}, {"again": 2}, {"cut": "lost"}, {"cut": "mix"}, {"large": True, "every": 5})  # --all
ROOM, ROOM_LARGE = 16_000_000, 150_000_000  # bytes that one run may take up
FEW = 3  # runs that count the calls before the sweep: threads interleave, so their number varies a little


def build_shim(folder):
    """Not part of the build: it must not be compiled with sanitizers."""
    shim = pathlib.Path(folder, "libcrash.so")
    subprocess.run(["cc", "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-g", "-fPIC", "-shared", "-Wall", "-Wextra", "-Werror", "-o", shim,
                    *(HERE / name for name in SOURCES), "-ldl"], check=True)
    return shim


class Sum:
    """What came of the runs so far. Any thread."""

    def __init__(self, keep):
        self.lock = threading.Lock()
        self.keep = pathlib.Path(keep) if keep else None
        self.points = self.ended = self.held = self.past = 0
        self.wrong = collections.Counter()
        self.failures = []
        self.holds = collections.Counter()
        self.places = collections.Counter()
        self.started = time.monotonic()

    def add(self, at, bench, trouble):
        with self.lock:
            self.points += 1
            self.ended += bench.deaths
            self.past += not bench.deaths
            self.places.update(place.split(" ")[0] for place in bench.places)
            for deaths, kind, step, answer in bench.held:
                self.held += 1
                self.holds[(f"{kind} at {step}", bench.places[deaths - 1], answer)] += 1
            if trouble:
                self.wrong[getattr(trouble, "kind", "stuck")] += 1
                self.failures.append(at)
                print(f"\npoint {at}, ended at {', then '.join(bench.places) or 'no call'}: {trouble}", flush=True)
                if self.keep:
                    bench.keep(self.keep / f"point-{at}")
                    print(f"kept in {self.keep}/point-{at}", flush=True)

    def tell(self, title, failed):
        seconds = time.monotonic() - self.started
        print(f"\n{title}")
        what = "calls failed" if failed else "ends of the agent"
        print(f"  {'failed' if failed else 'ended'} at a call of: " + ", ".join(f"{call} {count}" for call, count in self.places.most_common() if count))
        if self.holds:
            print("  held, and how a person answered after a look at the instrument:")
            for (job, where, answer), count in sorted(self.holds.items()):
                print(f"    {count:4}  {job:<20} before {where:<40} {answer}")
        print(f"{self.points} points swept ({self.ended} {what}, {self.past} runs had no such call), {self.held} held, "
              f"{self.wrong['lost']} lost, {self.wrong['repeated']} repeated, "
              f"{sum(self.wrong.values()) - self.wrong['lost'] - self.wrong['repeated']} otherwise wrong, {seconds:.0f} s")
        if self.failures:
            print("  again with: tests/crash/run --from N --to N, N one of " + " ".join(map(str, sorted(self.failures))))
        return not self.wrong


def run_one(options, shim, at, tell):
    """One run. tell(bench, trouble) is called while its folder is still there."""
    import main_job
    with main_job.Bench(shim, options, f"{options.seed}-{at}") as bench:
        trouble = None
        try:
            bench.go(at)
        except main_job.Wrong as wrong:
            trouble = wrong
        except Exception:  # a mistake of the sweep is no good verdict either
            trouble = RuntimeError(traceback.format_exc())
        bench.end()
        tell(bench, trouble)


def count_calls(options, shim):
    """How many calls the main job makes when nothing interrupts it."""
    counts = []

    def tell(bench, trouble):
        if trouble:
            sys.exit(f"the main job does not come to its end even when nothing interrupts it: {trouble}")
        counts.append(bench.calls())
    for _ in range(FEW):
        run_one(options, shim, 0, tell)
    return max(counts)


def title_of(options):
    if options.how in FAULTS:
        return f"{FAULTS[options.how]} at a call" + (f", and for {options.lasts} ms from then on" if options.lasts else "")
    title = CUTS.get(options.cut) or f"kill -9, {WAYS[options.how]}"
    title += f", and {options.again} times again" if options.again else ""
    return title + (", large files" if options.large else "")


def sweep(options, shim, total):
    title = title_of(options)
    points = range(options.first or 1, (options.last or total) + 1, options.every)
    result = Sum(options.keep)
    print(f"{title}: {len(points)} of {total} points, {options.jobs} at a time", flush=True)

    def work(at):
        run_one(options, shim, at, lambda bench, trouble: result.add(at, bench, trouble))
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for done, _ in enumerate(pool.map(work, points), 1):
            if done % 100 == 0:
                print(f"  {done} points, {result.held} held, {sum(result.wrong.values())} wrong, "
                      f"{time.monotonic() - result.started:.0f} s", flush=True)
    return result.tell(title, options.how in FAULTS)


def read_options():
    parser = argparse.ArgumentParser(prog="tests/crash/run", description=__doc__)
    parser.add_argument("--build", required=True, help=argparse.SUPPRESS)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--all", action="store_true", help="all of it: " + "; ".join(
        " ".join(f"{name} {value}" for name, value in kind.items()) or "kills before each call" for kind in EVERYTHING))
    which.add_argument("--every", type=int, default=1, metavar="N", help="only every Nth point")
    parser.add_argument("--from", dest="first", type=int, metavar="N", help="first point (1)")
    parser.add_argument("--to", dest="last", type=int, metavar="N", help="last point (the end of the job)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2, metavar="N", help="runs at a time")
    parser.add_argument("--how", choices=(*WAYS, *FAULTS), default="before",
                        help="end before the call, after it, or when half of what it writes is written; or let it fail with that "
                        "error (only calls that change files)")
    parser.add_argument("--for", dest="lasts", type=int, default=0, metavar="MS", help="with an error: for so long all such calls "
                        "fail, not only that one")
    parser.add_argument("--again", type=int, default=0, metavar="N", help="end it so many more times, at random calls of its next "
                        "lives")
    parser.add_argument("--only", metavar="WORDS", help='only calls that have all these words: "serial", "write network", '
                        '"sync worklists", ...')
    parser.add_argument("--power-cut", dest="cut", nargs="?", const="lost", choices=("lost", "mix"),
                        help="what was not synced is lost: all of it (lost) or a random part (mix)")
    parser.add_argument("--large", action="store_true", help="a result of more than 10 MB, which goes up in parts")
    parser.add_argument("--seed", default="1", help="of everything random")
    parser.add_argument("--broken", choices=("sync", "person"), help="to see that a sweep finds what is wrong: the disk only "
                        "pretends to sync; the person says 'retry' without looking")
    parser.add_argument("--patience", type=float, default=60, metavar="S", help="seconds for one run, which takes less than one")
    parser.add_argument("--keep", metavar="FOLDER", help="leave what a wrong run wrote there")
    return parser.parse_args()


def called_off(number, _frame):
    """Nothing stays behind, here or in memory."""
    processes.end_children(grace=0)
    if playground:
        shutil.rmtree(playground.name, ignore_errors=True)
    os._exit(128 + number)


def main():
    options = read_options()
    processes.adopt_orphans()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, called_off)
    os.environ["LF_BUILD"] = options.build
    os.environ.setdefault("LF_SOURCE", str(HERE.parents[1]))
    # Syncing costs nothing in memory, and a new file never gets the inode number of an old one there (see durable.c).
    need = options.jobs * (ROOM_LARGE if options.large or options.all else ROOM)
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) and shutil.disk_usage("/dev/shm").free >= need else None
    if not memory and (options.cut or options.all):
        sys.exit(f"a power cut sweep needs {need // 1_000_000} MB free in /dev/shm")
    good = True
    global playground
    playground = tempfile.TemporaryDirectory(prefix="labferry-crash-", dir=memory)
    with playground as folder:
        os.chmod(folder, 0o755)  # the broker gives up its rights
        tempfile.tempdir = folder  # of every run
        shim = build_shim(folder)
        for kind in EVERYTHING if options.all else ({},):
            chosen = argparse.Namespace(**{**vars(options), **kind})
            good = sweep(chosen, shim, count_calls(chosen, shim)) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
