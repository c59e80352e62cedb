"""Runs one black-box file and reports each test as a line of JSON: runner.py FILE.

Started by tests/run.py, which gives LF_REPORT (where the lines go) and LF_ONLY (words that choose tests). A test's
promise is the first line of its docstring, else its name with spaces. What a test prints is kept and shown only if
it fails. Processes that a file leaves behind are ended, and count as a failure of the file.
"""
import faulthandler
import importlib.util
import json
import os
import pathlib
import sys
import time
import traceback
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import processes

STACKS_AFTER_S = 840  # shortly before tests/run.py ends the file: the stacks tell where it hung


def promise_of(test):
    said = test.shortDescription()
    return said or test.id().split(".")[-1].removeprefix("test_").replace("_", " ")


class Reporter(unittest.TestResult):
    def __init__(self, report):
        super().__init__()
        self.report = report
        self.began_at = 0
        self.began = time.monotonic()
        self.told = "ok"
        self.text = ""

    def startTest(self, test):
        super().startTest(test)
        sys.stdout.flush()
        self.began_at = os.lseek(1, 0, os.SEEK_END)
        self.began = time.monotonic()
        self.told, self.text = "ok", ""

    def stopTest(self, test):
        super().stopTest(test)
        self.tell(promise_of(test))

    def tell(self, promise):
        sys.stdout.flush()
        text = self.text
        if self.told == "FAIL":
            os.lseek(1, 0, os.SEEK_END)
            with open("/proc/self/fd/1", "rb") as output:
                output.seek(self.began_at)
                text = output.read().decode(errors="replace") + text
        line = {"promise": promise, "result": self.told, "seconds": time.monotonic() - self.began, "text": text}
        self.report.write(json.dumps(line) + "\n")
        self.report.flush()

    def _fail(self, test, error, what=""):
        self.told = "FAIL"
        self.text += what + "".join(traceback.format_exception(*error))
        if not isinstance(test, unittest.TestCase):  # setUpClass, tearDownClass, setUpModule
            self.tell(str(test))

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
        self.told, self.text = "skip", reason
        if not isinstance(test, unittest.TestCase):
            self.tell(str(test))

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.told, self.text = "FAIL", "expected to fail, and passed"


def load(path):
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return unittest.defaultTestLoader.loadTestsFromModule(module)


def flatten(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from flatten(item)
        else:
            yield item


def main():
    path = pathlib.Path(sys.argv[1]).resolve()
    words = os.environ.get("LF_ONLY", "")
    processes.adopt_orphans()
    faulthandler.dump_traceback_later(STACKS_AFTER_S)
    suite = load(path)
    if words and words not in path.name:
        suite = unittest.TestSuite(t for t in flatten(suite) if words in promise_of(t) or words in t.id())
    with open(os.environ["LF_REPORT"], "a", encoding="utf-8") as report:
        result = Reporter(report)
        suite.run(result)
        left = processes.end_children()
        if left:
            result.told, result.text, result.began = "FAIL", "\n".join(left), time.monotonic()
            result.began_at = os.lseek(1, 0, os.SEEK_END)
            result.tell("nothing is left running")
    faulthandler.cancel_dump_traceback_later()
    sys.exit(0 if result.wasSuccessful() and not left else 1)


main()
