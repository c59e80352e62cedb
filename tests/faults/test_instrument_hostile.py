"""Instruments that answer a command that moves something with anything but its answer: it is sent once, and a person sees why it is held."""
import os
import socket
import struct
import threading
import time
import unittest

from whole import SOON, WithLab, config, without_quarantine

PROFILE = """\
[profile]
title = 'counter'
[line]
send_end = '<LF>'
reply = line '<LF>'
first_byte = 2s
gap = 1s
total = 5s
quiet = 100ms
[identify]
send = 'ID'
expect = 'ID {identity}'
[command bump]
class = once
send = 'BUMP {sample}'
input = sample text 1 to 60
expect = 'OK {n:int}'
[procedure bump]
input = sample text 1 to 60
do = bump sample={sample}
result = n as weight
"""


def drip(peer):
    """A reply that goes on for ever, in time for the gap, without an end."""
    while True:
        peer.sendall(b"O")
        time.sleep(0.3)


def flood(peer):
    while True:
        peer.sendall(b"X" * 65536)


def reset(peer):
    peer.sendall(b"O")
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(peer.detach())  # the file made from it would keep it open


def late(peer):
    time.sleep(3)
    peer.sendall(b"OK 777\n")


# name: (what it does after the command, what the job says; None: the job is done)
PEERS = {
    "drip": (drip, "did not end in the time that it has"),
    "flood": (flood, "no end within max_reply"),
    "terminal": (lambda peer: peer.sendall(b"OK \x00\x1b]0;pwn\x07\xff\xfe 1\n"), "the instrument answered"),
    "late": (late, "no answer within 2 s"),
    "reset": (reset, "connection lost"),
    "long": (lambda peer: peer.sendall(b"OK " + b"9" * 100_000 + b"\n"), "no end within max_reply"),
    "number": (lambda peer: peer.sendall(b"OK -99999999999999999999999999\n"), "the instrument answered"),
    "echo": (lambda peer: peer.sendall(b"BUMP x\nOK 1\n"), "the instrument answered"),
    "often": (lambda peer: peer.sendall(b"OK 1\n" * 50), None),
}


class Peer:
    def __init__(self, behave):
        self.behave, self.bumps = behave, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        try:
            with peer, peer.makefile("rb") as lines:
                for line in lines:
                    if line.startswith(b"BUMP"):
                        self.bumps += 1
                        self.behave(peer)
                    else:
                        peer.sendall(b"ID CNT1\n")
        except (OSError, ValueError):
            pass


class Hostile(WithLab):
    def start(self, peers):
        lab = self.lab
        lab.start_broker()
        lab.start_cloud("--quiet")
        lab.home.joinpath("counter.profile").write_text(PROFILE)
        instruments = [f'{{ name = "{name}"; driver = "line"; stream = "tcp:127.0.0.1:{peer.port}"; '
                       'profile = "%(home)s/counter.profile"; }' for name, peer in peers.items()]
        lab.write_config(config(instruments=instruments, routes=()))
        lab.start_agent()
        lab.until("all are connected", lambda: {i["state"] for i in lab.ask("instruments")} == {"idle"})

    def bump(self, name, sample="x"):
        return self.lab.ask("run", instrument=name, procedure="bump", inputs={"sample": sample})["id"]

    def test_once(self):
        """whatever an instrument answers to a command that moves something, it is sent once, held with the reason, and others go on"""
        without_quarantine(self)
        lab = self.lab
        peers = {name: Peer(behave) for name, (behave, _) in PEERS.items()}
        peers["good"] = Peer(lambda peer: peer.sendall(b"OK 1\n"))
        for peer in peers.values():
            self.addCleanup(peer.listener.close)
        self.start(peers)
        before = lab.memory()
        jobs = {name: self.bump(name) for name in PEERS}
        for number in range(5):
            lab.wait_state(self.bump("good", f"g{number}"), "done")
        for name, (_, words) in PEERS.items():
            job = lab.wait_state(jobs[name], "held" if words else "done")
            if words:
                self.assertIn(words, job["note"], name)
                self.assertEqual([c for c in job["note"] if ord(c) < 32 or 0x7f <= ord(c) < 0xa0], [], name)
        held = {name: 1 for name in PEERS}
        self.assertEqual({name: peers[name].bumps for name in PEERS}, held)
        needs = " ".join(need["what"] for need in lab.ask("status")["needs"])
        for name, (_, words) in PEERS.items():
            self.assertEqual(words is not None, f"job {jobs[name]} " in needs, (name, needs))
        self.assertLess(lab.memory() - before, 32_000_000)
        lab.restart_agent()
        lab.until("the good one is connected", lambda: lab.ask("instruments", instrument="good")[0]["state"] == "idle")
        lab.wait_state(self.bump("good", "again"), "done")
        self.assertEqual({name: peers[name].bumps for name in PEERS}, held)
        began = time.monotonic()
        self.assertEqual(lab.stop("agent", seconds=SOON), 0)
        self.assertLess(time.monotonic() - began, 15)


if __name__ == "__main__":
    unittest.main()
