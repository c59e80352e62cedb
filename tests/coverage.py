"""What toolchain/coverage prints: coverage.py SOURCE COVERAGE.JSON (gcovr's). A table by room, then the statements of the
strict rooms that nothing reached: those with a reason, by reason (unreached.txt), and those without. Exit status 1 if any
has none, or if a reason is for something that is not there any more.
"""
import collections
import json
import pathlib
import re
import sys

STRICT = ("src/journal", "src/job", "src/link")  # where an error path that nobody has walked needs a reason
REASONS = pathlib.Path(__file__).with_name("unreached.txt")


class Reason:
    """For the statements of a function that have these words."""

    def __init__(self, why, line):
        self.why = why
        self.file, self.function, self.words = line.split(None, 2)
        self.exists = self.used = False


def read_reasons():
    reasons, why, entries = [], "", 0
    for line in REASONS.read_text().splitlines():
        if line.startswith("    "):
            reasons.append(Reason(why, line.strip()))
            entries += 1
        elif line and not line.startswith("#"):
            why, entries = (line if entries or not why else f"{why} {line}"), 0
    return reasons


def bare(line):
    return re.sub(r"\s*(/\*.*?\*/|//.*)\s*$", "", line).strip()


def statement(text, number):
    """All of the statement that this line (from 1) is in, with the `if` before it, in one line."""
    first = last = number - 1
    while first > 0 and bare(text[first - 1]) and not re.search(r"[;{}:]$|^#", bare(text[first - 1])):
        first -= 1
    while last + 1 < len(text) and not re.search(r"[;{}:]$", bare(text[last])):
        last += 1
    return " ".join(bare(line) for line in text[first:last + 1])


def room_of(name):
    parts = name.split("/")
    return "/".join(parts[:2]) if len(parts) > 2 else parts[0]


def share(hit, of):
    return f"{100 * hit / of:5.1f} %" if of else "      -"


def functions_of(file):
    """[(first line, name)], the last first."""
    return sorted(((f["lineno"], f["name"]) for f in file["functions"]), reverse=True)


def main():
    source, measured = map(pathlib.Path, sys.argv[1:])
    rooms = collections.defaultdict(lambda: [0, 0, 0, 0])
    reasons = read_reasons()
    left, excused = collections.defaultdict(list), collections.defaultdict(list)
    for file in sorted(json.loads(measured.read_text())["files"], key=lambda file: file["file"]):
        name = file["file"]
        room = room_of(name)
        text = (source / name).read_text().splitlines()
        functions = functions_of(file)
        for line in file["lines"]:
            if line.get("gcovr/noncode"):
                continue
            taken = [branch["count"] > 0 for branch in line["branches"]]
            for where in (room, "all"):
                for i, more in enumerate((1, line["count"] > 0, len(taken), sum(taken))):
                    rooms[where][i] += more
            if room not in STRICT:
                continue
            number = line["line_number"]
            function = next((name for start, name in functions if start <= number), "")
            whole = statement(text, number)
            for reason in reasons:
                reason.exists = reason.exists or ((reason.file, reason.function) == (name, function) and reason.words in whole)
            if line["count"] > 0:
                continue
            found = next((r for r in reasons if (r.file, r.function) == (name, function) and r.words in whole), None)
            told = f"{name}:{number}: {function}: {text[number - 1].strip()}"
            if found:
                found.used = True
                excused[found.why].append((room, told))
            else:
                left[room].append(told)
    print(f"{'room':<20}{'lines':>7}{'reached':>9}{'branches':>10}{'taken':>9}")
    for room in sorted(rooms, key=lambda room: (room == "all", room)):
        lines, reached, branches, taken = rooms[room]
        print(f"{room:<20}{lines:>7}{share(reached, lines):>9}{branches:>10}{share(taken, branches):>9}")
    print("\nnot reached, with a reason (tests/unreached.txt)")
    for why, lines in excused.items():
        print(f"  {why}", *(f"      {told}" for _, told in lines), sep="\n")
    for reason in reasons:
        if reason.exists and not reason.used:
            print(f"  reached this time, although a reason is given: {reason.file} {reason.function} {reason.words}")
    print("\nnot reached, without a reason")
    gone = [reason for reason in reasons if not reason.exists]
    for reason in gone:
        print(f"  tests/unreached.txt: no line of {reason.file} {reason.function} has the words: {reason.words}")
    for room in STRICT:
        with_reason = sum(where == room for lines in excused.values() for where, _ in lines)
        print(f"  {room}: {len(left[room])} lines, and {with_reason} with one", *(f"      {told}" for told in left[room]), sep="\n")
    sys.exit(1 if gone or any(left.values()) else 0)


main()
