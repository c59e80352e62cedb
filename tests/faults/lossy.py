"""A network that can fail: two network namespaces, joined by a line that loses packets, or all of them, on command.

    line = Lossy()              # SkipTest with the reason where the kernel forbids it
    subprocess.Popen([*line.far, "ping", NEAR_ADDRESS])  # `far` runs a command at the other end
    line.loss = 0.2             # every fifth packet is lost, each way
    line.cut = True             # nothing passes any more, silently
    line.close()

From Lossy() on, the calling thread (and what it starts) lives at the near end, in a namespace of its own; call it first, in the
main thread. The far end is held by a process that ends with this one. Each end has one TUN device; threads of this process carry
the packets between the two, so that the kernel needs no packet scheduler and no firewall. Nothing outside is touched, and all of it
vanishes with the processes.
"""
import ctypes
import fcntl
import os
import pathlib
import random
import select
import signal
import struct
import subprocess
import threading
import unittest

NEAR_ADDRESS, FAR_ADDRESS = "10.77.0.1", "10.77.0.2"
CLONE_NEWNET = 0x40000000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
MTU_ROOM = 65536
LIBC = ctypes.CDLL(None, use_errno=True)


def _call(function, *args):
    if function(*args) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def _device(address, peer):
    """A TUN device in the namespace of this thread."""
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", b"line", IFF_TUN | IFF_NO_PI))
    for words in (f"addr add {address} peer {peer} dev line", "link set line up", "link set lo up"):
        subprocess.run(["ip", *words.split()], check=True, capture_output=True, timeout=30)
    return fd


class Lossy:
    def __init__(self, seed=1):
        self.loss, self.cut = 0.0, False
        self.passed = self.lost = 0
        self.dice = random.Random(seed)
        self.holder = self.far_name = None
        self.ends = []
        try:
            self._open()
        except (OSError, subprocess.SubprocessError) as trouble:
            self.close()
            raise unittest.SkipTest(f"no network of our own here: {trouble}") from trouble
        self.stop_fd = os.eventfd(0)
        self.carrier = threading.Thread(target=self._carry, daemon=True)
        self.carrier.start()

    def _open(self):
        self.holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo ready; exec cat"], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if self.holder.stdout.readline() != b"ready\n":
            raise OSError(self.holder.stderr.read().decode(errors="replace").strip() or "unshare failed")
        far = f"/proc/{self.holder.pid}/ns/net"
        if os.readlink(far) == os.readlink("/proc/self/ns/net"):
            raise OSError("unshare did nothing")
        self.far, self.far_name = ["nsenter", f"--net={far}"], os.readlink(far)
        self._enter(far)
        self.ends.append(_device(FAR_ADDRESS, NEAR_ADDRESS))
        _call(LIBC.unshare, CLONE_NEWNET)
        self.ends.append(_device(NEAR_ADDRESS, FAR_ADDRESS))

    @staticmethod
    def _enter(path):
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _call(LIBC.setns, fd, CLONE_NEWNET)
        finally:
            os.close(fd)

    def _carry(self):
        other = {self.ends[0]: self.ends[1], self.ends[1]: self.ends[0]}
        while True:
            ready = select.select([*self.ends, self.stop_fd], [], [])[0]
            if self.stop_fd in ready:
                return
            for fd in ready:
                packet = os.read(fd, MTU_ROOM)
                if self.cut or self.dice.random() < self.loss:
                    self.lost += 1
                    continue
                try:
                    os.write(other[fd], packet)
                    self.passed += 1
                except OSError:
                    self.lost += 1  # its queue is full: a loss as well

    def _end_far(self):
        """Ends what still lives at the far end: a forwarder's children wait for a peer that will never answer."""
        for entry in pathlib.Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and int(entry.name) != self.holder.pid and os.readlink(entry / "ns/net") == self.far_name:
                    os.kill(int(entry.name), signal.SIGKILL)
            except OSError:
                pass  # ended meanwhile

    def close(self):
        if hasattr(self, "carrier"):
            os.eventfd_write(self.stop_fd, 1)
            self.carrier.join()
            os.close(self.stop_fd)
        for fd in self.ends:
            os.close(fd)
        self.ends = []
        if self.far_name:
            self._end_far()
        if self.holder:
            self.holder.stdin.close()
            self.holder.wait()
            self.holder.stdout.close()
            self.holder.stderr.close()
            self.holder = self.far_name = None
