"""The structure stays as designed: floors, one room for each library, one meaning for each name."""
import collections
import os
import pathlib
import re
import shutil
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


def with_suffix(*suffixes, tops=("src", "drivers", "agent", "tests", "toolchain", "etc")):
    for top in tops:
        for path in sorted((SOURCE / top).rglob("*")):
            if path.suffix in suffixes and path.is_file():
                yield path


def code_only(text):
    """the text without comments, and with empty string literals; lines keep their numbers"""
    def replace(match):
        return '""' if match[0][0] == '"' else match[0] if match[0][0] == "'" else re.sub(r"[^\n]", " ", match[0])
    return re.sub(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|//[^\n]*|/\*.*?\*/', replace, text, flags=re.S)


def after_bracket(text, start):
    """the position after the bracket that closes the one before start"""
    depth = 1
    while depth and start < len(text):
        depth += {"(": 1, ")": -1}.get(text[start], 0)
        start += 1
    return start


def symbols(file):
    """the symbols that an object or library defines for others"""
    listing = subprocess.run(["nm", "--defined-only", "--extern-only", str(file)], capture_output=True, text=True, check=True).stdout
    return [symbol for kind, symbol in re.findall(r"^[0-9a-f]+ ([A-Z]) (\S+)$", listing, re.M)
            if kind in "TDBRC" and not symbol.startswith("__odr_asan")]


def libraries():
    """all but liblf_kit.a: that is for authors of drivers, repeats what others define, and nothing here links with it"""
    # A library whose folder is gone is left over from an earlier build.
    found = sorted(path for path in BUILD.rglob("liblf_*.a")
                   if path.name != "liblf_kit.a" and (SOURCE / path.relative_to(BUILD).parent).is_dir())
    assert len(found) > 10, f"no libraries in {BUILD}"
    return found


def room_of(name):
    parts = name.split("/")
    return parts[1] if parts[0] == "src" else parts[0]


def includes(text):
    return re.findall(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', text, re.M)


class Structure(unittest.TestCase):
    maxDiff = None

    def test_floors(self):
        """a room includes only rooms on lower floors, and itself; what is in os/linux/ stays there"""
        wrong = []
        for name, text in sources():
            here = room_of(name)
            for include in includes(text):
                there = include.split("/")[0]
                if include.startswith("os/linux/") and not name.startswith("src/os/linux/"):
                    wrong.append(f"{name} includes {include}")
                if here == "os" and (include in BELOW_OS or name.startswith("src/os/linux/") and include.startswith("base/")):
                    continue
                if there in FLOORS and there != here and FLOORS[there] >= FLOORS[here]:
                    wrong.append(f"{name} includes {include}")
        self.assertEqual(wrong, [])

    def test_libraries(self):
        """each library belongs to one room"""
        wrong = [f"{name} includes {include}" for name, text in sources() for include in includes(text)
                 if include in ROOMS and not any(name.startswith(room) for room in ROOMS[include].split())]
        self.assertEqual(wrong, [])

    def test_names(self):
        """no two rooms define the same symbol: the linker would silently take one for the other"""
        homes = collections.defaultdict(set)
        for library in libraries():
            for symbol in symbols(library):
                homes[symbol].add(library.name)
        doubles = {symbol: sorted(where) for symbol, where in homes.items() if len(where) > 1}
        self.assertEqual(doubles, {})

    def test_small_values(self):
        """a small value of the journal that several rooms use has its name from journal/small_names.h"""
        calls, rooms = 0, collections.defaultdict(set)
        for name, text in sources():
            for literal in re.findall(r'\blf_journal_[gs]et\(\s*[^,"]+,\s*"([^"]+)"', text):
                calls += 1
                rooms[literal].add(room_of(name))
        self.assertGreater(calls, 5)
        self.assertEqual({literal: sorted(where) for literal, where in rooms.items() if len(where) > 1}, {})
        shared = re.findall(r'#define LF_SMALL_\w+ "([^"]+)"', (SOURCE / "src/journal/small_names.h").read_text())
        self.assertTrue(shared)
        self.assertEqual([literal for literal in shared if literal in rooms], [])

    def test_symbols(self):
        """a symbol that leaves its file carries its owner: room__name inside a room, lf_name for other rooms"""
        wrong = []
        for path in libraries():
            home = path.relative_to(BUILD).parent.as_posix()
            if home.startswith("tests/"):
                continue
            rooms = ["src/base", "src/os"] if home == "src/base" else [home]  # os/linux/ is built with base/
            headers = "".join(header.read_text() for room in rooms for header in (SOURCE / room).rglob("*.h"))
            if home.startswith("drivers/"):  # driver.h declares what the kit defines, and each driver defines one symbol
                headers += (SOURCE / "drivers/driver.h").read_text() + f" lf_driver_{rooms[0].split('/')[-1]} "
            for symbol in symbols(path):
                inside = re.fullmatch(r"([a-z]+)__\w+", symbol)
                if inside and inside[1] in [room.split("/")[-1] for room in rooms]:
                    continue
                if not re.fullmatch(r"lf_\w+", symbol, re.I) or not re.search(rf"\b{symbol}\b", headers):
                    wrong.append(f"{symbol} in {home}")
        self.assertEqual(wrong, [])

    def test_tags(self):
        """no two structs, unions or enums share a tag"""
        homes = collections.defaultdict(set)
        for name, text in sources():
            for tag in re.findall(r"^\s*(?:typedef\s+|static\s+|const\s+)*(?:struct|union|enum)\s+(\w+)\s*\{", code_only(text), re.M):
                homes[tag].add(name)
        self.assertEqual({tag: sorted(files) for tag, files in homes.items() if len(files) > 1}, {})

    def test_errors(self):
        """every caller passes a place for the error: err is never NULL"""
        texts = {name: code_only(text) for name, text in sources()}
        fallible = {name for text in texts.values()
                    for name in re.findall(r"\b(\w+)\((?:[^(){};]|\([^()]*\))*\bstruct lf_error \*err\)\s*[;{]", text)}
        self.assertGreater(len(fallible), 300)
        wrong = []
        for name, text in texts.items():
            for call in re.finditer(r"\b(\w+)\(", text):
                if call[1] in fallible and re.search(r",\s*NULL\)$", text[call.end():after_bracket(text, call.end())]):
                    wrong.append(f"{name}:{text.count(chr(10), 0, call.start()) + 1}: {call[1]}")
        self.assertEqual(wrong, [])

    def test_format(self):
        """every C file has clang-format's layout"""
        if not shutil.which("clang-format"):
            self.fail("clang-format is missing: toolchain/deps test installs it")
        files = [path.relative_to(SOURCE).as_posix() for path in with_suffix(".c", ".h")]
        found = subprocess.run(["clang-format", "--dry-run", "-Werror", *files], cwd=SOURCE, capture_output=True, text=True)
        wrong = sorted(set(re.findall(r"^(\S+?):\d+:\d+: error", found.stderr, re.M)))
        self.assertFalse(wrong, f"run: clang-format -i {' '.join(wrong)}")
        self.assertEqual(found.returncode, 0, found.stderr)

    def test_hosts(self):
        """packages come from where apt and npm are configured to look: no file names a package host"""
        hosts = re.compile(r"\b(?:(?:deb|security|snapshot|ftp|archive)\.(?:\w+\.)?(?:debian|ubuntu)\.\w+|ports\.ubuntu\.com"
                           r"|registry\.npmjs\.\w+|registry\.yarnpkg\.\w+|pypi\.\w+|pythonhosted\.\w+|crates\.io|proxy\.golang\.\w+)")
        texts = with_suffix("", ".sh", ".py", ".c", ".h", ".md", ".cmake", ".txt", ".json", ".conf", ".service", ".js")
        found = [f"{path.relative_to(SOURCE)}: {host[0]}" for path in texts if "corpus" not in path.parts
                 for host in hosts.finditer(path.read_text(errors="replace"))]
        self.assertEqual(found, [])

    def test_kit(self):
        """the author of a driver gets driver.h, the kit, streams, and every header that these need"""
        needed = {"drivers/driver.h", "drivers/stream/stream.h"} | {path.relative_to(SOURCE).as_posix() for path in (SOURCE / "drivers/kit").glob("*.h")}
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
        files = with_suffix(".c", ".h", ".py")
        self.assertEqual([str(path) for path in files if path.read_text().count("\n") > 700], [])

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
