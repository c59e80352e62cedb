"""What toolchain/coverage prints: coverage.py SOURCE COVERAGE.JSON (gcovr's). A table by room, then the lines of the
strict rooms that nothing reached."""
import collections
import json
import pathlib
import sys

STRICT = ("src/journal", "src/job", "src/link")  # where an error path that nobody has walked needs a reason


def room_of(name):
    parts = name.split("/")
    return "/".join(parts[:2]) if len(parts) > 2 else parts[0]


def share(hit, of):
    return f"{100 * hit / of:5.1f} %" if of else "      -"


def main():
    source, measured = map(pathlib.Path, sys.argv[1:])
    rooms = collections.defaultdict(lambda: [0, 0, 0, 0])
    left = []
    for file in sorted(json.loads(measured.read_text())["files"], key=lambda file: file["file"]):
        name = file["file"]
        text = (source / name).read_text().splitlines()
        for line in file["lines"]:
            if line.get("gcovr/noncode"):
                continue
            taken = [branch["count"] > 0 for branch in line["branches"]]
            for room in (room_of(name), "all"):
                for i, more in enumerate((1, line["count"] > 0, len(taken), sum(taken))):
                    rooms[room][i] += more
            if line["count"] == 0 and room_of(name) in STRICT:
                left.append(f"  {name}:{line['line_number']}: {text[line['line_number'] - 1].strip()}")
    print(f"{'room':<20}{'lines':>7}{'reached':>9}{'branches':>10}{'taken':>9}")
    for room in sorted(rooms, key=lambda room: (room == "all", room)):
        lines, reached, branches, taken = rooms[room]
        print(f"{room:<20}{lines:>7}{share(reached, lines):>9}{branches:>10}{share(taken, branches):>9}")
    print(f"\nnot reached in {', '.join(STRICT)}: {len(left)} lines", *left, sep="\n")


main()
