"""Runs one command and ends it, with everything it started, as soon as the guard's own parent is gone.

    python -I -S guard.py run COMMAND…     the guard leads a process group that holds the command
    python -I -S guard.py watch            reads a process id from stdin; ends that process at the end of stdin

The parent holds the other end of stdin. The kernel closes it however the parent dies, ``kill -9``
included, so nothing is left behind. Standard library only, nothing of this package: it must start
in milliseconds and cannot be affected by what it guards.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

GRACE = 5.0
"""Seconds the command has to end by itself once the parent is gone."""


def run(command: list[str]) -> int:
    """Start ``command`` and answer its exit code; SIGTERM is handed on to it alone, not to its own children."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, restore_signals=True)
    signal.signal(signal.SIGTERM, lambda number, frame: child.send_signal(signal.SIGTERM))
    threading.Thread(target=_end_with_parent, args=(child,), daemon=True).start()
    code = child.wait()
    return code if code >= 0 else 128 - code


def _end_with_parent(child: subprocess.Popen[bytes]) -> None:
    while os.read(0, 1024):
        pass
    child.terminate()
    deadline = time.monotonic() + GRACE
    while child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(0, signal.SIGKILL)


def watch() -> int:
    """End the process whose id stands on the last line of stdin, once stdin has ended."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    lines = sys.stdin.read().split()
    if lines and lines[-1] != "0":
        os.kill(int(lines[-1]), signal.SIGTERM)
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[2:]) if sys.argv[1] == "run" else watch())
