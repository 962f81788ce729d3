"""Finding out what processes a running system consists of."""

from __future__ import annotations

import os
from pathlib import Path


def processes_of(folder: Path) -> dict[int, str]:
    """Processes, by id, that name ``folder`` in their environment, command line or current folder.

    Everything a system starts inherits its settings, so nothing it started is overlooked.
    """
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid() and _names(entry, str(folder).encode()):
            found[int(entry.name)] = _read(entry / "cmdline").replace(b"\0", b" ").decode(errors="replace")
    return found


def _names(entry: Path, text: bytes) -> bool:
    """A process that has ended, but was not yet waited for, has no command line."""
    if not _read(entry / "cmdline"):
        return False
    try:
        where = os.readlink(entry / "cwd").encode()
    except OSError:
        where = b""
    return text in _read(entry / "cmdline") or text in _read(entry / "environ") or text in where


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
