"""Starting the simulated instruments, for black-box tests."""
import contextlib
import json
import os
import pathlib
import socket
import subprocess
import time

PROGRAMS = pathlib.Path(os.environ["LF_BUILD"]) / "tests/sim/instruments"
SOON = 20  # seconds; generous, for loaded machines


class Simulator:
    """A running simulator in a private folder: .stream is what the agent's configuration wants."""

    def __init__(self, program, folder, way, *options):
        self.folder = pathlib.Path(folder)
        self.program = PROGRAMS / program
        self.control_path = self.folder / "control"
        self.state_path = self.folder / "state.json"
        self.process = subprocess.Popen(
            [self.program, *way, "--control", self.control_path, "--state", self.state_path, *map(str, options)],
            stdout=subprocess.PIPE, text=True)
        word, _, self.stream = self.process.stdout.readline().strip().partition(" ")
        if word != "ready":
            self.close()
            raise RuntimeError(f"{program} is not ready")
        self.place = self.stream.partition(":")[2]

    def tell(self, line):
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as control:
            control.settimeout(SOON)
            control.connect(str(self.control_path))
            control.sendall(line.encode() + b"\n")
            with control.makefile() as answer:
                return answer.readline().rstrip("\n")

    def state(self):
        return json.loads(self.state_path.read_text())

    def wait_for(self, what):
        """Waits until what(state) is true."""
        deadline = time.monotonic() + SOON
        while not what(self.state()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the simulator's state is {self.state()}")
            time.sleep(0.01)

    def connect(self):
        host, _, port = self.place.rpartition(":")
        return socket.create_connection((host.strip("[]"), int(port)), timeout=SOON)

    def close(self):
        self.process.terminate()
        code = self.process.wait(SOON)
        self.process.stdout.close()
        return code
