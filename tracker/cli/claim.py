"""Who runs in a state folder: at most one ``tracker up`` at a time, and how another finds it.

A lock that the kernel releases with its process says *whether* one runs; ``up.json`` says where it is reached.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path

import msgspec

from tracker.cli.stopping import Stop
from tracker.errors import TrackerError

START_LIMIT = 75.0
"""Longest time to wait, in seconds, for one that is just starting."""


class Running(msgspec.Struct, frozen=True):
    """A system that is up: its supervisor's process, the dashboard's URL and what its file jobs may read."""

    pid: int
    url: str
    data_root: str


class Claim:
    """The right to run in a state folder; held until ``release`` or the end of the process."""

    def __init__(self, folder: Path, lock: int) -> None:
        self._file = folder / "up.json"
        self._lock = lock
        self._file.unlink(missing_ok=True)

    def publish(self, running: Running) -> None:
        """Say that the system is ready."""
        part = self._file.with_suffix(".part")
        part.write_bytes(msgspec.json.encode(running))
        part.replace(self._file)

    def release(self) -> None:
        """Nothing runs here any more."""
        self._file.unlink(missing_ok=True)
        os.close(self._lock)


def claim_or_join(folder: Path, stop: Stop) -> Claim | Running:
    """The claim on ``folder``, or the system that is up in it (waiting for one that is just starting).

    Raises ``Stopped`` when asked to stop meanwhile.
    """
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline:
        claim = _try_claim(folder)
        if claim is not None:
            return claim
        running = _read(folder)
        if running is not None:
            return running
        stop.wait(0.1)
        stop.check()
    raise TrackerError(f"another `tracker up` is starting in {folder}, but is not ready; look at its output")


def _try_claim(folder: Path) -> Claim | None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(folder / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode(), 0)
    return Claim(folder, lock)


def _read(folder: Path) -> Running | None:
    """What the lock's holder published; something an earlier one left behind does not count."""
    with contextlib.suppress(OSError, msgspec.DecodeError):
        running = msgspec.json.decode((folder / "up.json").read_bytes(), type=Running)
        if (folder / "up.lock").read_text() == str(running.pid):
            return running
    return None
