"""A dialogue is interrupted at every byte, in both directions, in commands of each class.

LF_SWEEP=all takes every place, not each third.
"""
import collections
import os
import unittest

from dialogues import Cable, Dialogues

WHOLE = os.environ.get("LF_SWEEP") == "all"
EACH = 1 if WHOLE else 3
# Procedure, command as sent, longest reply, its count in the simulator's state.
SAFE = ("weigh", b"S\r\n", len(b"S S      12.34 g\r\n"), None)
IDEMPOTENT = ("just-clear", b"TAC\r\n", len(b"TAC A\r\n"), "tare_cleared")
ONCE = ("just-tare", b"T\r\n", len(b"T S      12.34 g\r\n"), "tare")


class Cut(Dialogues):
    def places(self, kind):
        _, command, reply, _ = kind
        return [(way, count) for way, length in (("up", len(command)), ("down", reply)) for count in range(length + 1)]

    def sweep(self, kind, how):
        """Every place, side by side. Returns the jobs as they ended, with the simulator's count."""
        procedure, command, reply, counted = kind
        places = self.places(kind)[::EACH]
        self.cables = [Cable(self.balance(number), command, way, count, how) for number, (way, count) in enumerate(places)]
        self.start([cable.stream for cable in self.cables])
        for cable in self.cables:
            self.assertFalse(cable.counting, "the fault must not strike before the command")
        jobs = [self.lab.ask("run", instrument=f"b{number}", procedure=procedure)["id"] for number in range(len(places))]
        self.lab.until("all have come to an end", lambda: all(job["state"] not in ("ready", "running", "waiting")
                                                              for job in self.lab.jobs()), 180)
        ended = []
        for number, (place, job) in enumerate(zip(places, jobs)):
            at_end = how != "unplug" and place[1] == (len(command) if place[0] == "up" else reply)  # nothing came any more
            self.assertTrue(at_end or not self.cables[number].armed, f"the fault did not strike at {place}")
            job = self.lab.job(job)
            moved = self.state(number)["moved"][counted] if counted else None
            asked = self.asked(number, command)
            ended.append((place, job, moved, asked))
        print(f"{procedure}, {how}: {len(places)} places,", dict(collections.Counter(job["state"] for _, job, _, _ in ended)))
        return ended

    def asked(self, number, command):
        """How often the whole command came to the instrument."""
        return sum(1 for line in self.state(number)["transcript"]
                   if line["from"] == "host" and line["text"] == repr(command.decode())[1:-1])

    def repeatable(self, kind, how):
        for place, job, _, _ in self.sweep(kind, how):
            self.assertEqual(job["state"], "done", (place, job, self.lab.story()))

    def once(self, how):
        for place, job, moved, asked in self.sweep(ONCE, how):
            self.assertLessEqual(max(moved, asked), 1, (place, job))
            self.assertIn(job["state"], ("done", "held"), (place, job))
            if job["state"] == "held":
                self.assertEqual(job["class"], "unknown outcome", (place, job))
            else:
                self.assertEqual(moved, 1, (place, job))

    def test_safe_unplugged(self):
        """a cable pulled after any byte of a reading: it is read again"""
        self.repeatable(SAFE, "unplug")

    def test_safe_silent(self):
        """an instrument that falls silent after any byte of a reading: it is read again"""
        self.repeatable(SAFE, "silence")

    def test_idempotent_unplugged(self):
        """a cable pulled after any byte of a command that may be repeated: it is repeated"""
        self.repeatable(IDEMPOTENT, "unplug")

    def test_idempotent_garbage(self):
        """bytes corrupted from any byte of a command that may be repeated: it is repeated"""
        self.repeatable(IDEMPOTENT, "garbage")

    def test_once_unplugged(self):
        """a cable pulled after any byte of a command that moves something: done, or held for a person; never sent again"""
        self.once("unplug")

    def test_once_silent(self):
        """an instrument that falls silent after any byte of a command that moves something: done, or held; never sent again"""
        self.once("silence")

    def test_once_garbage(self):
        """bytes corrupted from any byte of a command that moves something: done, or held; never sent again"""
        self.once("garbage")


if __name__ == "__main__":
    unittest.main()
