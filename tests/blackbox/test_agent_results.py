"""Results of instruments on their way up, by the whole agent: matching, uploading, processing, and never twice."""
import hashlib
import json
import time
import unittest

from whole import FAST, PLATE, WithLab, config, sha256, without_quarantine

SIDE_BY_SIDE = 3
MB = 1_000_000


class Results(WithLab):
    def start(self, match, *cloud, stable_for="200ms", **more):
        text = config(match=match, **more).replace('stable_for = "200ms"', f'stable_for = "{stable_for}"')
        self.lab.start_all(text, cloud=(*FAST, *cloud), hamilton=None, balance=None)

    def processors(self):
        return self.lab.cloud_state()["processors"]

    def rows(self):
        processor, = self.processors()
        return processor["progressStats"]["rowsSucceeded"], processor["progressStats"]["rowsFailed"]

    def contents(self):
        """sha256 of what is attached to the processors."""
        state = self.lab.cloud_state()
        blobs = {blob["id"]: blob["sha256"] for blob in state["blobs"]}
        return sorted(blobs[processor["file"]["id"]] for processor in state["processors"])


class Matching(Results):
    def test_filename(self):
        """a result is matched by a regular expression over its name"""
        self.start(r'"filename:^(?<run>[0-9a-f-]{36})_"')
        self.lab.result(f"{self.lab.run}_plate.csv", PLATE)
        job = self.lab.wait_job("collect")
        self.assertEqual((job["fields"]["run"], self.rows()), (self.lab.run, (2, 0)))

    def test_content(self):
        """a result is matched by a regular expression over its content"""
        self.start(r'"filename:^(?<run>never)_", "content:# run (?<run>[0-9a-f-]{36})"')
        self.lab.result("plate.csv", f"Well,Absorbance\n# run {self.lab.run},0.5\n")
        self.assertEqual(self.lab.wait_job("collect")["fields"]["run"], self.lab.run)

    def test_config_from_name(self):
        """the name can give the output file configuration too"""
        self.start(r'"filename:^(?<run>[0-9a-f-]{36})_(?<config>.*)\\.csv$"')
        self.lab.result(f"{self.lab.run}_Plate reader.csv", PLATE)
        self.assertEqual(self.lab.wait_job("collect")["fields"]["config"], "Plate reader")

    def test_last_job(self):
        """a result is matched to the only run that has none yet, and held while several runs wait for theirs"""
        self.start('"last-job"')
        other = self.lab.ask_cloud("/sim/runs", {})["id"]
        self.lab.generate(name="first.csv")
        self.lab.wait_job("deliver")
        self.lab.result("plate.csv", PLATE)
        self.assertEqual(self.lab.wait_job("collect")["fields"]["run"], self.lab.run)
        for name in ("second.csv", "third.csv"):
            self.lab.ask_cloud(f"/sim/runs/{other}/input", {"name": name})
            other, last = self.lab.ask_cloud("/sim/runs", {})["id"], other
        self.lab.wait_job("deliver", count=3)
        self.lab.result("plate_2.csv", PLATE + "A3,0.125\n")
        job = self.lab.job(self.held()["id"])
        self.assertEqual([one["file"] for one in job["fields"]["candidates"]], ["third.csv", "second.csv"])
        for name in ("second.csv", "third.csv"):
            self.assertIn(name, job["note"])
        self.lab.ask("assign", job=job["id"], run=last)
        self.assertEqual(self.lab.wait_job("collect", count=2)["state"], "done")

    def test_sidecar(self):
        """a result is matched by the file beside it"""
        self.start('"sidecar"')
        sidecar = self.lab.home / "hamilton/results/plate.csv.labferry.json"
        sidecar.write_text(json.dumps({"run": self.lab.run, "config": "Plate reader"}))
        self.lab.result("plate.csv", PLATE)
        self.lab.wait_job("collect")
        self.assertEqual(self.rows(), (2, 0))

    def held(self):
        return self.lab.until("it is held", lambda: next(iter(self.lab.jobs(state="held")), None))

    def test_none(self):
        """a result that nothing matches is held with the reason, and goes on when it is assigned"""
        self.start(r'"filename:^(?<run>[0-9a-f-]{36})_", "last-job"')
        self.lab.result("plate.csv", PLATE)
        job = self.held()
        self.assertIn("filename:", job["note"])
        self.assertIn(f"assign {job['id']}", job["note"])
        self.assertEqual(self.processors(), [])
        self.lab.ask("assign", job=job["id"], run=self.lab.run)
        self.assertEqual(self.lab.wait_job("collect")["fields"]["run"], self.lab.run)
        self.assertEqual(self.rows(), (2, 0))
        self.assertTrue((self.lab.home / "hamilton/results").joinpath("archive").exists())

    def test_no_such_run(self):
        """a run that Benchling does not have holds the result, and the right one can be assigned"""
        self.start(r'"filename:^(?<run>[^_]+)_"')
        self.lab.result("nonsense_plate.csv", PLATE)
        job = self.held()
        self.assertIn("no run nonsense", job["note"])
        self.lab.ask("assign", job=job["id"], run=self.lab.run, output="Plate reader")
        self.lab.wait_job("collect")

    def test_bad_sidecar(self):
        """a sidecar that cannot be read holds the result with the reason"""
        self.start('"sidecar"')
        (self.lab.home / "hamilton/results/plate.csv.labferry.json").write_text("{run: ")
        self.lab.result("plate.csv", PLATE)
        self.assertIn("sidecar", self.held()["note"])


class Once(Results):
    def test_same_content(self):
        """the same content under two names is uploaded once"""
        self.start(r'"filename:^(?<run>[0-9a-f-]{36})_"')
        self.lab.result(f"{self.lab.run}_a.csv", PLATE)
        self.lab.wait_job("collect")
        self.lab.result(f"{self.lab.run}_b.csv", PLATE)
        job = self.lab.wait_job("collect", count=2)
        self.assertIn("same content", job["note"])
        state = self.lab.cloud_state()
        self.assertEqual((len(state["blobs"]), len(state["processors"])), (1, 1))

    def test_new_version(self):
        """new content under the same name is a new version, which is uploaded too"""
        self.start(r'"filename:^(?<run>[0-9a-f-]{36})_"')
        first, second = PLATE, PLATE.replace("0.", "1.")
        self.lab.result(f"{self.lab.run}_a.csv", first)
        self.lab.wait_job("collect")
        self.lab.result(f"{self.lab.run}_a.csv", second)
        self.lab.wait_job("collect", count=2)
        self.assertEqual(self.contents(), sorted((sha256(first), sha256(second))))

    def test_appended(self):
        """a file that goes on growing after it was processed is held, and none of its rows comes twice"""
        self.start(r'"filename:^(?<run>[0-9a-f-]{36})_"', hamilton='archive = "none";')
        path = self.lab.home / "hamilton/results" / f"{self.lab.run}_day.csv"
        path.write_text(PLATE)
        self.lab.wait_job("collect")
        with open(path, "a") as file:
            file.write("A3,0.125\n")
        job = self.lab.wait_job("collect", ("held", "done"), count=2)
        self.assertIn("later version of what job 1 brought", job["note"])
        self.assertEqual((len(self.processors()), self.rows()), (1, (2, 0)))

    def test_left_open(self):
        """a result that the instrument keeps open for writing is taken once, and with all its rows"""
        self.start(r'"filename:^(?<run>[0-9a-f-]{36})_"')
        path = self.lab.home / "hamilton/results" / f"{self.lab.run}_slow.csv"
        with open(path, "w") as file:
            for row in PLATE.splitlines(keepends=True):
                file.write(row)
                file.flush()
                time.sleep(2)
            self.assertEqual(self.lab.jobs(), [])
            way = next(one for one in self.lab.ask("instruments") if one["name"] == "hamilton-1")["way"]
            self.assertIn("lease", way)
        self.lab.wait_job("collect")
        self.assertEqual((self.rows(), len(self.lab.jobs())), ((2, 0), 1))

    def test_restart_between(self):
        """a result that is known is not collected again after a restart, even where it is left in place"""
        self.start(r'"filename:^(?<run>[0-9a-f-]{36})_"', hamilton='archive = "none";')
        self.lab.result(f"{self.lab.run}_a.csv", PLATE)
        self.lab.wait_job("collect")
        self.lab.restart_agent()
        self.lab.result(f"{self.lab.run}_b.csv", PLATE + "A3,0.125\n")
        self.lab.wait_job("collect", count=2)
        self.assertEqual((len(self.lab.jobs()), len(self.processors())), (2, 2))

    def test_still_growing(self):
        """a result is not taken while the instrument still writes it"""
        self.start(r'"filename:^(?<run>[0-9a-f-]{36})_"', stable_for="3s")
        path = self.lab.home / "hamilton/results" / f"{self.lab.run}_slow.csv"
        with open(path, "w") as file:
            for n in range(25):
                file.write("Well,Absorbance\n" if n == 0 else f"A{n},0.5\n")
                file.flush()
                time.sleep(0.05)
        self.lab.wait_job("collect")
        self.assertEqual(self.contents(), [sha256(path.read_bytes()) if path.exists() else
                                           sha256(next((path.parent / "archive").rglob("*.csv")).read_bytes())])
        self.assertEqual(self.rows(), (24, 0))


class Uploading(Results):
    def test_multipart(self):
        """a result above 10 MB goes up in parts and arrives whole"""
        without_quarantine(self)
        self.start(r'"filename:^(?<run>[0-9a-f-]{36})_"')
        before = self.lab.memory()
        content = b"".join(hashlib.sha256(b"%d" % n).digest() for n in range(26 * MB // 32))
        self.lab.result(f"{self.lab.run}_big.bin", content)
        self.lab.wait_job("collect", ("done", "held"))
        blob, = self.lab.cloud_state()["blobs"]
        self.assertEqual((blob["sha256"], blob["size"]), (sha256(content), len(content)))
        self.assertEqual(sum(self.lab.requests("createBlob").values()), 0)
        self.assertGreaterEqual(sum(self.lab.requests("createBlobPart").values()), 3,
                                self.lab.ask_cloud("/sim/requests")["byOperation"])
        self.assertLess(self.lab.memory() - before, len(content), "a file is never held in memory")

    def test_multipart_goes_on(self):
        """an upload in parts goes on where it was when the agent is killed and restarted"""
        self.start(r'"filename:^(?<run>[0-9a-f-]{36})_"')
        content = b"".join(hashlib.sha256(b"%d" % n).digest() for n in range(40 * MB // 32))
        self.lab.fault("latency", ms=60_000, path="/blobs/*/parts", after=2, count=0)
        self.lab.result(f"{self.lab.run}_big.bin", content)
        self.lab.until("some parts", lambda: self.lab.requests("createBlobPart").get("200", 0) >= 2)
        self.lab.stop("agent", 9)
        self.lab.clear_faults()
        self.lab.start_agent()
        self.lab.wait_job("collect", ("done", "held"))
        blob, = self.lab.cloud_state()["blobs"]
        self.assertEqual(blob["sha256"], sha256(content))
        self.assertEqual(len(self.processors()), 1)
        again = self.lab.requests("createBlobPart").get("200", 0) - len(blob["parts"] if isinstance(blob["parts"], list)
                                                                       else range(blob["parts"]))
        self.assertLessEqual(again, 1, "only the part that was under way is sent again")


class Processing(Results):
    bad = "Well,Absorbance\nA1,0.5\nA2,none\nA3,0.75\n"

    def test_failed_rows_taken(self):
        """failed rows are reported, and the error file is saved where the job says"""
        self.lab.start_all(config(match=r'"filename:^(?<run>[0-9a-f-]{36})_"').replace(
            'config = "Plate reader";', 'config = "Plate reader"; complete_with_errors = true;'), hamilton=None)
        self.lab.result(f"{self.lab.run}_a.csv", self.bad)
        job = self.lab.wait_job("collect")
        self.assertEqual((job["fields"]["rows_succeeded"], job["fields"]["rows_failed"]), (2, 1))
        self.assertIn(job["fields"]["error_file"], job["note"])
        with open(job["fields"]["error_file"], "rb") as file:
            self.assertIn(b"A2", file.read())

    def test_processing_fails(self):
        """a result that Benchling cannot process is held with the reason, its file safely attached"""
        self.start(r'"filename:^(?<run>[0-9a-f-]{36})_"')
        self.lab.result(f"{self.lab.run}_a.csv", self.bad)
        job = self.lab.until("it is held", lambda: next(iter(self.lab.jobs(state="held")), None))
        self.assertIn("could not", job["note"])
        self.assertEqual(self.contents(), [sha256(self.bad)])

    def test_task_gone(self):
        """when the long-running task has been forgotten, the processor itself is asked"""
        self.start(r'"filename:^(?<run>[0-9a-f-]{36})_"', "--task-seconds", "1")
        self.lab.ask_cloud("/sim/relay", {"paused": True})
        self.lab.result(f"{self.lab.run}_a.csv", PLATE)
        self.lab.wait_job("collect")
        self.assertEqual(self.rows(), (2, 0))

    def test_left_to_people(self):
        """with process = false the file is attached and processing left to people"""
        self.lab.start_all(config(match=r'"filename:^(?<run>[0-9a-f-]{36})_"').replace(
            'config = "Plate reader";', 'config = "Plate reader"; process = false;'), hamilton=None)
        self.lab.result(f"{self.lab.run}_a.csv", PLATE)
        self.lab.wait_job("collect")
        self.assertEqual(self.processors()[0]["status"], "NOT_STARTED")

    def test_version_replaces(self):
        """a new version of a file that is not processed yet replaces it on its processor"""
        self.lab.start_all(config(match=r'"filename:^(?<run>[0-9a-f-]{36})_"').replace(
            'config = "Plate reader";', 'config = "Plate reader"; process = false;'), hamilton=None)
        for n, content in enumerate((PLATE, PLATE + "A3,0.125\n")):
            self.lab.result(f"{self.lab.run}_a.csv", content)
            self.lab.wait_job("collect", count=n + 1)
        self.assertEqual(self.contents(), [sha256(PLATE + "A3,0.125\n")])


if __name__ == "__main__":
    unittest.main()
