"""Runs one black-box file and reports each test as a line of JSON: runner.py FILE.

Started by tests/run.py, which gives LF_REPORT (where the lines go) and LF_ONLY (words that choose tests). A test's
promise is the first line of its docstring, else its name with spaces. What a test prints is kept and shown only if
it fails. Processes that a file leaves behind are ended, and count as a failure of the file.

A file whose tests mostly wait says SIDE_BY_SIDE = N: then N processes (at most LF_SIDE_BY_SIDE) share its tests. Classes and
the module are set up in each of them.
"""
import faulthandler
import importlib.util
import json
import os
import pathlib
import sys
import tempfile
import time
import traceback
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import processes

STACKS_AFTER_S = 840  # shortly before tests/run.py ends the file: the stacks show where it hung
INDEX_BYTES = 2


def promise_of(test):
    said = test.shortDescription()
    return said or test.id().split(".")[-1].removeprefix("test_").replace("_", " ")


class Reporter(unittest.TestResult):
    def __init__(self, report):
        super().__init__()
        self.report = report
        self.began_at = 0
        self.began = time.monotonic()
        self.result = "ok"
        self.text = ""

    def startTest(self, test):
        super().startTest(test)
        sys.stdout.flush()
        self.began_at = os.lseek(1, 0, os.SEEK_END)
        self.began = time.monotonic()
        self.result, self.text = "ok", ""

    def stopTest(self, test):
        super().stopTest(test)
        self.write_verdict(promise_of(test))

    def write_verdict(self, promise):
        sys.stdout.flush()
        text = self.text
        if self.result == "FAIL":
            os.lseek(1, 0, os.SEEK_END)
            with open("/proc/self/fd/1", "rb") as output:
                output.seek(self.began_at)
                text = output.read().decode(errors="replace") + text
        line = {"promise": promise, "result": self.result, "seconds": time.monotonic() - self.began, "text": text}
        os.write(self.report, json.dumps(line).encode() + b"\n")  # whole: other processes write here, too

    def _fail(self, test, error, what=""):
        self.result = "FAIL"
        self.text += what + "".join(traceback.format_exception(*error))
        if not isinstance(test, unittest.TestCase):  # setUpClass, tearDownClass, setUpModule
            self.write_verdict(str(test))

    def addError(self, test, err):
        super().addError(test, err)
        self._fail(test, err)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._fail(test, err)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._fail(test, err, f"{subtest}\n")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.result, self.text = "skip", reason
        if not isinstance(test, unittest.TestCase):
            self.write_verdict(str(test))

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.result, self.text = "FAIL", "expected to fail, and passed"


class Remaining(unittest.TestSuite):
    """Those of the tests that no other process has taken; `queue` is a pipe with their indexes."""
    _cleanup = False

    def __init__(self, tests, queue):
        super().__init__(tests)
        self.queue = queue

    def __iter__(self):
        while index := os.read(self.queue, INDEX_BYTES):
            yield self._tests[int.from_bytes(index, "big")]


def load(path):
    """The tests of a file, and how many processes share them."""
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return list(flatten(unittest.defaultTestLoader.loadTestsFromModule(module))), getattr(module, "SIDE_BY_SIDE", 1)


def flatten(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from flatten(item)
        else:
            yield item


def run(tests, stacks_to):
    """Runs them in this process. Returns whether all is well."""
    processes.adopt_orphans()
    faulthandler.dump_traceback_later(STACKS_AFTER_S, file=stacks_to)
    report = os.open(os.environ["LF_REPORT"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    result = Reporter(report)
    tests.run(result)
    left = processes.end_children()
    if left:
        result.result, result.text, result.began = "FAIL", "\n".join(left), time.monotonic()
        result.began_at = os.lseek(1, 0, os.SEEK_END)
        result.write_verdict("nothing is left running")
    os.close(report)
    faulthandler.cancel_dump_traceback_later()
    return result.wasSuccessful() and not left


def run_child(tests, queue, stacks_to):
    """One of the processes that share the tests; its output goes where the failure of a test finds it."""
    with tempfile.TemporaryFile() as output:
        whole_output = os.dup(1)
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
        good = False
        try:
            good = run(Remaining(tests, queue), stacks_to)
        except BaseException:  # pylint: disable=broad-except
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        if not good:
            output.seek(0)
            os.write(whole_output, output.read())
        os._exit(0 if good else 1)


def run_side_by_side(tests, count):
    queue, fill = os.pipe()
    os.write(fill, b"".join(index.to_bytes(INDEX_BYTES, "big") for index in range(len(tests))))
    os.close(fill)
    stacks_to = os.dup(2)
    children = []
    sys.stdout.flush()
    for _ in range(count):
        child = os.fork()
        if child == 0:
            run_child(tests, queue, stacks_to)
        children.append(child)
    return [os.waitpid(child, 0)[1] for child in children] == [0] * count


def main():
    path = pathlib.Path(sys.argv[1]).resolve()
    words = os.environ.get("LF_ONLY", "")
    tests, side_by_side = load(path)
    if words and words not in path.name:
        tests = [test for test in tests if words in promise_of(test) or words in test.id()]
    side_by_side = min(side_by_side, len(tests), int(os.environ.get("LF_SIDE_BY_SIDE") or side_by_side))
    good = run_side_by_side(tests, side_by_side) if side_by_side > 1 else run(unittest.TestSuite(tests), sys.stderr)
    sys.exit(0 if good else 1)


main()
