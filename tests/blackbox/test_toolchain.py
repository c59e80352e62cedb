"""The tools that judge everything else must be able to say FAIL themselves."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ["LF_SOURCE"])
UNIT = SOURCE / "tests/unit"

FAILING_C = """
#include "unit.h"
#include <stdlib.h>
#include <unistd.h>
static void good(void) { CHECK(1); }
static void bad(void) { CHECK_INT(2 + 2, 5); CHECK_STR("tea\\n", "coffee"); }
static void stops(void) { NEED(1 == 2); abort(); }
static void hangs(void) { pause(); }
static void crashes(void) { abort(); }
UNIT_TESTS("demo", {"good news", good}, {"bad news", bad}, {"stops early", stops}, {"hangs", hangs},
           {"crashes", crashes}, {"twin", good}, {"twin", bad})
"""

# What stands for the product, and tests of it; each of its functions does one thing wrong when memory runs out.
PRODUCT_C = """
#include <stdlib.h>
#include <string.h>
char *good(const char *text);
char *leaks(const char *text);
char *crashes(const char *text);
char *good(const char *text) { char *a = strdup(text), *b = a ? strdup(a) : NULL; free(a); return b; }
char *leaks(const char *text) { char *a = strdup(text), *b = strdup(text); if (b) free(a); return b; }
char *crashes(const char *text) { char *a = malloc(100); strcpy(a, text); return a; }
"""
TORTURED_C = """
#include "unit.h"
#include <stdlib.h>
#include <string.h>
char *good(const char *text);
char *leaks(const char *text);
char *crashes(const char *text);
static void test(char *(*make)(const char *)) {
    char *own = strdup("the test's own"), *made = make("x");
    CHECK(own[0] == 't');
    NEED(made != NULL);
    free(made); free(own);
}
static void test_good(void) { test(good); }
static void test_leaks(void) { test(leaks); }
static void test_crashes(void) { test(crashes); }
UNIT_TESTS("demo", {"well made", test_good}, {"leaking", test_leaks}, {"crashing", test_crashes})
"""

FAILING_PY = '''
import subprocess, unittest
class T(unittest.TestCase):
    def test_a_good(self):
        """Good is reported as ok."""
        print("never shown")
    def test_b_bad(self):
        print("shown with the failure")
        self.assertEqual(1, 2)
    def test_c_skip(self):
        self.skipTest("no such hardware")
    def test_d_leaves(self):
        subprocess.Popen(["sleep", "1000"], start_new_session=True)
'''


class UnitLayer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.program = pathlib.Path(cls.folder.name, "demo")
        source = pathlib.Path(cls.folder.name, "demo.c")
        source.write_text(FAILING_C)
        subprocess.run(["/usr/bin/gcc", "-D_GNU_SOURCE", f'-DUNIT_SOURCE_ROOT="{SOURCE}"', f"-I{UNIT}", f"-I{SOURCE}/src", source,
                        UNIT / "unit.c", UNIT / "torture.c", UNIT / "failing.c", "-o", cls.program, "-lcunit"], check=True)

    def run_demo(self, words, limit="60"):
        return subprocess.run([self.program, words], capture_output=True, text=True, timeout=60,
                              env={**os.environ, "UNIT_LIMIT": limit})

    def test_a_failing_unit_check_names_place_and_values(self):
        done = self.run_demo("news")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"demo\.c:6: 2 \+ 2 is 4, expected 5\n")
        self.assertIn(r'is "tea\x0a" (4 bytes), expected "coffee" (6 bytes)', done.stdout)
        self.assertTrue(done.stdout.endswith("1 passed, 1 failed\n"), done.stdout)

    def test_a_needed_condition_ends_the_unit_test(self):
        done = self.run_demo("stops")
        self.assertEqual((done.returncode, done.stdout.splitlines()[-1]), (1, "0 passed, 1 failed"))

    def test_a_hanging_unit_test_is_ended_and_named(self):
        done = self.run_demo("hangs", limit="1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("  hangs ... FAIL\n", done.stdout)

    def test_a_crashing_unit_test_is_named_and_gives_no_summary(self):
        done = self.run_demo("crashes")
        self.assertLess(done.returncode, 0)
        self.assertTrue(done.stdout.endswith("  crashes ..."), done.stdout)

    def test_two_unit_tests_with_one_promise_are_an_error(self):
        done = self.run_demo("twin")
        self.assertEqual(done.returncode, 2)
        self.assertIn("twin: Test having this name already in suite", done.stderr)

    def test_words_that_choose_no_unit_test_are_an_error(self):
        done = self.run_demo("no such promise")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--list", done.stderr)


class Torture(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        home = cls.home = pathlib.Path(folder.name)
        (home / "src").mkdir()
        (home / "src/product.c").write_text(PRODUCT_C)
        (home / "demo.c").write_text(TORTURED_C)
        gcc = ["/usr/bin/gcc", "-D_GNU_SOURCE", f'-DUNIT_SOURCE_ROOT="{SOURCE}"', f"-I{UNIT}", f"-I{SOURCE}/src", "-g"]
        for command in (
                [*gcc, "-O2", "-DFAILING_POSSIBLE", "-c", UNIT / "failing.c", "-o", "failing.o"],
                [*gcc, "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-c", "src/product.c", "-o", "product.o"],
                ["ar", "rc", "src/product.a", "product.o"],
                [*gcc, "-fsanitize=address,undefined", "demo.c", UNIT / "unit.c", UNIT / "torture.c", "failing.o",
                 "src/product.a", f"-Wl,-T,{UNIT}/product.ld", "-lcunit", "-o", "demo"]):
            subprocess.run(command, cwd=home, check=True)

    def run_demo(self, *words):
        return subprocess.run([self.home / "demo", "--torture", "all", *words], capture_output=True, text=True, timeout=300)

    def test_what_is_well_made_passes_with_each_allocation_failing_in_both_ways(self):
        done = self.run_demo("well made")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("well made ... ok (2 allocations, 4 runs)", done.stdout)
        self.assertIn("4 runs, 4 allocations failed on purpose", done.stdout)

    def test_a_leak_when_memory_runs_out_is_named_with_its_allocation(self):
        done = self.run_demo("leaking")
        self.assertEqual(done.returncode, 1)
        self.assertIn("allocation 2: exit status 1; again: ", done.stdout)
        self.assertIn("LeakSanitizer", done.stdout)
        self.assertTrue(done.stdout.endswith("0 passed, 1 failed\n"), done.stdout)

    def test_a_crash_when_memory_runs_out_is_named_and_the_other_tests_go_on(self):
        done = self.run_demo()
        self.assertIn("allocation 1 and all after it: exit status 1", done.stdout)
        self.assertTrue(done.stdout.endswith("1 passed, 2 failed\n"), done.stdout)


class Runner(unittest.TestCase):
    def run_file(self, text, words=""):
        with tempfile.TemporaryDirectory() as folder:
            file, report = pathlib.Path(folder, "test_x.py"), pathlib.Path(folder, "report")
            file.write_text(text)
            report.touch()
            with open(pathlib.Path(folder, "output"), "w+b") as output:
                done = subprocess.run([sys.executable, SOURCE / "tests/blackbox/runner.py", file], stdout=output,
                                      stderr=output, timeout=60, check=False,
                                      env={**os.environ, "LF_REPORT": str(report), "LF_ONLY": words, "LF_GRACE_S": "1"})
            return done.returncode, [json.loads(line) for line in report.read_text().splitlines()]

    def test_the_runner_tells_ok_fail_and_skip_apart(self):
        status, told = self.run_file(FAILING_PY)
        self.assertEqual(status, 1)
        self.assertEqual([(t["promise"], t["result"]) for t in told],
                         [("Good is reported as ok.", "ok"), ("b bad", "FAIL"), ("c skip", "skip"),
                          ("d leaves", "ok"), ("nothing is left running", "FAIL")])
        self.assertIn("shown with the failure", told[1]["text"])
        self.assertNotIn("never shown", told[1]["text"])
        self.assertEqual(told[2]["text"], "no such hardware")
        self.assertIn("sleep 1000", told[4]["text"])

    def test_tests_side_by_side_run_once_each_with_the_same_report(self):
        status, told = self.run_file(FAILING_PY + "\nSIDE_BY_SIDE = 3\n")
        self.assertEqual(status, 1)
        self.assertEqual(sorted((t["promise"], t["result"]) for t in told),
                         [("Good is reported as ok.", "ok"), ("b bad", "FAIL"), ("c skip", "skip"), ("d leaves", "ok"),
                          ("nothing is left running", "FAIL")])
        failed = next(t["text"] for t in told if t["promise"] == "b bad")
        self.assertIn("shown with the failure", failed)
        self.assertNotIn("never shown", failed)

    def test_the_runner_runs_only_what_words_choose(self):
        status, told = self.run_file(FAILING_PY, words="Good")
        self.assertEqual((status, len(told)), (0, 1))

    def test_a_class_that_cannot_be_set_up_is_a_failure(self):
        status, told = self.run_file("import unittest\nclass T(unittest.TestCase):\n    @classmethod\n"
                                     "    def setUpClass(cls): 1 / 0\n    def test_x(self): pass\n")
        self.assertEqual((status, [t["result"] for t in told]), (1, ["FAIL"]))

    def test_a_file_that_does_not_load_is_a_failure(self):
        self.assertEqual(self.run_file("import no_such_module\n")[0], 1)


class Scripts(unittest.TestCase):
    def test_every_script_explains_itself(self):
        for name in ("deps", "build", "sysroot", "test", "analyse", "coverage"):
            done = subprocess.run([SOURCE / "toolchain" / name, "--help"], capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, name)
            self.assertTrue(done.stdout.startswith(f"usage: toolchain/{name}"), done.stdout)

    def test_a_mistyped_kind_of_build_is_refused_with_the_usage(self):
        done = subprocess.run([SOURCE / "toolchain/build", "arm65"], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 2)
        self.assertIn("usage: toolchain/build", done.stderr)
