"""The house stays as it was designed: floors, one room a library, one meaning a name."""
import collections
import os
import pathlib
import re
import subprocess
import unittest

SOURCE = pathlib.Path(os.environ.get("LF_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
BUILD = pathlib.Path(os.environ["LF_BUILD"])

FLOORS = {
    "os": 0,
    "base": 0.5,  # stands on os/
    "event": 1, "journal": 1, "config": 1, "transfer": 1, "drivers": 1,
    "instrument": 2, "cloud": 2, "link": 2,
    "job": 3,
    "intake": 4,
    "control": 5,
    "agent": 6,
}
BELOW_OS = {"base/error.h", "base/clock.h", "base/buffer.h"}  # what the contract with the system is made of
ROOMS = {
    "sqlite3.h": "src/journal/", "mosquitto.h": "src/link/", "mqtt_protocol.h": "src/link/", "curl/curl.h": "src/transfer/",
    "libconfig.h": "src/config/", "libserialport.h": "src/os/linux/", "pcre2.h": "src/job/match.c",
}


def sources():
    for top in ("src", "drivers", "agent"):
        for path in sorted((SOURCE / top).rglob("*.[ch]")):
            yield path.relative_to(SOURCE).as_posix(), path.read_text()


def room_of(name):
    parts = name.split("/")
    return parts[1] if parts[0] == "src" else parts[0]


def includes(text):
    return re.findall(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', text, re.M)


class Structure(unittest.TestCase):
    def test_floors(self):
        """a room includes only rooms on lower floors, and itself"""
        wrong = []
        for name, text in sources():
            here = room_of(name)
            for include in includes(text):
                there = include.split("/")[0]
                if here == "os" and (include in BELOW_OS or name.startswith("src/os/linux/") and include.startswith("base/")):
                    continue
                if there in FLOORS and there != here and FLOORS[there] >= FLOORS[here]:
                    wrong.append(f"{name} includes {include}")
        self.assertEqual(wrong, [])

    def test_libraries(self):
        """one library each has one room"""
        wrong = [f"{name} includes {include}" for name, text in sources() for include in includes(text)
                 if include in ROOMS and not any(name.startswith(room) for room in ROOMS[include].split())]
        self.assertEqual(wrong, [])

    def test_names(self):
        """no two rooms define the same symbol: the linker would silently take one for the other"""
        homes = collections.defaultdict(set)
        # liblf_kit.a is for authors of drivers: it repeats what others define, and nothing here is linked with it.
        libraries = sorted(set(BUILD.rglob("liblf_*.a")) - set(BUILD.rglob("liblf_kit.a")))
        self.assertGreater(len(libraries), 10)
        for library in libraries:
            listing = subprocess.run(["nm", "--defined-only", "--extern-only", str(library)], capture_output=True, text=True,
                                     check=True).stdout
            for kind, symbol in re.findall(r"^[0-9a-f]+ ([A-Z]) (\S+)$", listing, re.M):
                if kind in "TDBRC":
                    homes[symbol].add(library.name)
        doubles = {symbol: sorted(where) for symbol, where in homes.items() if len(where) > 1}
        self.assertEqual(doubles, {})

    def test_kit(self):
        """a driver's author gets driver.h, the kit, and every header that these need"""
        needed = {"drivers/driver.h"} | {path.relative_to(SOURCE).as_posix() for path in (SOURCE / "drivers/kit").glob("*.h")}
        for name in iter(todo := sorted(needed)):
            for include in includes((SOURCE / name).read_text()):
                there = next((place for place in (include, f"src/{include}") if (SOURCE / place).exists()), None)
                if there and there not in needed:
                    needed.add(there)
                    todo.append(there)
        listed = re.findall(r"(?:src|drivers)/\S+\.h", (SOURCE / "drivers/kit/CMakeLists.txt").read_text())
        self.assertEqual(sorted(listed), sorted(needed), "the headers that drivers/kit/CMakeLists.txt installs")

    def test_sittings(self):
        """no file is longer than a person reads in one sitting (700 lines)"""
        self.assertEqual([name for name, text in sources() if text.count("\n") > 700], [])

    def test_folders(self):
        """every folder says in a README what lives there"""
        folders = {path.parent for top in ("src", "drivers", "agent", "etc", "tests", "toolchain")
                   for path in (SOURCE / top).rglob("*") if path.suffix in (".c", ".h", ".py", ".profile", ".cmake")
                   and "__pycache__" not in path.parts}
        exempt = {SOURCE / "tests" / "unit" / path.name for path in (SOURCE / "tests" / "unit").iterdir()}
        bare = sorted(folder.relative_to(SOURCE).as_posix() for folder in folders - exempt
                      if not (folder / "README.md").exists())
        self.assertEqual(bare, [])


if __name__ == "__main__":
    unittest.main()
