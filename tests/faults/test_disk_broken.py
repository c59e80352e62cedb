"""Disks that are read-only, journals that are damaged or gone, files in the spool that have changed."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import unittest

from small_disk import MB, OnSmallDisks, prepare
from sweep import build_shim
from whole import BASE, SITE, Refused, config, sha256


SIDE_BY_SIDE = 4


def setUpModule():
    prepare()


class ReadOnly(OnSmallDisks):
    def test_at_start(self):
        """on a read-only disk the agent does not start and says so; it starts once the disk is writable"""
        lab = self.lab
        self.begin(hamilton=None)
        tasks = [lab.new_task()]
        self.once(tasks=tasks)
        lab.stop("agent")
        self.disk.remount(read_only=True)
        tasks.append(lab.new_task())
        lab.start_agent(wait=False)
        self.assertEqual(lab.parts["agent"].wait(60), 1)  # not 78, with which no supervisor starts it again
        del lab.parts["agent"]
        last = lab.log("agent").splitlines()[-1]
        self.assertIn("cannot start", last)
        self.assertIn("Read-only file system", last)
        check = subprocess.run([lab.program("labferry"), "check", lab.home / "labferry.conf"], check=False, stdin=subprocess.DEVNULL,
                               capture_output=True, text=True, timeout=60)
        self.assertEqual(check.returncode, 1, check.stdout)
        self.assertIn("Read-only file system", check.stdout)
        self.disk.remount()
        lab.start_agent()
        self.once(tasks=tasks)

    def test_while_running(self):
        """a disk that becomes read-only while the agent runs is reported as such, and work resumes by itself once it is writable"""
        lab = self.lab
        self.begin(hamilton=None)
        lab.stop("agent")
        shim = build_shim(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, shim.parent)
        env = {"LD_PRELOAD": str(shim), "LF_CRASH_COUNT_FILE": str(lab.home / "count"), "LF_CRASH_AT": "1", "LF_CRASH_HOW": "erofs",
               "LF_CRASH_FOR": "8000", "LF_CRASH_ONLY": "spool/job-",  # from the moment at which the worklist is to be written
               "ASAN_OPTIONS": "verify_asan_link_order=0:" + os.environ.get("ASAN_OPTIONS", "")}
        lab.start_agent(env=env)
        files = [lab.generate()]
        self.status_says("Read-only file system")
        tasks = [lab.new_task()]
        self.assertEqual(lab.worklists(), {})
        self.once(files, tasks)
        self.status_is_clear()


class Journal(OnSmallDisks):
    """What must hold until a person has repaired it: nothing is taken in, nothing is done."""

    @property
    def path(self):
        return self.lab.home / "state/journal.db"

    def stops(self, *words):
        lab = self.lab
        done = self.known(), lab.worklists()
        self.status_says(*words)
        more = lab.generate(name="more.csv", content="Sample\nmore\n")
        self.stands_still(2)
        self.assertEqual((self.known(), lab.worklists()), done)
        return more

    def known(self):
        """The events that made work; some of the others may not be readable any more."""
        try:
            return [event["id"] for event in self.lab.events(fate="job")]
        except Refused as refusal:
            self.assertIn("is damaged", refusal.error["text"])
            return None

    def test_moved_away(self):
        """a journal that is moved away stops all work until it is back"""
        lab = self.lab
        self.begin(hamilton=None)
        files = [lab.generate()]
        self.once(files)
        self.path.rename(self.path.with_name("elsewhere"))
        files.append(self.stops("is gone or was replaced"))
        self.path.with_name("elsewhere").rename(self.path)
        self.once(files)
        self.status_is_clear()

    def retained(self, instrument):
        """What the broker keeps of an instrument."""
        run = subprocess.run(["mosquitto_sub", "-V", "5", "-p", str(self.lab.broker_port), "-t", f"{BASE}/instruments/{instrument}", "-C",
                              "1", "-W", "10"], capture_output=True, timeout=60)
        return json.loads(run.stdout or b"{}").get("state")

    def test_instrument_changes_meanwhile(self):
        """an instrument's state that changed while nothing could be written is published afterwards"""
        lab = self.lab
        self.begin(hamilton=None)
        lab.until("it is idle", lambda: self.retained("hamilton-1") == "idle")
        self.path.rename(self.path.with_name("elsewhere"))
        results = lab.home / "hamilton/results"
        results.rename(results.with_name("elsewhere"))
        # Its last report: after that nothing changes.
        lab.until("the report is not queued", lambda: "results is not there" in lab.log("agent").rpartition("cannot queue a report")[0])
        self.stands_still(2)
        self.path.with_name("elsewhere").rename(self.path)
        lab.until("it is offline", lambda: self.retained("hamilton-1") == "offline")
        results.with_name("elsewhere").rename(results)
        lab.until("it is idle again", lambda: self.retained("hamilton-1") == "idle")
        self.status_is_clear()

    def test_folder_replaced(self):
        """a replaced state folder stops all work; a restarted agent does not start from scratch there"""
        lab = self.lab
        self.begin(hamilton=None)
        files = [lab.generate()]
        self.once(files)
        away = self.path.with_name("away")
        away.mkdir()
        for name in ("journal.db", "journal.db-wal", "journal.db-shm"):
            self.path.with_name(name).rename(away / name)
        files.append(self.stops("is gone"))
        lab.stop("agent", seconds=60)
        lab.start_agent(wait=False)
        self.assertEqual(lab.parts["agent"].wait(60), 1)
        del lab.parts["agent"]
        self.assertIn("the journal is missing or empty, but there was one", lab.log("agent").splitlines()[-1])
        self.assertFalse(self.path.exists())
        for path in away.iterdir():
            path.rename(self.path.with_name(path.name))
        lab.start_agent()
        self.once(files)

    def test_older_copy(self):
        """with an older copy of the journal nothing moves until a person has looked, and no file in the spool is swept"""
        lab = self.lab
        self.begin(hamilton=None)
        files = [lab.generate()]
        self.once(files)
        lab.stop("agent", seconds=60)
        copy = lab.home / "copy.db"
        shutil.copy(self.path, copy)
        lab.start_agent()
        tasks = [lab.new_task()]
        second = lab.generate(name="second.csv", content="Sample\nsecond\n")
        self.once([*files, second], tasks)
        (lab.home / "hamilton/worklists/second.csv").unlink()  # the instrument has taken it
        lab.stop("agent", seconds=60)
        for name in ("journal.db-wal", "journal.db-shm"):
            self.path.with_name(name).unlink(missing_ok=True)
        shutil.copy(copy, self.path)
        (lab.home / "state/spool/job-3").write_bytes(b"the only copy")
        lab.start_agent()
        again = lab.until("the event came again", lambda: next(
            (job for job in lab.jobs() if job["kind"] == "deliver" and job["state"] == "ready" and job["step"] == "turn"), None))
        self.stands_still()
        self.assertNotIn("second.csv", lab.worklists())
        self.assertIn("older than what was done", json.dumps(lab.ask("instruments")))
        self.assertEqual([path.read_bytes() for path in (lab.home / "state/spool").glob("kept-*-job-3")], [b"the only copy"])
        lab.restart_agent(signal.SIGTERM)  # it stays that way
        self.stands_still()
        self.assertNotIn("second.csv", lab.worklists())
        lab.ask("cancel", job=again["id"])
        for name in ("hamilton-1", "balance-1"):
            lab.ask("resume", instrument=name)
        lab.generate(name="third.csv", content="Sample\nthird\n")
        lab.until("work goes on", lambda: "third.csv" in lab.worklists())
        self.assertNotIn("second.csv", lab.worklists())
        self.assertEqual(len(lab.outputs(tasks[0])), 1)

    def test_damage_while_running(self):
        """damage found while the agent runs stops all work; what is readable can still be shown, checked and exported"""
        lab = self.lab
        self.begin(config(link='broker = "mqtt://127.0.0.1:%(broker_port)d"; topics = [ "labferry/%(site)s/events/#" ];'), 40 * MB,
                   hamilton=None)
        files = [lab.generate()]
        self.once(files)
        for number in range(60):
            lab.publish(json.dumps({"no event": number, "filling": "x" * 200_000}), f"labferry/{SITE}/events/anything")
        lab.until("the journal is large", lambda: self.path.stat().st_size > 8 * MB and len(lab.events()) > 60)
        with open(self.path, "r+b") as file:  # long after what the agent needs
            for at in range(1 * MB, self.path.stat().st_size - 8192, 8192):
                file.seek(at)
                file.write(b"\x5a" * 4096)
        for event in lab.events():
            try:
                lab.ask("event", event=event["id"])
            except Refused:
                pass
        self.stops("is damaged", "labferry journal-check")
        lab.stop("agent", seconds=60)
        lab.start_agent(wait=False)
        self.assertEqual(lab.parts["agent"].wait(60), 1)
        del lab.parts["agent"]
        self.assertIn("damaged", lab.log("agent").splitlines()[-1])
        status, report = lab.labferry("journal", "check")
        self.assertEqual((status == 0, bool(report["problems"])), (False, True))
        export = subprocess.run([lab.program("labferry"), "--config", lab.home / "labferry.conf", "journal", "export"], check=False,
                                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        rows = [json.loads(line) for line in export.stdout.splitlines()]
        self.assertEqual([row["row"]["state"] for row in rows if row.get("table") == "job" and "row" in row], ["done"])

    def good_end(self):
        if self._testMethodName == "test_damage_while_running":
            self.bench.unmount()
            self.disk.unmount()
            for word in ("AddressSanitizer", "runtime error:"):
                self.assertNotIn(word, self.lab.log("agent"))
        else:
            super().good_end()


class Spool(OnSmallDisks):
    def spooled(self, job):
        return self.lab.home / f"state/spool/job-{job['id']}"

    def fetched(self):
        """A worklist that is in the spool, while its instrument is paused."""
        lab = self.lab
        self.begin(hamilton=None)
        lab.ask("pause", instrument="hamilton-1")
        files = [lab.generate()]
        return files, lab.until("it is fetched", lambda: next((j for j in lab.jobs() if j["step"] == "turn"), None))

    def fetched_anew(self, files, job):
        self.lab.ask("resume", instrument="hamilton-1")
        self.once(files)
        self.assertIn("fetched again", json.dumps(self.lab.job(job["id"])["history"]))

    def test_worklist_damaged(self):
        """a worklist damaged in the spool is fetched again, and never delivered as it is"""
        files, job = self.fetched()
        path = self.spooled(job)
        data = path.read_bytes()
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        self.fetched_anew(files, job)

    def test_worklist_missing(self):
        """a worklist missing from the spool is fetched again"""
        files, job = self.fetched()
        self.spooled(job).unlink()
        self.fetched_anew(files, job)

    def spooled_result(self):
        """A result that is in the spool, while the cloud takes nothing."""
        lab = self.lab
        self.begin()
        lab.fault("status", status=503, count=0, method="POST", path="/blobs*")
        files = [lab.generate()]
        return files, lab.until("it waits for the cloud", lambda: next(
            (j for j in lab.jobs(state="waiting") if j["step"] == "upload"), None))

    def collected_anew(self, files, job):
        lab = self.lab
        original = next((lab.home / "hamilton/results").glob("*.csv")).read_bytes()
        lab.clear_faults()
        self.retry_waiting()
        self.once(files, results=1)
        self.assertIn("collected again", json.dumps(lab.job(job["id"])["history"]))
        [processor] = lab.cloud_state()["processors"]
        self.assertEqual(sha256(lab.ask_cloud(f"/sim/blobs/{processor['file']['id']}")), sha256(original))

    def test_result_damaged(self):
        """a result damaged in the spool is collected again from the instrument"""
        files, job = self.spooled_result()
        self.spooled(job).write_bytes(b"Well,Absorbance\nA1,9.9\n")
        self.collected_anew(files, job)

    def test_result_missing(self):
        """a result missing from the spool is collected again from the instrument"""
        files, job = self.spooled_result()
        self.spooled(job).unlink()
        self.collected_anew(files, job)

    def test_result_and_original_gone(self):
        """a result damaged in the spool and gone from its instrument is held with the reason; a retry succeeds once the file is back"""
        lab = self.lab
        files, job = self.spooled_result()
        original = next((lab.home / "hamilton/results").glob("*.csv"))
        away = lab.home / "away.csv"
        shutil.copy2(original, away)
        os.link(original, original.with_name(".kept"))
        original.unlink()
        self.spooled(job).write_bytes(b"Well,Absorbance\nA1,9.9\n")
        lab.clear_faults()
        self.retry_waiting()
        held = lab.until("it is held", lambda: next(iter(lab.jobs(state="held")), None))
        self.assertIn("the original is gone", held["note"])
        self.assertEqual(lab.cloud_state()["processors"], [])
        original.with_name(".kept").rename(original)
        lab.ask("retry", job=job["id"])
        self.once(files, results=1)


if __name__ == "__main__":
    unittest.main()
