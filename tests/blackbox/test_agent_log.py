"""The reader of the log: a pipe, a terminal or a journal that stands still."""
import fcntl
import os
import subprocess
import time
import unittest

from whole import FAST, SOON, WithLab, config

PIPE = 4096  # bytes that it holds: full after some lines
FILES = 12
F_SETPIPE_SZ = 1031


class StandsStill(WithLab):
    def test_no_reader(self):
        """while the reader of the log stands still, work goes on, questions are answered, and the agent stops in time"""
        lab = self.lab
        lab.start_broker()
        lab.start_cloud(*FAST)
        for folder in ("worklists", "results"):
            (lab.home / "hamilton" / folder).mkdir(parents=True)
        lab.start_balance("--weight", "12.34")
        lab.write_config(config())
        unread, log = os.pipe()
        self.addCleanup(os.close, unread)
        fcntl.fcntl(log, F_SETPIPE_SZ, PIPE)
        lab.parts["agent"] = subprocess.Popen([lab.program("labferryd"), "--config", str(lab.home / "labferry.conf")],
                                              stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        lab.until("the agent answers", lab.online)
        for number in range(FILES):
            lab.generate(lab.ask_cloud("/sim/runs", {})["id"], name=f"w{number}.csv", content=f"Sample\n{number}\n")
            lab.new_task(Sample=f"S-{number}")
        lab.wait_job("deliver", count=FILES)
        lab.wait_job("task", count=FILES)
        self.assertEqual(len(lab.worklists()), FILES)
        os.set_blocking(log, False)
        with self.assertRaises(BlockingIOError):  # it was full all the time
            os.write(log, b"x" * PIPE)
        os.close(log)
        began = time.monotonic()
        self.assertEqual(lab.stop("agent", seconds=SOON), 0)
        self.assertLess(time.monotonic() - began, 15)


if __name__ == "__main__":
    unittest.main()
