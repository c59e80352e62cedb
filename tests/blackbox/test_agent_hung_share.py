"""A share whose server is gone: every call into it blocks, and nothing ends such a call. (It needs fuse3 and
python3-fusepy.)"""
import importlib.util
import os
import pathlib
import subprocess
import sys
import time
import unittest

from whole import FAST, HAMILTON, WORKLISTS, WithLab, config

SIDE_BY_SIDE = 3
STOP_S = 5  # from SIGTERM to the end; a loaded machine gets as much again
READER = """\
    {
        name = "reader-1"; driver = "folder"; inbox = "%(home)s/share/in"; outbox = "%(home)s/share/out";
        scan_interval = "300ms";
    }"""


class HungShare(WithLab):
    def setUp(self):
        super().setUp()
        if not os.path.exists("/dev/fuse") or not importlib.util.find_spec("fusepy"):
            self.skipTest("NOT TESTED: no FUSE here (packages fuse3 and python3-fusepy)")
        os.environ["LF_SILENT_MS"] = "2000"
        self.addCleanup(os.environ.pop, "LF_SILENT_MS")
        lab = self.lab
        self.flag = lab.home / "hang"
        for folder in ("real/in", "real/out", "share"):
            (lab.home / folder).mkdir(parents=True)
        lab.start("share", [sys.executable, str(pathlib.Path(__file__).with_name("hanging_folder.py")), str(lab.home / "real"),
                            str(lab.home / "share"), str(self.flag)])
        self.addCleanup(self.unmount)
        lab.until("the share is mounted", lambda: os.path.ismount(lab.home / "share"))
        self.text = config(instruments=(HAMILTON, READER), routes=(WORKLISTS,))

    def unmount(self):
        self.flag.unlink(missing_ok=True)
        time.sleep(0.2)
        subprocess.run(["fusermount3", "-uz", str(self.lab.home / "share")], check=False)

    def instrument(self, name):
        return next(one for one in self.lab.ask("instruments") if one["name"] == name)

    def stop_in_time(self):
        begin = time.monotonic()
        self.assertEqual(self.lab.stop("agent", seconds=60), 0)
        self.assertLess(time.monotonic() - begin, 2 * STOP_S)
        self.assertEqual(self.lab.retained_status().get("reason"), "stopped")

    def test_hangs(self):
        """an instrument whose share hangs is reported with since when, others work on, and the agent stops in time"""
        lab = self.lab
        lab.start_all(self.text, cloud=FAST, hamilton=None, balance=None)
        lab.until("it is connected", lambda: self.instrument("reader-1")["state"] == "idle")
        self.flag.touch()
        lab.until("it is reported", lambda: self.instrument("reader-1")["state"] == "not answering")
        self.assertIn("since", self.instrument("reader-1"))
        lab.generate()
        lab.wait_job("deliver")
        self.stop_in_time()

    def test_hung_before(self):
        """while a share hangs, a configuration can be checked, and the agent starts and stops"""
        lab = self.lab
        self.flag.touch()
        lab.start_all(self.text, cloud=FAST, hamilton=None, balance=None)
        self.assertEqual(lab.labferry("check", str(lab.home / "labferry.conf"))[0], 0)
        lab.until("it is reported", lambda: self.instrument("reader-1")["state"] == "not answering")
        lab.generate()
        lab.wait_job("deliver")
        self.stop_in_time()

    def test_comes_back(self):
        """when the share answers again, its instrument goes on by itself"""
        lab = self.lab
        lab.start_all(self.text, cloud=FAST, hamilton=None, balance=None)
        lab.until("it is connected", lambda: self.instrument("reader-1")["state"] == "idle")
        self.flag.touch()
        lab.until("it is reported", lambda: self.instrument("reader-1")["state"] == "not answering")
        self.flag.unlink()
        lab.until("it answers", lambda: self.instrument("reader-1")["state"] == "idle")


if __name__ == "__main__":
    unittest.main()
