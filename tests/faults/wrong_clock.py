"""A bench whose agent has a wall clock of its own, which a test steps at any moment.

The machine's clock stays as it is: wrong_clock.c, loaded into the agent alone, shifts what it reads of the date. The tenant, the broker
and the instruments have the right time.
"""
import datetime
import functools
import os
import pathlib
import struct
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
import whole

HOUR = 3600
YEARS = 3653 * 24 * HOUR  # ten of them
WRONG = {"an hour ahead": HOUR, "an hour behind": -HOUR, "ten years ahead": YEARS, "ten years behind": -YEARS}
_folder = tempfile.TemporaryDirectory()


@functools.cache
def shim():
    """Not part of the build: it must not be compiled with sanitizers."""
    made = pathlib.Path(_folder.name, f"libwrong_clock-{os.getpid()}.so")  # the folder is shared by tests side by side
    subprocess.run(["cc", "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-fPIC", "-shared", "-Wall", "-Wextra", "-Werror", "-o", made,
                    HERE / "wrong_clock.c"], check=True)
    return made


class Lab(whole.Lab):
    def __init__(self):
        super().__init__()
        self.shift_file = self.home / "shift"
        self.shift_file.write_bytes(bytes(8))

    def start_agent(self, wait=True, **more):
        env = {"LD_PRELOAD": str(shim()), "LF_CLOCK_SHIFT": str(self.shift_file),
               "ASAN_OPTIONS": "verify_asan_link_order=0:" + os.environ.get("ASAN_OPTIONS", "")}
        super().start_agent(wait, env=env, **more)

    def step(self, seconds):
        """Sets the agent's clock so far ahead of the right time (below 0: behind)."""
        with open(self.shift_file, "r+b") as file:
            file.write(struct.pack("q", int(seconds) * 10**9))

    def step_to_1970(self):
        self.step(20 - time.time())

    @staticmethod
    def iso(seconds_from_now=0):
        at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds_from_now)
        return at.strftime("%Y-%m-%dT%H:%M:%SZ")


class WithLab(whole.WithLab):
    lab_class = Lab
