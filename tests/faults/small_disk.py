"""Small disks for tests: tmpfs in a mount namespace of this process, which all its children share.

prepare() is called once, before any part is started; it raises SkipTest with the reason where the kernel forbids namespaces.
"""
import ctypes
import errno
import faulthandler
import os
import pathlib
import shutil
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "blackbox"), str(HERE.parent / "crash")]
from main_job import PROCEDURE  # noqa: E402
from whole import SOURCE, Refused, WithLab, config, sha256  # noqa: E402

NEW_MOUNTS, NEW_USER = 0x00020000, 0x10000000
PRIVATE, RECURSIVE, REMOUNT, READ_ONLY = 1 << 18, 1 << 14, 1 << 5, 1 << 0
DETACH = 2
KB, MB = 1000, 1_000_000

libc = ctypes.CDLL(None, use_errno=True)


def call(name, *args):
    if getattr(libc, name)(*args) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")


def prepare():
    uid, gid = os.getuid(), os.getgid()
    try:
        if uid == 0:
            call("unshare", NEW_MOUNTS)
        else:
            faulthandler.cancel_dump_traceback_later()  # it is a thread, and a process with threads may not
            call("unshare", NEW_MOUNTS | NEW_USER)
            for name, line in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
                with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                    file.write(line)
        call("mount", b"none", b"/", None, RECURSIVE | PRIVATE, None)
    except OSError as refusal:
        raise unittest.SkipTest(f"no mount namespace here ({refusal})") from refusal


class SmallDisk:
    def __init__(self, folder, size, names=None):
        """`names` bounds the files and folders on it (inodes)."""
        self.folder, self.size = folder, size
        folder.mkdir(parents=True, exist_ok=True)
        try:
            call("mount", b"tmpfs", str(folder).encode(), b"tmpfs", 0, f"size={size},mode=0755{f',nr_inodes={names}' if names else ''}".encode())
        except OSError as refusal:
            raise unittest.SkipTest(f"no tmpfs can be mounted here ({refusal})") from refusal
        self.ballast = folder / "ballast"

    def free(self):
        return shutil.disk_usage(self.folder).free

    def fill(self, leave=0):
        """Leaves so many bytes free, whole pages. Others may be writing meanwhile."""
        with open(self.ballast, "ab") as file:
            while (more := (self.free() - leave) // 4096 * 4096) > 0:
                try:
                    os.posix_fallocate(file.fileno(), 0, file.seek(0, os.SEEK_END) + more)
                except OSError as refusal:
                    if refusal.errno != errno.ENOSPC:
                        raise

    def use_up_names(self):
        """From here on no file can be created."""
        (self.folder / "names").mkdir()
        try:
            for number in range(1000):
                (self.folder / "names" / str(number)).touch()
        except OSError as refusal:
            if refusal.errno != errno.ENOSPC:
                raise

    def make_room(self):
        self.ballast.unlink(missing_ok=True)
        shutil.rmtree(self.folder / "names", ignore_errors=True)

    def remount(self, size=None, read_only=False):
        self.size = size or self.size
        call("mount", b"tmpfs", str(self.folder).encode(), b"tmpfs", REMOUNT | (READ_ONLY if read_only else 0),
             f"size={self.size}".encode())

    def unmount(self):
        call("umount2", str(self.folder).encode(), DETACH)


class OnSmallDisks(WithLab):
    """Journal and spool lie on self.disk, the instrument's folders on self.bench."""

    def begin(self, text=None, size=16 * MB, bench=8 * MB, names=None, **more):
        lab = self.lab
        self.disk, self.bench = SmallDisk(lab.home / "state", size, names), SmallDisk(lab.home / "hamilton", bench)
        (lab.home / "balance.profile").write_text((SOURCE / "etc/profiles/mt-sics.profile").read_text() + PROCEDURE)
        lab.start_all(text, **more)

    @staticmethod
    def tare_config(**more):
        """A task tares first, which is done once only."""
        return config(procedure="tare-then-weigh", **more).replace("%(profiles)s/mt-sics.profile", "%(home)s/balance.profile")

    def good_end(self):
        """The journal is whole, and so is the audit trail."""
        try:
            if "agent" in self.lab.parts:
                self.assertEqual(self.lab.labferry("audit", "verify")[0], 0)
            super().good_end()
            status, report = self.lab.labferry("journal", "check")
            self.assertEqual((status, report.get("problems")), (0, []), report)
        finally:
            self.bench.unmount()
            self.disk.unmount()

    def needs(self):
        try:
            return " | ".join(need["what"] for need in self.lab.ask("status")["needs"])
        except (OSError, ValueError, Refused):
            return ""

    def status_says(self, *words):
        return self.lab.until(f"status says {words}", lambda: (lambda said: all(w in said for w in words) and said)(self.needs()))

    def status_is_clear(self):
        """Nothing goes on that needs a person; what happened stays until it is acknowledged."""
        self.lab.until("nothing needs a person", lambda: self.lab.online() and self.all_acknowledged() and not self.needs())

    def all_acknowledged(self):
        try:
            return self.lab.ask("acknowledge", all=True) is not None
        except (OSError, ValueError, Refused):
            return False

    def done(self, kind):
        return len([job for job in self.lab.jobs() if job["kind"] == kind and job["state"] == "done"])

    def once(self, files=(), tasks=(), results=0):
        """Everything is done, each once."""
        lab, kinds = self.lab, ("deliver", "collect", "task")
        lab.until("all is done", lambda: [self.done(kind) for kind in kinds] == [len(files), results, len(tasks)] and lab.all_over(),
                  120)
        self.assertEqual([job for job in lab.jobs() if job["state"] != "done"], [])
        if not results:  # else the instrument has taken them
            self.assertEqual(sorted(sha256(data) for copies in lab.worklists().values() for data in copies),
                             sorted(file["sha256"] for file in files))
        self.assertEqual([processor["status"] for processor in lab.cloud_state()["processors"]], ["SUCCEEDED"] * results)
        for task in tasks:
            self.assertEqual((lab.task_status(task), len(lab.outputs(task))), ("COMPLETED", 1), lab.story())

    def tared(self):
        return self.lab.balance_state()["moved"]["tare"]

    def retry_waiting(self):
        """Back-off may be long, and a test is not patient."""
        for job in self.lab.jobs(state="waiting"):
            self.lab.ask("retry", job=job["id"])

    @staticmethod
    def stands_still(seconds=1.0):
        """Long enough for something to happen that must not."""
        time.sleep(seconds)
