"""What a message tells people to do exists."""
import json
import os
import pathlib
import re
import subprocess
import unittest

SOURCE = pathlib.Path(os.environ.get("LF_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
BUILD = pathlib.Path(os.environ["LF_BUILD"])
PROSE = {"command", "delivery", "instrument"}  # "the labferry command", and marks that name their maker
TOKEN = re.compile(r"""("(?:\\.|[^"\\\n])*")|'(?:\\.|[^'\\\n])*'|//[^\n]*|/\*.*?\*/|([^\s"'/]+|/)""", re.S)


def literals(code):
    """the texts of C code, those side by side joined"""
    text = None
    for match in TOKEN.finditer(code):
        if match[1]:
            text = (text or "") + match[1][1:-1].replace("\\n", " ")
        elif match[2] and text is not None:
            yield text
            text = None


def texts():
    """all that people read: the texts of the programs, and the documents"""
    for top in ("src", "drivers", "agent"):
        for path in sorted((SOURCE / top).rglob("*.[ch]")):
            for text in literals(path.read_text()):
                yield path, text
    for path in (SOURCE / "README.md", *sorted((SOURCE / "etc").rglob("*"))):
        if path.is_file():
            yield path, path.read_text()


class Messages(unittest.TestCase):
    def test_verbs(self):
        """every `labferry VERB` that a message or a document names is a verb of this version"""
        run = subprocess.run([BUILD / "bin/labferry", "help", "--json"], capture_output=True, text=True, check=True)
        verbs = set(re.findall(r'"name":\s*"([a-z-]+)"', json.dumps(json.loads(run.stdout))))
        self.assertIn("retry", verbs)
        named = {(verb, path) for path, text in texts() for verb in re.findall(r"(?<![\w./-])labferry ([a-z][a-z-]*)", text)}
        self.assertGreater(len({verb for verb, _ in named}), 15)  # else they are not found any more
        self.assertEqual(sorted((verb, str(path)) for verb, path in named if verb not in verbs | PROSE), [])

    def test_service(self):
        """no message sends people to a service that is not installed"""
        units = [path for path in SOURCE.glob("etc/**/*.service")]
        named = [str(path) for path, text in texts() if re.search(r"\b(systemctl|journalctl|service) (start|restart|stop|-u)\b", text)]
        self.assertEqual(named if not units else [], [])


if __name__ == "__main__":
    unittest.main()
