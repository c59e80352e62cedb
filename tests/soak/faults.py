"""What goes wrong meanwhile: a deck of faults, drawn one after the other, each undone after a while.

Faults of different parts overlap; of one part there is one at a time."""
import collections
import functools
import pathlib
import random
import signal
import time

import bench
from stage import wait_until

GAP_S = (1, 6)  # between two faults
CLOUD = {
    "500 answers": {"kind": "status", "status": 500, "probability": 0.5}, "502 answers": {"kind": "status", "status": 502},
    "503 answers": {"kind": "status", "status": 503},
    "504 after the act": {"kind": "status", "status": 504, "act": True, "probability": 0.3},
    "429 answers": {"kind": "status", "status": 429, "reset": 2, "probability": 0.5},
    "429 without headers": {"kind": "status", "status": 429, "headers": False, "probability": 0.5},
    "resets before the act": {"kind": "reset-before", "probability": 0.5},
    "resets after the act": {"kind": "reset-after", "method": "POST", "probability": 0.5},
    "resets in mid-answer": {"kind": "reset-mid", "probability": 0.5}, "late answers": {"kind": "latency", "ms": 1500},
    "slow bodies": {"kind": "slow", "bytesPerSecond": 2000, "probability": 0.5},
    "cut bodies": {"kind": "truncated", "probability": 0.3},
    "sign-in pages": {"kind": "html", "status": 503, "probability": 0.5},
    # One at a time: what comes twice with equal bytes is right, whatever the file store states.
    "a wrong digest": {"kind": "wrong-digest", "path": "/presigned/*", "count": 1},
}
LINE = ("silence times=1", "deaf times=1", "delay=3000 times=1", "cut=3 times=1", "garbage times=1", "unplug=3 times=1", "slow=20")
# Not for any command of the voltmeter: nobody could tell a second "1" that comes late from a measured value.
METER = ("twice times=2 on=MEAS:VOLT:DC?",)
BALANCE = ("twice times=2", "chatter=200", "silence times=1 on=T", "deaf times=1 on=T", "garbage times=1 on=T",
           "unplug=4 times=1 on=T", "delay=3000 times=1 on=T")


class Faults:
    def __init__(self, lab, seed, options):
        """options: only (words), gap (seconds, None: GAP_S), quiet(): may the agent not be ended now?"""
        self.lab, self.dice, self.options = lab, random.Random(f"faults-{seed}"), options
        self.kinds = [kind for kind in self.all_kinds() if (options.only or "") in kind[1]]
        self.deck, self.active = [], {}  # group: (until, undo)
        self.counts, self.away, self.trouble = collections.Counter(), [], None

    def all_kinds(self):
        """[(group, name, longest, begin)]; begin() returns what undoes it."""
        kinds = [("cloud", f"cloud: {name}", 8, functools.partial(self.cloud, rule)) for name, rule in CLOUD.items()]
        kinds += [("cloud", "cloud: token revoked", 0, self.revoke), ("relay", "relay: paused", 8, self.pause)]
        kinds += [("broker", "broker: restarted", 4, functools.partial(self.broker, False)),
                  ("broker", "broker: restarted without its memory", 4, functools.partial(self.broker, True))]
        for part, faults in (("balance", LINE + BALANCE), ("meter", LINE + METER)):
            kinds += [(part, f"{part}: {fault}", 10, functools.partial(self.line, part, fault)) for fault in faults]
            kinds.append((part, f"{part}: unplugged", 0, functools.partial(self.unplug, part)))
            kinds.append((part, f"{part}: stands still", 6, functools.partial(self.stand_still, part)))
        kinds.append(("hamilton", "liquid handler: stands still, results half written", 6,
                      functools.partial(self.stand_still, "hamilton")))
        for name, how in (("stopped", signal.SIGTERM), ("killed", signal.SIGKILL)):
            kinds += [("agent", f"agent: {name} and started", 3, functools.partial(self.end_agent, how))] * 4
        return kinds

    # ---- the parts

    def cloud(self, rule):
        number = self.lab.ask_cloud("/sim/faults", {"count": 0, **rule})["id"]
        return lambda: self.lab.ask_cloud(f"/sim/faults?id={number}", method="DELETE")

    def revoke(self):
        self.lab.ask_cloud("/sim/tokens/revoke", {})
        return lambda: None

    def pause(self):
        self.lab.ask_cloud("/sim/relay", {"paused": True})
        return lambda: self.lab.ask_cloud("/sim/relay", {"paused": False})

    def broker(self, forgets):
        self.lab.stop("broker", signal.SIGTERM)
        if forgets:
            (self.lab.home / "mosquitto.db").unlink(missing_ok=True)
        return self.lab.start_broker

    def line(self, part, fault):
        self.lab.tell(part, f"fault {fault}")
        return lambda: self.lab.tell(part, "clear")

    def unplug(self, part):
        self.lab.tell(part, "unplug")
        return lambda: None

    def stand_still(self, part):
        self.lab.parts[part].send_signal(signal.SIGSTOP)
        return lambda: self.lab.parts[part].send_signal(signal.SIGCONT)

    def catches(self, number):
        """Started by a fault a moment ago, the agent may still be loading."""
        status = pathlib.Path(f"/proc/{self.lab.parts['agent'].pid}/status").read_text()
        caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
        return int(caught.split()[1], 16) >> (number - 1) & 1

    def end_agent(self, how):
        if self.lab.parts["agent"].poll() is not None:
            raise RuntimeError("the agent has ended by itself")
        if how == signal.SIGTERM:  # before it catches the signal, no program ends cleanly
            wait_until("the agent catches SIGTERM", lambda: self.lab.alive("agent") and self.catches(how))
        began = time.monotonic()
        self.away.append([began, None])
        status = self.lab.stop("agent", how, seconds=60)
        if status != (0 if how == signal.SIGTERM else -signal.SIGKILL):
            raise RuntimeError(f"the agent ended with {status}, when asked to stop by {signal.Signals(how).name}")

        def start():
            self.lab.start_agent(wait=False)
            self.away[-1][1] = time.monotonic()
        return start

    def was_away(self, since, until):
        return any(began <= until and (ended or until) >= since for began, ended in self.away)

    # ---- drawing

    def draw(self):
        """The next fault whose part is well at the moment; every kind comes before one comes again."""
        if not self.deck:
            self.deck = self.dice.sample(self.kinds, len(self.kinds))
        for kind in self.deck:
            if kind[0] not in self.active and not (kind[0] == "agent" and self.options.quiet()):
                self.deck.remove(kind)
                return kind
        if self.options.quiet():
            self.deck = [kind for kind in self.deck if kind[0] != "agent"]  # the next deck has them again
        return None

    def undo(self, everything=False):
        for group, (until, undo) in list(self.active.items()):
            if everything or time.monotonic() >= until:
                undo()
                del self.active[group]

    def step(self):
        self.undo()
        now = time.monotonic()
        if now >= getattr(self, "next", 0):
            kind = self.draw()
            if kind:
                group, name, longest, begin = kind
                self.active[group] = (now + self.dice.uniform(min(1, longest), longest), begin())
                self.counts[name] += 1
            self.next = now + (self.options.gap or self.dice.uniform(*GAP_S))
        return 0.1
