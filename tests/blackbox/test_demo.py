"""The demo shows the whole main job, and succeeds only if the tenant confirms it."""
import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest

SOURCE = pathlib.Path(os.environ.get("LF_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
DEMO = [sys.executable, "-B", str(SOURCE / "tests/demo/demo.py"), "--build", os.environ["LF_BUILD"]]

# What a newcomer has to read, in this order.
STORY = ["event received and journalled", "file fetched", "file delivered", "equal on both sides", "result appeared",
         "uploaded as blob", "attached to the new output processor", "8 rows succeeded, 0 failed", "task claimed",
         "balance read", "weight reported: workflow output", "task completed", "Everything is confirmed"]


class Demo(unittest.TestCase):
    def test_story(self):
        """the demo shows every step of the main job in order, and the tenant confirms the result"""
        done = subprocess.run(DEMO, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240)
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-1000:])
        at = 0
        for words in STORY:
            found = done.stdout.find(words, at)
            self.assertGreaterEqual(found, 0, f"{words!r} is missing, or in the wrong place:\n{done.stdout}")
            at = found
        self.assertNotIn("  NO ", done.stdout)

    def test_keep(self):
        """--keep leaves everything running until Ctrl-C, which ends all of it"""
        demo = subprocess.Popen([*DEMO, "--keep"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        try:
            lines = []
            for line in demo.stdout:
                lines.append(line)
                if line.startswith("Ctrl-C"):
                    break
            self.assertTrue(any("labferry" in line and line.rstrip().endswith(" status") for line in lines), lines)
            home = next(word for line in lines for word in line.split() if word.endswith("/labferry.conf"))
            self.assertTrue(pathlib.Path(home).exists())
            demo.send_signal(signal.SIGINT)
            demo.wait(60)
            end = time.monotonic() + 60
            while pathlib.Path(home).exists() and time.monotonic() < end:
                time.sleep(0.1)
            self.assertFalse(pathlib.Path(home).exists())
        finally:
            demo.kill()
            demo.wait()
            demo.stdout.close()


if __name__ == "__main__":
    unittest.main()
