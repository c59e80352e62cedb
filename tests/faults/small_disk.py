"""Small disks for tests: tmpfs in a mount namespace of this process, which all its children share.

prepare() is called once, before any part is started; it raises SkipTest with the reason where the kernel forbids namespaces.
"""
import ctypes
import faulthandler
import os
import shutil
import unittest

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
    def __init__(self, folder, size):
        self.folder, self.size = folder, size
        folder.mkdir(parents=True, exist_ok=True)
        try:
            call("mount", b"tmpfs", str(folder).encode(), b"tmpfs", 0, f"size={size},mode=0755".encode())
        except OSError as refusal:
            raise unittest.SkipTest(f"no tmpfs can be mounted here ({refusal})") from refusal
        self.ballast = folder / "ballast"

    def free(self):
        return shutil.disk_usage(self.folder).free

    def fill(self, leave=0):
        """Leaves so many bytes free, whole pages."""
        with open(self.ballast, "ab") as file:
            os.posix_fallocate(file.fileno(), 0, file.seek(0, os.SEEK_END) + max(self.free() - leave, 0) // 4096 * 4096 or 1)

    def make_room(self):
        self.ballast.unlink(missing_ok=True)

    def remount(self, size=None, read_only=False):
        self.size = size or self.size
        call("mount", b"tmpfs", str(self.folder).encode(), b"tmpfs", REMOUNT | (READ_ONLY if read_only else 0),
             f"size={self.size}".encode())

    def unmount(self):
        call("umount2", str(self.folder).encode(), DETACH)
