"""A reply that arrives after its deadline must never answer the next command."""
import unittest

from dialogues import Dialogues
from whole import Refused

# What each command must answer on this balance: of two commands that follow each other, no answer of one can be taken for the other's.
ANSWERS = {
    "weigh": {"value": "12.34", "unit": "g"}, "weigh-now": {"stability": "stable", "value": "12.34", "unit": "g"},
    "read-tare": {"value": "0.00", "unit": "g"}, "clear-tare": {}, "display-weight": {}, "serial-number": {"serial": "B021002593"},
    "model": {"model": "XS204 220.00 g"}, "software": {"software": "2.10 10.28.0.493.142"},
    "list-commands": None,  # many lines: what this balance answers undisturbed
}
SENT = {"weigh": "S", "weigh-now": "SI", "read-tare": "TA", "clear-tare": "TAC", "display-weight": "DW", "serial-number": "I4",
        "model": "I2", "software": "I3", "list-commands": "I0"}
WAIT_MS = 400  # as Dialogues.start has it
LATE_MS = (WAIT_MS + 20, WAIT_MS + 150, WAIT_MS + 400)  # at once; while getting back in step; after that


class Late(Dialogues):
    too_late = 0

    def ask_twice(self, number, first, second, late_ms):
        """The answer to the first comes late; the second must get its own."""
        self.tell(number, f"fault delay={late_ms} times=1 on={SENT[first]}")
        try:
            self.assertEqual(self.values(number, first), self.answers[first])  # on a loaded machine it may still be in time
        except Refused:
            self.too_late += 1
        if second.startswith("weigh"):  # the same command again: distinguish the old weight from the new one
            self.tell(number, "weight 55.5")
            self.tell(number, "settle 0")
        wanted = [(name, "55.50" if second.startswith("weigh") and name == "value" else value)
                  for name, value in self.answers[second]]
        self.assertEqual(self.values(number, second), wanted, (first, second, late_ms))

    def values(self, number, command):
        said = self.lab.ask("ask", instrument=f"b{number}", command=command)
        return [(value["name"], value["value"]) for value in said["values"]]

    def test_all_pairs(self):
        """a late reply never answers another command, whichever two follow each other"""
        pairs = [(first, second) for first in ANSWERS for second in ANSWERS]
        self.start([f"tcp:{host}:{port}" for host, port in (self.balance(n, "--settle", "0") for n in range(len(pairs) + 1))])
        undisturbed = len(pairs)
        self.answers = {command: self.values(undisturbed, command) if values is None else list(values.items())
                        for command, values in ANSWERS.items()}
        self.assertGreater(len(self.answers["list-commands"]), 20)
        self.side_by_side(lambda item: self.ask_twice(item[0], *item[1], LATE_MS[item[0] % len(LATE_MS)]), list(enumerate(pairs)))
        print(f"{self.too_late} of {len(pairs)} answers came too late")
        self.assertGreater(self.too_late, 0)
        self.assertEqual(self.lab.jobs(), [])  # nor became a result


if __name__ == "__main__":
    unittest.main()
