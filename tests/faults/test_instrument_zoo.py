"""What an outbox can hold beside results: links, devices, sockets, giants, names that steer terminals, folders that are swapped."""
import os
import pathlib
import random
import socket
import stat
import subprocess
import threading
import time
import unittest

from whole import BY_NAME, FAST, PLATE, SOON, WithLab, config

SECRET = "TOP-SECRET\n"
SWAPPED_S = 6
HUGE = 10 * 2**40  # bytes, of a sparse file
ODD_NAMES = (b"\xff\xfe.csv", b"a\nb.csv", "x\u202egnp.csv".encode(), b"CON.csv", b"sp .csv ", "\u00e9.csv".encode(),
             "e\u0301.csv".encode(), b"esc\x1b[31m.csv", b"q'\"$(id);.csv", b"..dots.csv", b"-rf.csv", b"%2e%2e%2f.csv",
             b"a" * 190 + b".csv")


class Zoo(WithLab):
    def start(self):
        lab = self.lab
        lab.start_all(config(match=BY_NAME, agent='file_max = "50MB";', hamilton="depth = 3;").replace('results = [ "*.csv", "*.bin" ];', ""),
                      hamilton=None, balance=None, cloud=(*FAST, "--rate-limit", "1000000"))
        self.outbox = lab.home / "hamilton/results"
        self.secret = lab.home / "secret.txt"
        self.secret.write_text(SECRET)
        (lab.home / "elsewhere").mkdir()
        (lab.home / "elsewhere" / f"{lab.run}_in.csv").write_text(SECRET)

    def needs(self):
        return " | ".join(need["what"] for need in self.lab.ask("status")["needs"])

    def collected(self):
        return [job for job in self.lab.jobs() if job["kind"] == "collect" and job["state"] == "done"]

    def seen_by_people(self, *words):
        return subprocess.run([self.lab.program("labferry"), "--config", str(self.lab.home / "labferry.conf"), *words], check=False,
                              capture_output=True, timeout=SOON).stdout.decode()

    def nothing_leaked(self):
        lab = self.lab
        for blob in lab.cloud_state()["blobs"]:
            content = lab.ask_cloud(f"/sim/blobs/{blob['id']}")
            self.assertNotIn(SECRET.strip(), content.decode(errors="replace") if isinstance(content, bytes) else str(content))
        self.assertEqual(self.secret.read_text(), SECRET)
        self.assertEqual((lab.home / "elsewhere" / f"{lab.run}_in.csv").read_text(), SECRET)
        self.assertEqual(len(list((lab.home / "elsewhere").iterdir())), 1)

    def test_no_results(self):
        """links, devices, sockets and a file of 10 TB are neither followed, opened nor copied, and a person sees each"""
        self.start()
        lab, out, run = self.lab, self.outbox, self.lab.run
        os.symlink(self.secret, out / f"{run}_link.csv")
        os.symlink(lab.home / "elsewhere", out / "linked")
        os.mkfifo(out / f"{run}_pipe.csv")
        at = socket.socket(socket.AF_UNIX)
        self.addCleanup(at.close)
        place = os.open(out, os.O_PATH)  # its whole path may be too long for an address
        at.bind(f"/proc/self/fd/{place}/{run}_socket.csv")
        os.close(place)
        kinds = ["link", "pipe", "socket"]
        try:
            os.mknod(out / f"{run}_zero.csv", 0o600 | stat.S_IFCHR, os.makedev(1, 5))
            kinds.append("zero")
        except PermissionError:  # only root can make a device
            pass
        with open(out / f"{run}_huge.csv", "wb") as file:
            file.truncate(HUGE)
        for kind in kinds:
            lab.until(f"the {kind} is named", lambda kind=kind: f"{run}_{kind}.csv" in self.needs())
        huge = lab.until("the giant is refused", lambda: [job for job in lab.jobs(state="held") if "_huge.csv" in job["what"]])
        self.assertIn("more than the limit of 50000000", lab.job(huge[0]["id"])["note"])
        lab.result(f"{run}_good.csv", PLATE)
        lab.until("a good one is collected", lambda: [job for job in self.collected() if "_good.csv" in job["what"]])
        self.assertEqual(len(self.collected()), 1)
        self.nothing_leaked()

    def test_odd_names(self):
        """results with names that hold control characters, quotes, dots or no UTF-8 are each collected, and no name steers a terminal"""
        self.start()
        lab = self.lab
        for number, name in enumerate(ODD_NAMES):
            path = os.fsencode(self.outbox) + b"/" + lab.run.encode() + b"_" + name
            pathlib.Path(os.fsdecode(path)).write_text(f"{PLATE}# {number},1\n")
        future = self.outbox / f"{lab.run}_future.csv"
        future.write_text(f"{PLATE}# future,1\n")
        os.utime(future, (2**33, 2**33))
        lab.until("all are collected", lambda: len(self.collected()) == len(ODD_NAMES) + 1)
        self.assertEqual({p["status"] for p in lab.cloud_state()["processors"]}, {"SUCCEEDED"})
        shown = lab.log("agent") + self.seen_by_people("jobs", "--limit", "100") + self.seen_by_people("status") + "".join(
            self.seen_by_people("job", str(job["id"])) for job in lab.jobs())
        self.assertIn("esc", shown)
        self.assertEqual([c for c in shown if (ord(c) < 32 and c != "\n") or 0x7f <= ord(c) < 0xa0 or ord(c) == 0x202e], [])

    def test_swapped(self):
        """a folder or file that is swapped for a link while it is read leads nowhere else, and one that always grows is not taken"""
        self.start()
        lab, out, dice, stop = self.lab, self.outbox, random.Random(3), threading.Event()

        def swap(real, link_to):
            aside = real.with_name(f".{real.name}")
            while not stop.is_set():
                try:
                    os.rename(real, aside)
                    os.symlink(link_to, real)
                    time.sleep(dice.random() * 0.01)
                    os.unlink(real)
                    os.rename(aside, real)
                    time.sleep(dice.random() * 0.1)
                except OSError:  # the agent has just moved it
                    if real.is_symlink():
                        real.unlink()
                    return

        def grow():
            while not stop.is_set():
                with open(out / f"{lab.run}_grows.csv", "a", encoding="ascii") as file:
                    file.write("A1,1\n")
                time.sleep(0.05)
        (out / "swap").mkdir()
        (out / "swap" / f"{lab.run}_in.csv").write_text(f"{PLATE}# in,1\n")
        (out / f"{lab.run}_file.csv").write_text(f"{PLATE}# file,1\n")
        threads = [threading.Thread(target=grow, daemon=True),
                   threading.Thread(target=swap, args=(out / "swap", lab.home / "elsewhere"), daemon=True),
                   threading.Thread(target=swap, args=(out / f"{lab.run}_file.csv", self.secret), daemon=True)]
        for thread in threads:
            thread.start()
        time.sleep(SWAPPED_S)
        self.assertEqual([job["what"] for job in lab.jobs() if "_grows" in job["what"]], [])
        stop.set()
        for thread in threads:
            thread.join()
        lab.until("all three are collected in the end",
                  lambda: len({job["what"] for job in lab.jobs() if job["kind"] == "collect"}) == 3 and lab.all_over())
        self.nothing_leaked()


if __name__ == "__main__":
    unittest.main()
