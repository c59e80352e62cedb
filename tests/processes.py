"""Nothing stays behind: a process that adopts all its descendants, and can end them."""
import ctypes
import os
import pathlib
import signal
import time

PR_SET_CHILD_SUBREAPER = 36
GRACE_S = float(os.environ.get("LF_GRACE_S", "10"))  # a busy machine may need it
ENDING_S = 10


def adopt_orphans():
    """From now on a descendant whose parent has ended becomes a child of this process."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children():
    """{process id: command line} of living children."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = (entry / "stat").read_text().rsplit(")", 1)[1].split()[1]
                if int(parent) == os.getpid():
                    found[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ").strip()
            except (OSError, ValueError):
                continue  # ended meanwhile
    return found


def end_children(grace=GRACE_S):
    """Ends all children and their orphans; returns their command lines. What was asked to stop before has
    grace seconds to do so."""
    left = {}
    began = time.monotonic()
    while time.monotonic() < began + grace + ENDING_S:
        try:
            if os.waitpid(-1, os.WNOHANG)[0]:
                continue
        except ChildProcessError:
            break
        if time.monotonic() >= began + grace:
            for pid, command in children().items():
                left[pid] = command
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
    return [f"{command} ({pid})" for pid, command in left.items()]
