"""Event patterns against a second, independent implementation (pattern_model.py), on generated cases."""
import json
import os
import pathlib
import random
import subprocess
import unittest

import pattern_cases
import pattern_model

ANSWERS = pathlib.Path(os.environ["LF_BUILD"], "tests/unit/event/pattern_answers")
CASES = 20000


def expected(pattern, event):
    def load(text):
        return json.loads(text, object_pairs_hook=pattern_model.Multi)
    try:
        return "1" if pattern_model.matches(load(pattern), load(event)) else "0"
    except pattern_model.Bad:
        return "E"


class Patterns(unittest.TestCase):
    def check(self, seed, make):
        rng = random.Random(seed)
        cases = [make(rng) for _ in range(CASES)]
        lines = "".join(f"{pattern}\t{event}\n" for pattern, event in cases)
        run = subprocess.run([ANSWERS], input=lines.encode(), capture_output=True, timeout=600)
        self.assertEqual(run.returncode, 0, run.stderr.decode(errors="replace")[-2000:])
        answers = run.stdout.decode().split()
        self.assertEqual(len(answers), len(cases))
        wanted = [expected(*case) for case in cases]
        for answer in "10E":  # the cases must be worth something
            self.assertGreater(wanted.count(answer), 100)
        wrong = [(w, a, *c) for w, a, c in zip(wanted, answers, cases) if w != a]
        self.assertEqual(wrong[:5], [], f"{len(wrong)} differ: (expected, answered, pattern, event)")

    def test_any_form(self):
        """patterns of any form, good and bad, are answered as a second implementation answers them"""
        self.check(20260101, pattern_cases.any_form)

    def test_near(self):
        """patterns made from events are answered on these as a second implementation answers them"""
        self.check(20260102, pattern_cases.near)


if __name__ == "__main__":
    unittest.main()
