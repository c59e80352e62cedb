"""The simulated liquid handler takes worklists from a folder, runs each once, and writes results as configured."""
import hashlib
import json
import os
import pathlib
import subprocess
import tempfile
import time
import unittest

PROGRAM = pathlib.Path(os.environ["LF_BUILD"]) / "tests/sim/instruments/labferry-sim-folder"
SOON = 20  # seconds; generous, for loaded machines
WORKLIST = "Sample,Source well,Target well,Volume\nS-1,A1,B1,50\nS-2,A2,B2,50\nS-3,A3,B3,50\n"


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.inbox, self.outbox = self.folder / "in", self.folder / "out"
        self.process = None

    def start(self, *options):
        self.process = subprocess.Popen(
            [PROGRAM, "--inbox", self.inbox, "--outbox", self.outbox, "--state", self.folder / "state", "--look", "20",
             "--run-time", "0.1", *map(str, options)], stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.stop)
        self.assertEqual(self.process.stdout.readline(), f"ready {self.inbox}\n")

    def stop(self):
        if self.process:
            self.process.terminate()
            code = self.process.wait(SOON)
            self.process.stdout.close()
            self.process = None
            return code

    def deliver(self, name="plate.csv", text=WORKLIST):
        hidden = self.inbox / f".{name}.part"
        hidden.write_text(text)
        hidden.rename(self.inbox / name)

    def state(self):
        return json.loads((self.folder / "state").read_text())

    def wait_for(self, what):
        deadline = time.monotonic() + SOON
        while not what(self.state()):
            self.assertLess(time.monotonic(), deadline, self.state())
            time.sleep(0.01)
        return self.state()

    def results(self):
        return sorted(path.name for path in self.outbox.iterdir() if not path.name.startswith("."))

    def test_a_worklist_becomes_a_result(self):
        """Each row of a worklist becomes a row of the result, with well, sample, a number and the run."""
        self.start()
        self.deliver()
        state = self.wait_for(lambda s: s["results"] == 1)
        run = state["runs"][0]
        self.assertEqual(run["sha256"], hashlib.sha256(WORKLIST.encode()).hexdigest())
        self.assertEqual(self.results(), ["plate_RUN0001.csv"])
        data = (self.outbox / "plate_RUN0001.csv").read_bytes()
        self.assertEqual(run["result_sha256"], hashlib.sha256(data).hexdigest())
        rows = [line.split(",") for line in data.decode().splitlines()]
        self.assertEqual(rows[0], ["Well", "Sample", "Absorbance", "Run", "Worklist"])
        self.assertEqual([row[:2] for row in rows[1:]], [["B1", "S-1"], ["B2", "S-2"], ["B3", "S-3"]])
        self.assertTrue(all(0 < float(row[2]) < 4 and row[3:] == ["RUN0001", "plate.csv"] for row in rows[1:]))
        self.assertEqual(os.listdir(self.inbox), ["processed"])

    def test_the_same_content_again_is_counted(self):
        """A worklist that comes twice runs twice, and the state says that one was repeated."""
        self.start()
        self.deliver("a.csv")
        self.wait_for(lambda s: s["finished"] == 1)
        self.deliver("b.csv")
        self.assertEqual(self.wait_for(lambda s: s["finished"] == 2)["repeated"], 1)

    def test_counts_go_on_after_a_restart(self):
        """Counts and run numbers continue after a restart, and a run that was cut off is aborted, not repeated."""
        self.start("--take", "keep", "--run-time", "60")
        self.deliver()
        self.wait_for(lambda s: s["started"] == 1)
        self.assertEqual(self.stop(), 0)
        self.start("--take", "keep")
        self.deliver("next.csv", WORKLIST + "S-4,A4,B4,50\n")
        state = self.wait_for(lambda s: s["finished"] == 1)
        self.assertEqual((state["started"], state["aborted"], state["repeated"]), (2, 1, 0))
        self.assertEqual([run["state"] for run in state["runs"]], ["aborted", "finished"])

    def test_hidden_and_other_names_are_left_alone(self):
        """Hidden names and names that do not match are never taken."""
        self.start("--match", "*.gwl")
        (self.inbox / ".x.gwl").write_text(WORKLIST)
        self.deliver("plate.csv")
        self.deliver("plate.gwl")
        self.wait_for(lambda s: s["finished"] == 1)
        self.assertTrue((self.inbox / ".x.gwl").exists() and (self.inbox / "plate.csv").exists())

    def test_a_torn_worklist_is_refused(self):
        """A worklist that is empty, or whose rows differ in cells, is refused and counted, not run."""
        self.start("--take", "delete")
        self.deliver("empty.csv", "")
        self.deliver("torn.csv", "a,b\n1,2\n3")
        state = self.wait_for(lambda s: s["broken"] == 2)
        self.assertEqual((state["seen"], state["started"]), (2, 0))

    def test_parts_and_companions(self):
        """In parts, the result grows; the sidecar is there before it and the done marker after it."""
        self.start("--write", "parts", "--parts", "3", "--write-time", "1", "--sidecar", "{name}.json", "--done-marker",
                   "{stem}.done", "--end-marker", "#END", "--eol", "crlf")
        self.deliver()
        result, sizes = self.outbox / "plate_RUN0001.csv", set()
        while not (self.outbox / "plate_RUN0001.done").exists():
            if result.exists():
                sizes.add(result.stat().st_size)
                self.assertTrue((self.outbox / "plate_RUN0001.csv.json").exists())
            time.sleep(0.01)
        self.assertGreaterEqual(len(sizes - {0}), 2)
        self.assertTrue(result.read_bytes().endswith(b"\r\n#END\r\n"))
        about = json.loads((self.outbox / "plate_RUN0001.csv.json").read_text())
        self.assertEqual((about["run"], about["worklist"]), ("RUN0001", "plate.csv"))

    def test_faults(self):
        """Every second result has a row without a number, every third run ends without a result."""
        self.start("--bad-every", "2", "--lose-every", "3")
        for number in range(1, 4):
            self.deliver(f"w{number}.csv")
            self.wait_for(lambda s: s["finished"] == number)
        self.assertEqual(self.results(), ["w1_RUN0001.csv", "w2_RUN0002.csv"])
        self.assertNotIn("OVRFLW", (self.outbox / "w1_RUN0001.csv").read_text())
        self.assertEqual((self.outbox / "w2_RUN0002.csv").read_text().count("OVRFLW"), 1)

    def test_it_ends_after_runs(self):
        """With --runs it ends by itself with exit code 0."""
        self.start("--runs", "1")
        self.deliver()
        self.assertEqual(self.process.wait(SOON), 0)

    def test_wrong_arguments(self):
        """--help explains every option; wrong arguments are named and end with code 2."""
        help_text = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True, check=True).stdout
        for option in ("--inbox", "--outbox", "--take", "--write", "--name", "--state", "--lose-every"):
            self.assertIn(option, help_text)
        for arguments in ([], ["--inbox", "x"], ["--inbox", "x", "--outbox", "y", "--take", "eat"],
                          ["--inbox", "x", "--outbox", "y", "--run-time", "soon"], ["--nonsense"]):
            run = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, cwd=self.folder)
            self.assertEqual(run.returncode, 2)
            self.assertTrue(run.stderr)


if __name__ == "__main__":
    unittest.main()
