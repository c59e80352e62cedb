"""What the agent takes: memory, descriptors, threads, processor, disk. Samples, fits and bounds."""
import os
import pathlib
import sqlite3
import time

LIFE_S = 300  # a life of the agent must be that long for its slopes to be judged
WARM_UP = 0.25  # of a life, at least WARM_UP_S: caches fill, each kind of work happens a first time
WARM_UP_S = 120
KB, MB = 1000, 1_000_000
PAGE = os.sysconf("SC_PAGESIZE")

# What must be flat within a life: (least growth that is noise, growth an hour). The larger of the two is the bound.
FLAT = {"rss": (1 * MB, 1 * MB), "dirty": (1 * MB, 1 * MB), "descriptors": (2, 0), "threads": (0.5, 0)}
# What is kept grows with the work done: bytes for each job that ended, with its event, history, commands and audit entries.
PER_JOB = {"journal": 16 * KB, "log": 4 * KB}
# What must stay small, and what must be gone in the end.
MOST = {"wal": 32 * MB, "marks": 4200}  # of marks: 4096, and what comes between two looks
AT_END = {"spool": 64 * KB, "outbox": 0, "unfinished": 0}


def slope(points):
    """Least squares through [(x, y)]: y for each x."""
    n = len(points)
    mean_x, mean_y = sum(x for x, _ in points) / n, sum(y for _, y in points) / n
    square = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / square if square else 0.0


def process(pid):
    """Of a living process: {quantity: value}; OSError when it has ended."""
    proc = pathlib.Path(f"/proc/{pid}")
    stat = (proc / "stat").read_text().rsplit(")", 1)[1].split()
    found = {"cpu": (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK"), "threads": int(stat[17]),
             "rss": int(stat[21]) * PAGE, "descriptors": len(os.listdir(proc / "fd"))}
    for line in (proc / "smaps_rollup").read_text().splitlines():
        if line.startswith("Private_Dirty"):
            found["dirty"] = int(line.split()[1]) * 1024
    return found


def size_below(folder):
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:
            pass  # gone meanwhile
    return total


def journal_bytes(path):
    """What is in use, without the free pages that are used again; and jobs that have ended."""
    journal = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
    try:
        one = lambda sql: journal.execute(sql).fetchone()[0]
        used = (one("PRAGMA page_count") - one("PRAGMA freelist_count")) * one("PRAGMA page_size")
        return used, one("SELECT count(*) FROM job WHERE state IN ('done', 'failed', 'cancelled', 'expired')")
    finally:
        journal.close()


class Measure:
    def __init__(self, lab):
        self.lab, self.samples, self.began, self.disk = lab, [], time.monotonic(), {}

    def step(self):
        return 1 if self.look(disk=len(self.samples) % 5 == 0) else 0.2

    def look(self, disk=True):
        """One sample. False: the agent is away."""
        try:
            pid = self.lab.parts["agent"].pid
            sample = {"t": time.monotonic() - self.began, "pid": pid, **process(pid)}
        except (KeyError, OSError, IndexError):
            return False
        if disk:
            self.look_at_disk()
        self.samples.append({**sample, **self.disk})
        return True

    def look_at_disk(self):
        state, hamilton = self.lab.home / "state", self.lab.home / "hamilton"
        wal = state / "journal.db-wal"
        found = {"wal": wal.stat().st_size if wal.exists() else 0, "spool": size_below(state / "spool"),
                 "log": (self.lab.home / "agent.log").stat().st_size,
                 "marks": len(list((hamilton / ".labferry/worklists").glob("*.mark"))),
                 "unfinished": sum(".part-" in path.name for path in (hamilton / "worklists").iterdir())}
        try:
            found["journal"], found["ended"] = journal_bytes(state / "journal.db")
            found["outbox"] = self.lab.ask("status")["storage"]["outbox"]
        except (sqlite3.Error, OSError, ValueError, RuntimeError):
            pass  # being opened, or away: the last value stays
        self.disk = {**self.disk, **found}

    # ---- the verdict

    def by_life(self):
        lives = {}
        for sample in self.samples:
            lives.setdefault(sample["pid"], []).append(sample)
        return list(lives.values())

    def lives(self):
        """Samples of each life that is long enough, without its warm-up."""
        for samples in self.by_life():
            first, last = samples[0]["t"], samples[-1]["t"]
            warm = first + max(WARM_UP_S, WARM_UP * (last - first))
            if last - first >= LIFE_S:
                yield [sample for sample in samples if sample["t"] >= warm]

    def verdict(self):
        """(lines of the table, what is not flat)."""
        lines, wrong = [], []

        def row(name, values, change, bound, good):
            lines.append(f"  {name:<12} {show(name, values[0]):>10} {show(name, values[-1]):>10} {show(name, max(values)):>10} "
                         f"{change:>22}  {bound}" + ("" if good else "   <-- not so"))
            if not good:
                wrong.append(f"{name}: {change}, bound: {bound}")
        for number, life in enumerate(self.lives(), 1):
            hours = (life[-1]["t"] - life[0]["t"]) / 3600
            lines.append(f"life {number}: {hours * 60:.1f} min after warming up")
            lines.append(f"  {'':<12} {'start':>10} {'end':>10} {'max':>10} {'slope':>22}  bound")
            for name, (noise, hourly) in FLAT.items():
                an_hour = slope([(s["t"] / 3600, s[name]) for s in life])
                bound = max(noise / hours, hourly)
                row(name, [s[name] for s in life], f"{show(name, an_hour, '+')}/h", f"flat: below {show(name, bound)}/h",
                    an_hour < bound)
            an_hour = slope([(s["t"] / 3600, s["cpu"]) for s in life])
            row("cpu", [s["cpu"] for s in life], f"{an_hour / 36:.1f} % of a core", "(no bound)", True)
        if not lines:
            lines.append(f"no life of the agent was {LIFE_S} s long: no slopes of memory, descriptors and threads")
        disk = [sample for sample in self.samples if "outbox" in sample]
        lines.append("disk, all lives")
        for name, bound in PER_JOB.items():
            each = slope([(s["ended"], s[name]) for s in disk])
            row(name, [s[name] for s in disk], f"{show(name, each, '+')} a job", f"kept: below {show(name, bound)} a job",
                each < bound)
        for name, bound in MOST.items():
            most = max(s[name] for s in disk)
            row(name, [s[name] for s in disk], "", f"never above {show(name, bound)}", most <= bound)
        for name, bound in AT_END.items():
            row(name, [s[name] for s in disk], "", f"in the end at most {show(name, bound)}", disk[-1][name] <= bound)
        return lines, wrong


def show(name, value, sign=""):
    if name in ("rss", "dirty", "journal", "log", "wal", "spool"):
        return f"{value / MB:{sign}.2f} MB" if abs(value) >= 100 * KB else f"{value / KB:{sign}.1f} KB"
    return f"{value:{sign}.1f}" if isinstance(value, float) else f"{value:{sign}}"
