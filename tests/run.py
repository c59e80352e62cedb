"""Runs what toolchain/test promises: builds, unit programs, black-box files; sums up in one last line.

Sections follow each other; within a section two programs run at a time. Every program has a time limit, a session
of its own, and is gone with all its children when its section ends.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

import processes

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "fuzz"))
import fuzz  # noqa: E402

SOURCE = pathlib.Path(os.environ["LF_SOURCE"])
BUILDS = pathlib.Path(os.environ["LF_BUILD_ROOT"])
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "labferry"
AT_A_TIME = 2
BUILD_LIMIT_S = 1800
UNIT_LIMIT_S = 600
FILE_LIMIT_S = 900
FUZZ_S = 20
TORTURE_LIMIT_S = 7200
TORTURE_TEST_S = 600     # one run of a test, which may be slow on a busy machine
SHOWN_LINES = 200
EMULATORS = {"arm64": "qemu-aarch64-static", "armhf": "qemu-arm-static"}
ANALYSE_LIMIT_S = 3600
COVERAGE_LIMIT_S = 3 * 3600  # all tests once more
TSAN_RND_BITS = 28  # clang 14's ThreadSanitizer finds its place in memory only with so little chance in addresses
VALGRIND = "valgrind --quiet --leak-check=full --errors-for-leak-kinds=definite --error-exitcode=99"
STARTED = time.monotonic()
SUMMARY = re.compile(r"^(\d+) passed, (\d+) failed$")
TORTURE = re.compile(r"^(\d+) runs, (\d+) allocations failed on purpose$")


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.failures = []

    def fail(self, what):
        self.failed += 1
        self.failures.append(what)


def section(title):
    spent = int(time.monotonic() - STARTED)
    print(f"\n== {title}   ({spent // 60}:{spent % 60:02} so far)", flush=True)
    return time.monotonic()


def end_section(started):
    print(f"   {time.monotonic() - started:.0f} s", flush=True)


def show(text):
    lines = text.rstrip().splitlines()
    if len(lines) > SHOWN_LINES:
        lines = lines[:50] + [f"... {len(lines) - SHOWN_LINES} lines left out ..."] + lines[50 - SHOWN_LINES:]
    print("".join(f"      | {line}\n" for line in lines), end="", flush=True)


def run(command, limit, env=None, pass_fds=()):
    """Runs a command in its own session: (exit status or None after the limit, its output, seconds)."""
    started = time.monotonic()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                   env={**os.environ, **(env or {})}, start_new_session=True, pass_fds=pass_fds)
        try:
            status = process.wait(timeout=limit)
        except subprocess.TimeoutExpired:
            status = None
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        output.seek(0)
        return status, output.read().decode(errors="replace"), time.monotonic() - started


def ending(status, limit):
    if status is None:
        return f"did not end within {limit} s"
    return f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"


def in_parallel(work, items):
    """Yields (progress, item, result), each as soon as it is ready; progress is how many of all are."""
    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
        waiting = {pool.submit(work, item): item for item in items}
        for done, future in enumerate(concurrent.futures.as_completed(waiting), 1):
            yield f"[{done}/{len(waiting)}]", waiting[future], future.result()
    processes.end_children(grace=0)


def build(kind, tally):
    started = section(f"build {kind}")
    status, output, _ = run([SOURCE / "toolchain/build", kind], BUILD_LIMIT_S)
    if status == 0:
        print(output.rstrip())
    else:
        show(output)
        print(f"  FAIL  the {kind} build: {ending(status, BUILD_LIMIT_S)}")
        tally.fail(f"build {kind}")
    end_section(started)


def front(kind):
    """What goes before a program of that build for it to run here."""
    if kind == "tsan" and int(pathlib.Path("/proc/sys/vm/mmap_rnd_bits").read_text()) > TSAN_RND_BITS:
        return ["setarch", "-R"]
    if kind not in EMULATORS:
        return []
    for line in (BUILDS / kind / "CMakeCache.txt").read_text().splitlines():
        if line.startswith("LF_SYSROOT:"):
            return [EMULATORS[kind], "-L", line.split("=", 1)[1]]
    raise SystemExit(f"{BUILDS / kind}: no LF_SYSROOT in CMakeCache.txt; remove this folder and start again")


def chosen_units(programs, before, words):
    """[(program, arguments)]: a whole program by its name, or those of its tests that promise the words."""
    chosen = []
    for program in programs:
        if not words or words in program.name:
            chosen.append((program, []))
        elif words in run([*before, program, "--list"], UNIT_LIMIT_S)[1]:
            chosen.append((program, [words]))
    return chosen


def unit_tests(kind, tally, options):
    folder = BUILDS / kind / "unit"
    started = section(f"unit tests, {kind}" + (f" under {EMULATORS[kind]}" if kind in EMULATORS else ""))
    programs = sorted(p for p in folder.glob("test_*") if p.is_file() and os.access(p, os.X_OK))
    if not programs:
        print(f"  FAIL  no test programs in {folder}")
        tally.fail(f"unit tests, {kind}")
        return
    before = front(kind)
    env = {"LF_EMULATED": kind} if kind in EMULATORS else {}
    if kind != "debug" and not options.all:
        env["UNIT_QUICK"] = "1"
    chosen = chosen_units(programs, before, options.only)
    work = lambda item: run([*before, item[0], *item[1]], UNIT_LIMIT_S, env)
    for progress, (program, _), (status, output, seconds) in in_parallel(work, chosen):
        summary = next((m for m in map(SUMMARY.match, reversed(output.splitlines())) if m), None)
        passed, failed = map(int, summary.groups()) if summary else (output.count(" ... ok ("), 0)
        tally.passed += passed
        if status == 0 and summary and failed == 0:
            print(f"  ok    {progress} {program.name}: {passed} tests ({seconds:.1f} s)", flush=True)
            if options.verbose:
                show(output)
            continue
        print(f"  FAIL  {program.name} ({ending(status, UNIT_LIMIT_S)}, {seconds:.1f} s)")
        show(output)
        names = re.findall(r"^      promise: (.*)$", output, re.MULTILINE)
        for i in range(max(failed, 1)):
            tally.fail(f"{kind} {program.name}: {names[i] if i < len(names) else ending(status, UNIT_LIMIT_S)}")
    end_section(started)


def torture(tally, options):
    """Each unit test again while memory runs out, at as many allocations as there is time for."""
    points = "many" if options.all else "some"
    started = section(f"unit tests while memory runs out, {points} allocations fail")
    programs = sorted(p for p in (BUILDS / "debug/unit").glob("test_*") if os.access(p, os.X_OK))
    work = lambda item: run([item[0], "--torture", points, *item[1]], TORTURE_LIMIT_S, {"UNIT_LIMIT": str(TORTURE_TEST_S)})
    injected = 0
    for progress, (program, _), (status, output, seconds) in in_parallel(work, chosen_units(programs, [], options.only)):
        lines = output.splitlines()
        summary = next((m for m in map(SUMMARY.match, reversed(lines)) if m), None)
        figures = next((m for m in map(TORTURE.match, reversed(lines)) if m), None)
        passed, failed = map(int, summary.groups()) if summary else (0, 0)
        injected += int(figures[2]) if figures else 0
        tally.passed += passed
        if status == 0 and summary and figures and failed == 0:
            left_out = output.count(" left out: slow")
            print(f"  ok    {progress} {program.name}: {passed} tests, {figures[1]} runs, {figures[2]} allocations failed ({seconds:.1f} s)"
                  + (f"; {left_out} slow ones left out" if left_out else ""), flush=True)
            if options.verbose:
                show(output)
            continue
        print(f"  FAIL  {program.name} ({ending(status, TORTURE_LIMIT_S)}, {seconds:.1f} s)")
        show(output)
        for _ in range(max(failed, 1)):
            tally.fail(f"{program.name} while memory runs out")
    print(f"   {injected} allocations failed on purpose")
    end_section(started)


def run_file(path, words, kind="debug", more=None):
    """Runs one black-box file: (verdicts as blackbox/runner.py reports them, status, output, seconds)."""
    with tempfile.TemporaryDirectory(prefix="lf-test-") as private:
        report = pathlib.Path(private, "report")
        report.touch()
        env = {"LF_BUILD": str(BUILDS / kind), "LF_REPORT": str(report), "TMPDIR": private,
               "LF_ONLY": words or "", "PYTHONDONTWRITEBYTECODE": "1", **(more or {})}
        if kind != "debug":
            env["LF_SIDE_BY_SIDE"] = str(AT_A_TIME)  # a build that is slow
        command = [*front(kind), "/usr/bin/python3", SOURCE / "tests/blackbox/runner.py", path]
        status, output, seconds = run(command, FILE_LIMIT_S, env)
        verdicts = [json.loads(line) for line in report.read_text().splitlines()]
        subprocess.run(["chmod", "-R", "u+rwX", private], check=False)
        return verdicts, status, output, seconds


def black_box(title, files, tally, words, kind="debug", more=None):
    """files is a glob below tests/; more goes into the environment."""
    started = section(title)
    files = sorted((SOURCE / "tests").glob(files))
    work = lambda path: run_file(path, words, kind, more)
    for progress, path, (verdicts, status, output, seconds) in in_parallel(work, files):
        if words and status == 0 and not verdicts:
            continue
        print(f"  {progress} {path.name} ({seconds:.1f} s)")
        for verdict in verdicts:
            print(f"    {verdict['result']:<5} {verdict['promise']} ({verdict['seconds']:.1f} s)")
            if verdict["result"] == "ok":
                tally.passed += 1
            elif verdict["result"] == "skip":
                tally.skipped += 1
                show(verdict["text"])
            else:
                tally.fail(f"{path.name}: {verdict['promise']}")
                show(verdict["text"])
        if status != 0 and not any(v["result"] == "FAIL" for v in verdicts):
            print(f"    FAIL  the file itself: {ending(status, FILE_LIMIT_S)}")
            show(output)
            tally.fail(f"{path.name}: {ending(status, FILE_LIMIT_S)}")
        sys.stdout.flush()
    end_section(started)


def analysis(tally):
    started = section("clang-tidy and cppcheck")
    status, output, _ = run([SOURCE / "toolchain/analyse"], ANALYSE_LIMIT_S)
    if status == 0:
        print(output.rstrip())
        tally.passed += 1
    else:
        show(output)
        print(f"  FAIL  toolchain/analyse: {ending(status, ANALYSE_LIMIT_S)}")
        tally.fail("toolchain/analyse has findings")
    end_section(started)


def coverage(tally):
    """All tests once more on the build that counts: no line of journal, job and link without a test or a reason."""
    started = section("coverage")
    status, output, _ = run([SOURCE / "toolchain/coverage"], COVERAGE_LIMIT_S)
    show(output[output.rfind("\nroom "):] if status == 0 else output)
    if status == 0:
        tally.passed += 1
    else:
        print(f"  FAIL  toolchain/coverage: {ending(status, COVERAGE_LIMIT_S)}")
        tally.fail("toolchain/coverage: a failed test, or a line without a reason")
    end_section(started)


def fuzz_targets(tally):
    """A short run of each fuzz target; one that found something counts as a failed test."""
    started = section(f"fuzzing, {FUZZ_S} s each")
    folder = BUILDS / "fuzz"
    work = lambda name: fuzz.fuzz(folder, name, FUZZ_S)
    for progress, name, result in in_parallel(work, fuzz.names()):
        if result.finding:
            print(f"  FAIL  {name}: {result.finding}" + (f"; the input is kept: {result.kept}" if result.kept else ""))
            show(fuzz.story(result.output))
            tally.fail(f"fuzz {name}: {result.finding}")
        else:
            print(f"  ok    {progress} {name}: {result.executions} inputs ({result.seconds} s)", flush=True)
            tally.passed += 1
    end_section(started)


def interrupted(number, _frame):
    """Ctrl-C or a CI job that is called off: nothing may stay behind."""
    processes.end_children(grace=0)
    print(f"\ntoolchain/test: stopped by {signal.Signals(number).name}", flush=True)
    os._exit(128 + number)


def main():
    parser = argparse.ArgumentParser(prog="toolchain/test")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--only", metavar="WORDS")
    parser.add_argument("--on", metavar="KIND", default="debug", help="only these tests, on another build that is there")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    tally = Tally()
    processes.adopt_orphans()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)

    if options.on == "debug":
        build("debug", tally)
    unit_tests(options.on, tally, options)
    if options.on == "debug":
        torture(tally, options)
    black_box("black-box tests", "blackbox/test_*.py", tally, options.only, options.on)
    black_box("faults", "faults/test_*.py", tally, options.only, options.on, {"LF_SWEEP": "all"} if options.all else None)
    if not options.only and options.on == "debug":
        build("tsan", tally)
        unit_tests("tsan", tally, options)
        black_box("the agent under ThreadSanitizer", f"blackbox/test_agent_{'*' if options.all else 'main_job'}.py", tally, None,
                  "tsan")
        for kind in ["arm64", "armhf"] if options.all else ["arm64"]:
            build(kind, tally)
            unit_tests(kind, tally, options)
        if options.all:
            build("native", tally)
            black_box("the main job under valgrind", "blackbox/test_agent_main_job.py", tally, "MainJob", "native",
                      {"LF_FRONT": VALGRIND})
            analysis(tally)
            coverage(tally)
            build("fuzz", tally)
            fuzz_targets(tally)

    print(f"\n== total: {time.monotonic() - STARTED:.0f} s")
    for failure in tally.failures:
        print(f"  FAIL  {failure}")
    if options.only and tally.passed + tally.failed + tally.skipped == 0:
        print(f"  FAIL  no test has \"{options.only}\" in its program, file or promise")
        tally.fail("nothing chosen")
    print(f"{tally.passed} passed, {tally.failed} failed" + (f", {tally.skipped} skipped" if tally.skipped else ""))
    return 1 if tally.failed else 0


sys.exit(main())
