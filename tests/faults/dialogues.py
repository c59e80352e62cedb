"""Many dialogues at once, each with a fault at a place of its own.

One agent has as many balances as there are places; behind each is a simulator that counts what it does, and in front of it a cable
that a test can cut after any byte, in either direction.
"""
import concurrent.futures
import contextlib
import json
import select
import socket
import subprocess
import threading

from whole import SOURCE, WithLab, config

CALLERS = 12  # the agent serves not many more at once
PROCEDURES = """
[procedure just-tare]
help   = 'Tare: class once'
do     = tare
result = value as tare

[procedure just-clear]
help   = 'Forget the tare: idempotent'
do     = clear-tare
"""


class Cable:
    """Passes bytes on between the agent and a simulator. From the first byte of `command` on it counts, and after `count` bytes in
    the direction `way` ("up" to the instrument, "down" from it) does what `how` says, once:
    "unplug" ends both connections; "silence" loses all that comes in that direction for a while; "garbage" destroys it."""
    LOST = 200  # bytes that silence and garbage last

    def __init__(self, to, command, way, count, how):
        self.to, self.command, self.way, self.count, self.how = to, command, way, count, how
        self.armed, self.counting, self.lost = True, False, 0
        self.up = self.down = 0
        self.seen = b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.stream = f"tcp:127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def serve(self):
        while True:
            try:
                host, _ = self.listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), host, socket.create_connection(self.to) as device:
                self.lost = 0
                self.carry(host, device)

    def carry(self, host, device):
        while True:
            for source in select.select([host, device], [], [])[0]:
                up = source is host
                data = source.recv(4096)
                if not data:
                    return
                for byte in data:
                    if not self.carry_byte(bytes([byte]), up, device if up else host):
                        return

    def carry_byte(self, byte, up, target):
        if up:
            self.seen = (self.seen + byte)[-64:]
            begins = self.armed and byte == self.command[:1] and (len(self.seen) == 1 or self.seen[-2:-1] == b"\n")
            self.counting = self.counting or begins
        mine = self.counting and self.armed and up == (self.way == "up")
        done = self.up if up else self.down
        if mine and done == self.count:
            self.armed, self.lost = False, self.LOST
            if self.how == "unplug":
                return False
        if self.counting:
            self.up += up
            self.down += not up
        if not self.armed and up == (self.way == "up") and self.lost > 0 and self.how in ("silence", "garbage"):
            self.lost -= 1
            if self.how == "silence":
                return True
            byte = bytes([byte[0] | 0x80])
        target.sendall(byte)
        if mine and self.armed and done + 1 == self.count and self.how == "unplug":  # right behind the last one that passes
            self.armed = False
            return False
        return True


class Dialogues(WithLab):
    def setUp(self):
        super().setUp()
        self.sims, self.cables = [], []
        self.addCleanup(self.end_all)

    def end_all(self):
        self.lab.stop("agent")
        for cable in self.cables:
            cable.close()
        for sim in self.sims:
            sim.terminate()
        for sim in self.sims:
            sim.wait(20)
            sim.stdout.close()

    def balance(self, number, *options):
        """A simulator on TCP; returns (host, port)."""
        sim = subprocess.Popen([self.lab.program("labferry-sim-balance"), "--tcp", "127.0.0.1:0", "--weight", "12.34", "--state",
                                str(self.lab.home / f"sim{number}.json"), "--control", str(self.lab.home / f"sim{number}.ctl"),
                                *options], stdout=subprocess.PIPE, text=True)
        self.sims.append(sim)
        word, _, stream = sim.stdout.readline().strip().partition(" ")
        self.assertEqual(word, "ready")
        return "127.0.0.1", int(stream.rpartition(":")[2])

    def state(self, number):
        return json.loads((self.lab.home / f"sim{number}.json").read_text())

    def tell(self, number, line):
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(str(self.lab.home / f"sim{number}.ctl"))
            control.sendall(line.encode() + b"\n")
            with control.makefile() as answer:
                return answer.readline().rstrip("\n")

    def start(self, streams, wait="400ms", more=""):
        """The agent, with a balance for each stream: b0, b1 ... Their answers are waited for not quite as long as usual."""
        lab = self.lab
        text = (SOURCE / "etc/profiles/mt-sics.profile").read_text()
        text = text.replace("first_byte = 60s", f"first_byte = {wait}").replace("first_byte = 3s", f"first_byte = {wait}")
        text = text.replace("gap        = 500ms", "gap        = 200ms").replace("quiet      = 300ms", "quiet      = 100ms")
        (lab.home / "quick.profile").write_text(text + PROCEDURES)
        instruments = tuple(f'{{ name = "b{number}"; driver = "line"; stream = "{stream}"; profile = "%(home)s/quick.profile"; '
                            f'expect_identity = "B021002593"; {more} }}' for number, stream in enumerate(streams))
        lab.tenant = "http://127.0.0.1:9"  # nobody: this is between the agent and the instruments
        lab.write_config(config(link="", cloud='events = "poll"; poll_interval = "1h";', routes=(), instruments=instruments))
        lab.start_agent()
        lab.until("all are connected", self.all_connected)

    def all_connected(self):
        return all(info["state"] in ("idle", "busy") for info in self.lab.ask("instruments"))

    def side_by_side(self, work, items):
        with concurrent.futures.ThreadPoolExecutor(CALLERS) as pool:
            return list(pool.map(work, items))
