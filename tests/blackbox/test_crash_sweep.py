"""A few points of each crash sweep (the whole ones: tests/crash/run --all), and proof that a sweep notices what is wrong."""
import os
import pathlib
import re
import subprocess
import unittest

SIDE_BY_SIDE = 2
SWEEP = pathlib.Path(os.environ["LF_SOURCE"]) / "tests/crash/sweep.py"
SUM = re.compile(r"(\d+) points swept \((\d+) ends of the agent, \d+ runs had no such call\), (\d+) held, (\d+) lost, (\d+) repeated, "
                 r"(\d+) otherwise wrong")


class CrashSweep(unittest.TestCase):
    def sweep(self, *options, status=0):
        """Returns (points, ends, held, lost, repeated, otherwise wrong)."""
        done = subprocess.run(["/usr/bin/python3", "-B", SWEEP, "--build", os.environ["LF_BUILD"], *options], timeout=600,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        print(done.stdout)
        self.assertEqual(done.returncode, status, done.stdout[-3000:])
        return tuple(int(number) for number in SUM.search(done.stdout).groups())

    def good(self, at_least, *options):
        points, ends, _, lost, repeated, wrong = self.sweep(*options)
        self.assertGreaterEqual(points, at_least)
        self.assertGreater(ends, points / 2)
        self.assertEqual((lost, repeated, wrong), (0, 0, 0))

    def test_killed(self):
        """Killed at every 50th of its calls and started again, the agent loses nothing and does nothing twice."""
        self.good(16, "--every", "50")

    def test_power_cut(self):
        """After a power cut at every 100th of its calls, the agent loses nothing and does nothing twice."""
        self.good(8, "--every", "100", "--power-cut")

    def test_killed_around_an_action(self):
        """Killed at each call on the serial line, the agent holds the job in doubt and never tares twice."""
        points, _, held, lost, repeated, wrong = self.sweep("--only", "serial")
        self.assertGreater(held, points / 4)
        self.assertEqual((lost, repeated, wrong), (0, 0, 0))

    def test_a_careless_person_is_seen(self):
        """If the person answers "it did not happen" without looking, the sweep notices what is done twice."""
        *_, repeated, _ = self.sweep("--only", "serial", "--broken", "person", status=1)
        self.assertGreater(repeated, 0)

    def test_a_lying_disk_is_seen(self):
        """If the disk only pretends to sync, the sweep notices what a power cut loses."""
        *_, lost, _, _ = self.sweep("--only", "serial", "--from", "8", "--to", "8", "--power-cut", "--broken", "sync", "--patience",
                                    "15", status=1)
        self.assertGreater(lost, 0)


if __name__ == "__main__":
    unittest.main()
