"""Files and answers that are cut, slow, endless or altered on their way, in both directions: nothing arrives in part, nothing is kept in part,
and what is done again is done once."""
import json
import sqlite3
import unittest

from carrying import LARGE, PLATE, Carrying
from front import Front
from whole import sha256, without_quarantine

SIDE_BY_SIDE = 3
MB = 1_000_000
FILE = "Sample,Volume\n" + "S-1,50.000\n" * 200_000  # 2.2 MB
DRIPPING = {"kind": "slow", "bytesPerSecond": 20}


class Down(Carrying):
    def struck_once(self, words, path="/presigned/*", start={}, **fault):
        """The download fails once: the job says so, and then the file arrives whole, without a person."""
        self.start(**start)
        self.lab.fault(**fault, path=path)
        self.send_down(content=FILE)
        self.seen("deliver", words)
        self.wait("deliver")
        self.delivered_once(content=FILE)
        self.nothing_half()

    def nothing_half(self):
        self.assertEqual([path.name for path in (self.lab.home / "state/spool").rglob("*") if path.is_file()], [])

    def test_reset(self):
        """a connection reset in the middle of a file: the file is fetched again, whole"""
        self.struck_once("connection broke", kind="reset-mid", bytes=MB)

    def test_cut(self):
        """a file that ends before its length is fetched again, whole"""
        self.struck_once("cut off", kind="truncated", bytes=MB)

    def test_page(self):
        """a sign-in page in place of a file never reaches the instrument"""
        self.struck_once("got a web page instead of the file", kind="html")

    def test_wrong_digest(self):
        """a file that does not match the store's digest is fetched again, and the log says so"""
        self.altered("wrong-digest")

    def test_wrong_length(self):
        """so is a file without its last byte"""
        self.altered("wrong-length")

    def altered(self, kind):
        self.start()
        self.lab.fault(kind, path="/presigned/*")
        self.send_down(content=FILE)
        self.wait("deliver")
        self.delivered_once(content=FILE)
        self.assertIn("does not have the digest that the file store states", self.lab.log("agent"))
        self.assertEqual(self.lab.requests("presignedDownload"), {"200": 2})

    def test_standing(self):
        """a stalled download is given up and repeated"""
        self.stall_after(1000)
        self.struck_once("no answer in time", kind="latency", ms=15000)

    def test_slow(self):
        """a slow download goes on as long as data arrives"""
        self.stall_after(4000)
        self.start(cloud='request_timeout = "1s";')
        self.lab.fault("slow", bytesPerSecond=300_000, path="/presigned/*")
        self.send_down(content=FILE)
        self.wait("deliver")
        self.delivered_once(content=FILE)
        self.assertEqual(self.lab.requests("presignedDownload"), {"200": 1})

    def test_endless(self):
        """an endless file is cut at file_max, on disk too; then the file is fetched again"""
        self.struck_once("larger than the limit of 3000000 bytes", kind="endless", start={"agent": 'file_max = "3MB";'})
        self.assertLess(max(self.sizes), 3.2 * MB)

    def seen(self, kind, words, name=""):
        self.sizes = [0]

        def watch():
            self.sizes += [path.stat().st_size for path in (self.lab.home / "state/spool").rglob("*") if path.is_file()]
            return False
        self.lab.until("it ends", lambda: watch() or self.times_said(self.job_of(kind, name) or {"history": []}, words))
        return super().seen(kind, words, name)

    def test_too_large(self):
        """a file that is announced as larger than file_max fails its job with the reason; nothing reaches the instrument"""
        self.start(agent='file_max = "1MB";')
        self.send_down(content=FILE)
        job = self.wait("deliver", states=("failed",))
        self.assertIn("larger than the limit of 1000000 bytes", job["note"])
        self.assertEqual(self.lab.worklists(), {})


class Answers(Carrying):
    def test_dripping(self):
        """an answer that trickles in is ended by request_timeout, and asked for again"""
        self.start(cloud='request_timeout = "1s";')
        self.lab.fault(**DRIPPING, path="/automation-input-generators/*")
        self.send_down()
        self.seen("deliver", "not finished before its deadline")
        self.wait("deliver")
        self.delivered_once()

    def test_endless(self):
        """endless answers are bounded in memory, and asked for again"""
        without_quarantine(self)
        self.start()
        before = self.lab.memory()
        for path in ("/automation-input-generators/*", "/assay-runs/*"):
            self.lab.fault("endless", path=path)
        run = self.send_down()
        self.send_up("a.csv", PLATE, run)
        for kind in ("deliver", "collect"):
            self.seen(kind, "larger than the limit")
            self.wait(kind)
        self.delivered_once()
        self.collected_once(run, PLATE)
        self.assertLess(self.lab.memory() - before, 2 * 40 * MB, "twice 8 MiB, and what the sanitizers keep of them")


class Up(Carrying):
    def test_reset(self):
        """a connection that is reset in the middle of an upload: the file arrives whole, attached once; a part that arrived is kept"""
        self.start()
        # Until the job says so: libcurl itself retries on a connection that was used before.
        self.lab.fault("reset-request", bytes=100_000, method="POST", path="/blobs", count=0)
        self.lab.fault("reset-request", bytes=3 * MB, method="POST", path="/blobs/*/parts", count=0, after=1)
        run = self.send_up("large.bin", LARGE)
        self.send_up("small.bin", LARGE[:200_000], run)
        for name in ("large.bin", "small.bin"):
            self.seen("collect", "connection broke", name)
        self.lab.clear_faults()
        for name in ("large.bin", "small.bin"):
            self.wait("collect", name)
        self.collected_once(run, LARGE, LARGE[:200_000])
        self.assertEqual(self.lab.requests("createBlobPart").get("200"), 2)
        self.assertEqual([path.name for path in (self.lab.home / "state/spool").rglob("*") if path.is_file()], [])

    def test_altered(self):
        """an upload that is corrupted on its way is refused by its digest: the result is held, and correct after a retry"""
        self.start()
        self.lab.stop("agent")
        front = Front(int(self.lab.tenant.rsplit(":", 1)[1]))
        self.addCleanup(front.shut)
        altered = []

        def alter(data):
            changed = data.replace(b"V2VsbCxBYnNv", b"V2VsbCxBYnNw") if not altered else data  # "Well,Abso", "Well,Absp"
            altered.extend([True] if changed != data else [])
            return changed
        front.spoil = alter
        self.lab.write_config(self.text, tenant=f"http://127.0.0.1:{front.port}")
        self.lab.start_agent()
        run = self.send_up("a.csv", PLATE)
        job = self.wait("collect", states=("held",))
        self.assertIn("md5", job["note"])
        self.assertEqual((altered, self.attached(run)), ([True], []))
        self.retry_all()
        self.wait("collect")
        self.collected_once(run, PLATE)

    def test_part_size(self):
        """an upload in parts goes on with the part size it began with, whatever this version would choose"""
        lab = self.lab
        self.start()
        lab.fault("status", status=503, path="/blobs/*/parts", count=0)
        run = self.send_up("large.bin", LARGE)
        job = lab.until("the upload has begun", lambda: (lambda job: job and job["fields"].get("part_size") and job)(
            self.job_of("collect")))
        lab.stop("agent", 9)
        self.begun_by_another_version(job["id"], 7 * MB)
        lab.clear_faults()
        lab.start_agent()
        self.wait("collect")
        blob, = lab.cloud_state()["blobs"]
        sent = [request["bodyBytes"] for request in lab.ask_cloud("/sim/requests")["requests"]
                if request["operation"] == "createBlobPart" and request["status"] == 200]
        self.assertEqual([size // 1000 for size in sent], [7 * MB * 4 // 3 // 1000, (len(LARGE) - 7 * MB) * 4 // 3 // 1000])
        self.assertEqual(blob["sha256"], sha256(LARGE))
        self.collected_once(run, LARGE)

    def begun_by_another_version(self, number, size):
        """As if the agent that began the upload had used parts of another size."""
        with sqlite3.connect(self.lab.home / "state/journal.db") as journal:
            facts = json.loads(journal.execute("SELECT facts FROM job WHERE id = ?", (number,)).fetchone()[0])
            self.assertEqual(facts["part_size"], 6 * MB)
            facts["part_size"] = size
            journal.execute("UPDATE job SET facts = ? WHERE id = ?", (json.dumps(facts), number))
        journal.close()


if __name__ == "__main__":
    unittest.main()
