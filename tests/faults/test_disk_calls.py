"""Calls to the disk that fail, one at a time and for a while, all through the main job (the whole sweeps: tests/crash/run --how ...)."""
import os
import pathlib
import re
import subprocess
import unittest

SIDE_BY_SIDE = 3
SWEEP = pathlib.Path(os.environ["LF_SOURCE"]) / "tests/crash/sweep.py"
SUM = re.compile(r"(\d+) points swept \((\d+) calls failed, \d+ runs had no such call\), (\d+) held, (\d+) lost, (\d+) repeated, "
                 r"(\d+) otherwise wrong")


class DiskCalls(unittest.TestCase):
    def sweep(self, *options):
        done = subprocess.run(["/usr/bin/python3", "-B", SWEEP, "--build", os.environ["LF_BUILD"], *options], timeout=600,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        print(done.stdout)
        self.assertEqual(done.returncode, 0, done.stdout[-3000:])
        points, failed, *verdict = (int(number) for number in SUM.search(done.stdout).groups())
        self.assertGreaterEqual(points, 8)
        self.assertGreater(failed, points / 2)
        held, *bad = verdict
        self.assertLess(held, points / 4)  # where the folder could not be synced after the file was put there
        self.assertEqual(bad, [0, 0, 0])

    def test_full(self):
        """no room at every 100th call, and for two seconds from then on: nothing is lost or done twice"""
        self.sweep("--how", "enospc", "--for", "2000", "--every", "100")

    def test_error(self):
        """an I/O error at every 80th call: nothing is lost or done twice"""
        self.sweep("--how", "eio", "--every", "80")

    def test_read_only(self):
        """read-only at every 120th call, and for two seconds from then on: nothing is lost or done twice"""
        self.sweep("--how", "erofs", "--for", "2000", "--every", "120")


if __name__ == "__main__":
    unittest.main()
