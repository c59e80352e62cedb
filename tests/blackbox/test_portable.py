"""Only src/os/linux knows the operating system: everything else compiles for Windows too."""
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ.get("LF_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
BUILD = pathlib.Path(os.environ["LF_BUILD"])
COMPILER = "x86_64-w64-mingw32-gcc"
FLAGS = ["-std=gnu17", "-fsyntax-only", "-Wall", "-Werror", "-Wno-format", "-fno-diagnostics-show-caret",
         "-fmessage-length=0", "-D__USE_MINGW_ANSI_STDIO=1"]
LIBRARIES = ["cjson", "sqlite3.h", "curl", "mosquitto.h", "mqtt_protocol.h", "libconfig.h", "pcre2.h", "openssl"]
AT_A_TIME = 2


def sources(*suffixes):
    for top in ("src", "drivers", "agent"):
        for path in sorted((SOURCE / top).rglob("*")):
            if path.suffix in suffixes and not path.is_relative_to(SOURCE / "src/os/linux"):
                yield path.relative_to(SOURCE).as_posix()


def definitions():
    """{source: its -D options}, as the build gives them."""
    found = {}
    for entry in json.loads((BUILD / "compile_commands.json").read_text()):
        path = pathlib.Path(entry["file"])
        if path.is_relative_to(SOURCE):
            options = [word for word in shlex.split(entry["command"]) if word.startswith("-D")]
            found.setdefault(pathlib.Path(os.path.normpath(path)).relative_to(SOURCE).as_posix(), options)
    return found


def collect_headers(folder):
    """The headers of portable libraries alone, without the C library's own that lie beside them."""
    native = subprocess.run(["cc", "-print-multiarch"], capture_output=True, text=True, check=True).stdout.strip()
    for root in (pathlib.Path("/usr/include"), pathlib.Path("/usr/include") / native):
        for name in LIBRARIES:
            if (root / name).is_dir():
                shutil.copytree(root / name, folder / name, dirs_exist_ok=True)
            elif (root / name).exists():
                shutil.copy(root / name, folder / name)


def complaints(name, headers, options):
    if options is None:
        return [f"{name}: error: the build does not compile it"]
    command = [COMPILER, *FLAGS, *options, "-isystem", headers, "-I", "src", "-I", ".", name]
    result = subprocess.run(command, cwd=SOURCE, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    found = [line for line in result.stderr.splitlines() if re.search(r": (fatal )?error: ", line)]
    return found or ([f"{name}: {result.stderr.strip()}"] if result.returncode else [])


class Portable(unittest.TestCase):
    def test_compiles_for_windows(self):
        """every source outside src/os/linux compiles for Windows"""
        self.assertIsNotNone(shutil.which(COMPILER), f"{COMPILER} is missing: run `toolchain/deps test`")
        options, names = definitions(), list(sources(".c"))
        with tempfile.TemporaryDirectory() as headers, concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
            collect_headers(pathlib.Path(headers))
            found = list(pool.map(lambda name: complaints(name, headers, options.get(name)), names))
        self.maxDiff = None
        self.assertEqual([], [line for lines in found for line in lines])

    def test_no_threads_of_the_system(self):
        """threads belong to os/thread.h: no other source includes pthread.h, which MinGW would offer"""
        wrong = [name for name in sources(".c", ".h")
                 if re.search(r"^\s*#\s*include\s*<(pthread|semaphore|sched)\.h>", (SOURCE / name).read_text(), re.M)]
        self.assertEqual([], wrong)

    def test_no_conditions(self):
        """no source outside src/os asks which system it is compiled for"""
        pattern = re.compile(r"^\s*#\s*(?:el)?if.*\b(?:_?WIN(?:32|64)|__MINGW\d+__|__(?:linux|unix)__)\b.*", re.M)
        wrong = [f"{name}: {match[0]}" for name in sources(".c", ".h") if not name.startswith("src/os/")
                 for match in pattern.finditer((SOURCE / name).read_text())]
        self.assertEqual([], wrong)


if __name__ == "__main__":
    unittest.main()
