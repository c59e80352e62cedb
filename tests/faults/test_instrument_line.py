"""What else goes wrong on the way to an instrument: a stranger on the cable, a port that is taken, a network peer that misbehaves."""
import fcntl
import os
import pathlib
import socket
import struct
import threading
import time
import unittest

from dialogues import Dialogues
from whole import WithLab

QUIET_S = 3
CPU_SHARE = 0.5  # of a processor, with sanitizers
SIDE_BY_SIDE = 3


class Stranger(WithLab):
    def info(self):
        return next(i for i in self.lab.ask("instruments") if i["name"] == "balance-1")

    def heard(self):
        return [line["text"] for line in self.lab.balance_state()["transcript"] if line["from"] == "host"]

    def test_swapped_cable(self):
        """a different balance after a replug is only asked for its identity; work waits, and resumes with the right one"""
        lab = self.lab
        lab.start_all(hamilton=None, balance=("--weight", "4", "--replug", "0"))
        lab.balance("unplug")
        lab.until("it is noticed", lambda: self.info()["state"] == "offline")
        lab.balance("serial B777")
        heard = len(self.heard())
        lab.balance("plug")
        note = lab.until("the stranger is reported", lambda: self.info()["note"] if "B777" in self.info()["note"] else None)
        self.assertIn("B021002593", note)
        task = lab.new_task()
        lab.until("the task waits for it", lambda: [job for job in lab.jobs() if job["step"] == "turn"])
        asked = len(self.heard())
        lab.until("it is asked again who it is", lambda: len(self.heard()) > asked + 1)
        self.assertEqual(set(self.heard()[heard:]), {"@\\r\\n"})
        self.assertEqual((lab.outputs(task), self.info()["state"]), ([], "offline"))
        self.assertTrue(any("B777" in need["what"] for need in lab.ask("status")["needs"]) or
                        lab.until("a person sees it", lambda: any("B777" in need["what"] for need in lab.ask("status")["needs"])))
        lab.balance("unplug")
        lab.balance("serial B021002593")
        lab.balance("plug")
        lab.wait_job("task")
        self.assertEqual(lab.outputs(task), [{"Mass": 4, "Unit": "g"}])

    def test_taken_port(self):
        """a port that another program has open is left alone, and the program is named; work goes on once it is free"""
        lab = self.lab
        lab.start_all(hamilton=None, balance=("--weight", "4"))
        lab.stop("agent")
        port = os.open(lab.home / "balance", os.O_RDWR | os.O_NOCTTY)
        fcntl.flock(port, fcntl.LOCK_EX)
        commands = lab.balance_state()["commands"]
        lab.start_agent()
        note = lab.until("it is reported", lambda: self.info()["note"])
        self.assertRegex(note, rf"python3?.*{os.getpid()}|{os.getpid()}.*python3?")
        task = lab.new_task()
        lab.until("the task waits for it", lambda: [job for job in lab.jobs() if job["step"] == "turn"])
        self.assertEqual(lab.balance_state()["commands"], commands)
        os.close(port)
        lab.wait_job("task")
        self.assertEqual(lab.outputs(task), [{"Mass": 4, "Unit": "g"}])


class Peer:
    """A network peer that takes connections and does with each what `how` does."""

    def __init__(self, how):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.how, self.open, self.count = how, [], 0
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.count += 1
            self.open.append(client)
            threading.Thread(target=self.treat, args=(client,), daemon=True).start()

    def treat(self, client):
        try:
            self.how(client)
        except OSError:
            pass

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for client in self.open:
            client.close()


def reset(client):
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def reset_when_asked(client):
    client.recv(1)
    reset(client)


def half_close(client):
    client.shutdown(socket.SHUT_WR)
    while client.recv(100):
        pass


def silent(client):
    while client.recv(100):
        pass


def deaf(client):
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    time.sleep(100)


def chatter(client):
    while True:
        client.sendall(b"S D     1.23 g\r\n" * 50)
        time.sleep(0.01)


def garbage(client):
    while True:
        client.sendall(os.urandom(2000))
        time.sleep(0.01)


def echo(client):
    while data := client.recv(100):
        client.sendall(data)


KINDS = {how.__name__: how for how in (reset, reset_when_asked, half_close, silent, deaf, chatter, garbage, echo)}


class Network(Dialogues):
    def test_peers(self):
        """peers that reset, half-close, stay silent, never stop or send garbage are reported, affect no other instrument and use no CPU time"""
        lab = self.lab
        peers = {name: Peer(how) for name, how in KINDS.items()}
        for peer in peers.values():
            self.addCleanup(peer.close)
        host, port = self.balance(0)
        self.start_without_wait([f"tcp:{host}:{port}"] + [f"tcp:127.0.0.1:{peer.port}" for peer in peers.values()])
        infos = lab.until("all others are offline, with the reason", self.others_offline)
        for name, info in zip(peers, infos):
            self.assertGreater(len(info["note"]), 10, (name, info))
        used, began = self.cpu(), time.monotonic()
        lab.wait_state(lab.ask("run", instrument="b0", procedure="weigh")["id"], "done")
        time.sleep(QUIET_S)
        quiet = [name for name in peers if name not in ("chatter", "garbage")]
        self.assertLess(self.cpu() - used, CPU_SHARE * (time.monotonic() - began), "while these are tried again and again")
        for name in quiet:
            self.assertLess(peers[name].count, 30, name)

    def start_without_wait(self, streams):
        self.all_connected, whole = lambda: True, self.all_connected
        try:
            self.start(streams)
        finally:
            self.all_connected = whole

    def others_offline(self):
        infos = self.lab.ask("instruments")
        first, others = infos[0], infos[1:]
        return others if first["state"] == "idle" and all(i["state"] == "offline" and i["note"] for i in others) else None

    def cpu(self):
        fields = pathlib.Path(f"/proc/{self.lab.parts['agent'].pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    unittest.main()
