"""Runs fuzz targets: what tests/fuzz/run and tests/run.py share."""
import os
import pathlib
import re
import shutil
import subprocess

FUZZ = pathlib.Path(__file__).resolve().parent
INPUT_LIMIT_S = 20      # one input; under sanitizers, beside seven other programs
MEMORY_LIMIT_MB = 2048  # of the process: ASan keeps freed memory for a while
LONGEST_INPUT = 16384
END_LIMIT_S = 300       # beside the seconds asked for: reading the corpus, writing a finding
KINDS = [("PROMISE BROKEN: ", "promise broken"), ("fuzz target exited", "ended the program"), ("LeakSanitizer", "leak"), ("AddressSanitizer", "memory"),
         ("runtime error: ", "undefined"), ("libFuzzer: timeout", "slow"), ("libFuzzer: out-of-memory", "too much memory"),
         ("CANNOT START: ", "cannot start")]

TOLD_LINES = 40
OWN = re.compile(r"^    #\d+ .*(fuzzer::|__sanitizer_print|libc_start|_start \(|nptl/|sysdeps/|abort\.c|in fuzz_broken| in main \()")


class Result:
    def __init__(self, name):
        self.name = name
        self.seconds = self.executions = self.covered = 0
        self.finding = None  # what kind; None: none
        self.kept = None     # where the input is
        self.output = ""

    @property
    def rate(self):
        return self.executions / max(self.seconds, 1)


def names():
    """All targets: those that CMakeLists.txt makes."""
    return re.findall(r"^lf_fuzz_target\((\w+)", FUZZ.joinpath("CMakeLists.txt").read_text(), re.M)


def command(build, name, seconds):
    """libFuzzer adds what it learns to the first folder; the seeds of the source tree stay as they are."""
    learned, findings = build / "corpus" / name, build / "findings" / name
    learned.mkdir(parents=True, exist_ok=True)
    findings.mkdir(parents=True, exist_ok=True)
    words = FUZZ / "dict" / f"{name}.dict"
    seeds = FUZZ / "corpus" / name
    return [build / "targets" / name, f"-max_total_time={seconds}", f"-timeout={INPUT_LIMIT_S}",
            f"-rss_limit_mb={MEMORY_LIMIT_MB}", f"-max_len={LONGEST_INPUT}", f"-artifact_prefix={findings}/",
            "-print_final_stats=1", "-use_value_profile=1", *([f"-dict={words}"] if words.exists() else []),
            learned, *([seeds] if seeds.is_dir() else [])]


def fuzz(build, name, seconds):
    """Runs one target for so many seconds; build is the folder that toolchain/build fuzz made."""
    result = Result(name)
    env = {**os.environ, "ASAN_OPTIONS": "detect_stack_use_after_return=1:allocator_may_return_null=1",
           "UBSAN_OPTIONS": "print_stacktrace=1", "ASAN_SYMBOLIZER_PATH": shutil.which("llvm-symbolizer-14") or ""}
    try:
        done = subprocess.run(command(build, name, seconds), env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=seconds + END_LIMIT_S)
        output, status = done.stdout.decode(errors="replace"), done.returncode
    except subprocess.TimeoutExpired as late:
        output, status = (late.stdout or b"").decode(errors="replace") + "\nit did not end", None
    except OSError as error:
        output, status = f"CANNOT START: {error}", None
    read(result, output)
    if status != 0:
        result.finding = next((kind for mark, kind in KINDS if mark in output), f"exit status {status}")
        result.output = output
    return result


def read(result, output):
    def last(pattern):
        found = re.findall(pattern, output)
        return found[-1] if found else None
    result.executions = int(last(r"stat::number_of_executed_units:\s*(\d+)") or last(r"^#(\d+)") or 0)
    result.seconds = int(last(r"Done \d+ runs in (\d+) second") or 0)
    result.covered = int(last(r" cov: (\d+)") or 0)
    result.kept = last(r"Test unit written to (\S+)")


def story(output):
    """From the first sign of trouble on, without what lies in libFuzzer itself."""
    lines = [line for line in output.split("NOTE: libFuzzer")[0].splitlines() if not OWN.search(line)]
    start = next((i for i, line in enumerate(lines) if any(mark in line for mark, _ in KINDS)), max(0, len(lines) - TOLD_LINES))
    return "\n".join(lines[start:start + TOLD_LINES])


def words(result):
    """A line of the table."""
    finding = "" if not result.finding else f"  {result.finding}"
    return (f"{result.name:<10} {result.seconds:>7} {result.executions:>12} {result.rate:>12.0f} {result.covered:>9}"
            f"  {'FINDING' if result.finding else 'none'}{finding}")


HEAD = f"{'target':<10} {'seconds':>7} {'executions':>12} {'a second':>12} {'covered':>9}  finding"
