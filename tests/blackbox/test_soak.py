"""A short soak (the long one: tests/soak/run 1h), and proof that a soak notices what is wrong."""
import os
import pathlib
import re
import subprocess
import unittest

SIDE_BY_SIDE = 3
SOAK = pathlib.Path(os.environ["LF_SOURCE"]) / "tests/soak/soak.py"
SUM = re.compile(r"(\d+) jobs, (\d+) events, (\d+) faults, (\d+) held and answered, (\d+) lost, (\d+) repeated, (\d+) otherwise wrong")


class Soak(unittest.TestCase):
    def soak(self, *options, status=0):
        """Returns (jobs, events, faults, held, lost, repeated, otherwise wrong)."""
        done = subprocess.run(["/usr/bin/python3", "-B", SOAK, *options], timeout=420, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, check=False)
        print(done.stdout)
        self.assertEqual(done.returncode, status, done.stdout[-3000:])
        return tuple(int(number) for number in SUM.search(done.stdout).groups())

    def test_short(self):
        """Mixed work under random faults of every part at once: nothing is lost, nothing is done twice."""
        jobs, events, faults, _, lost, repeated, wrong = self.soak("30s", "--rate", "1.5", "--gap", "2")
        self.assertGreater(jobs, 30)
        self.assertGreater(events, jobs)
        self.assertGreater(faults, 10)
        self.assertEqual((lost, repeated, wrong), (0, 0, 0))

    def test_a_careless_person_is_seen(self):
        """If the person answers "it did not happen" without looking, the soak notices what is done twice."""
        *_, repeated, _ = self.soak("60s", "--rate", "3", "--gap", "1", "--only", "silence times=1 on=T", "--broken", "person", status=1)
        self.assertEqual(repeated, 1)

    def test_a_missing_one_is_seen(self):
        """If one worklist is withheld from the agent, the soak notices that it is lost."""
        *_, lost, _, _ = self.soak("5s", "--rate", "2", "--only", "relay", "--patience", "40", "--broken", "lost", status=1)
        self.assertEqual(lost, 1)


if __name__ == "__main__":
    unittest.main()
