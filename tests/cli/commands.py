"""A running ``tracker`` command as tests hold it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyte

from tests.forked import Forked, Origin, forked
from tests.support import wait_for

ROOT = Path(__file__).resolve().parents[2]
TRACKER = [sys.executable, "-P", "-m", "tracker"]

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

LOOKED_FOR = {"up", "demo", "web", "worker", "recorder"}
"""Commands whose processes tests look for among all there are; they are started in full."""


def modules(package: str) -> list[str]:
    """The names of all that is in a package of ``tracker``."""
    paths = sorted((ROOT / "tracker" / package).rglob("*.py"))
    return [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in paths]


PACKAGES = ("archive", "cli", "doctor", "history", "publish", "render", "store")
READS_ENVIRONMENT = "tracker.cli.commands"
"""Imported by each copy: how help looks depends on its environment."""

OTHERS = Origin(
    "tracker",
    ("-P",),
    tuple(name for package in PACKAGES for name in modules(package) if name != READS_ENVIRONMENT),
)


class Command:
    """One command: in a pipe, or with ``terminal`` (columns, lines) on a pseudo-terminal of that size."""

    def __init__(
        self, arguments: Sequence[str], environment: Mapping[str, str], terminal: tuple[int, int] | None, cwd: str
    ) -> None:
        self._chunks: list[bytes] = []
        self._errors: list[bytes] = []
        self._master = -1
        self._terminal = terminal or (80, 24)
        self._resized = 0
        if terminal is None:
            outputs = [(*os.pipe(), self._chunks), (*os.pipe(), self._errors)]
            streams = [os.open(os.devnull, os.O_RDONLY), *(writing for _, writing, _ in outputs)]
        else:
            self._master, slave = pty.openpty()
            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", terminal[1], terminal[0], 0, 0))
            outputs = [(self._master, slave, self._chunks)]
            streams = [slave] * 3
        self._pipes = [os.fdopen(reading, "rb", 0) for reading, _, _ in outputs if reading != self._master]
        try:
            self.process = _started(arguments, {**environment, "PYTHONPATH": str(ROOT)}, streams, cwd, bool(terminal))
        finally:
            for stream in {*streams}:
                os.close(stream)
        self._readers = [threading.Thread(target=_read, args=(at, to), daemon=True) for at, _, to in outputs]
        for reader in self._readers:
            reader.start()

    @property
    def out(self) -> str:
        """Everything on stdout (on a terminal: on the screen) so far, with its control sequences."""
        return b"".join(self._chunks).decode()

    @property
    def err(self) -> str:
        """Everything on stderr so far."""
        return b"".join(self._errors).decode()

    @property
    def text(self) -> str:
        """``out`` without control sequences."""
        return CONTROL.sub("", self.out)

    def emulator(self) -> pyte.Screen:
        """Its terminal as it stands now."""
        emulator = pyte.Screen(*self._terminal)
        pyte.ByteStream(emulator).feed(b"".join(self._chunks)[self._resized :])
        return emulator

    @property
    def screen(self) -> list[str]:
        """What a person sees on its terminal now, line by line without trailing blanks."""
        return [line.rstrip() for line in self.emulator().display]

    def displays(self, text: str) -> list[str]:
        """Wait until ``text`` is in sight; gives the screen."""
        return wait_for(lambda: (screen := self.screen) and any(text in line for line in screen) and screen)

    def hides(self, text: str) -> list[str]:
        """Wait until ``text`` is in sight no longer; gives the screen."""
        return wait_for(lambda: (screen := self.screen) and not any(text in line for line in screen) and screen)

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def objects(self) -> list[dict[str, Any]]:
        """Every complete line of stdout as JSON."""
        return [json.loads(line) for line in self.out.splitlines(keepends=True) if line.endswith("\n")]

    def code(self, timeout: float = 30.0) -> int:
        """The exit code, once it has ended and everything it wrote has been read."""
        code = self.process.wait(timeout)
        for reader in self._readers:
            reader.join(timeout)
        return code

    def shows(self, text: str, timeout: float = 20.0) -> None:
        """Wait until ``text`` was written."""
        wait_for(lambda: text in self.text or text in self.err or self._gone(text), timeout)

    def _gone(self, text: str) -> bool:
        if self.process.poll() is not None and not any(reader.is_alive() for reader in self._readers):
            assert text in self.text + self.err, f"ended with {self.process.returncode}: {self.text}{self.err}"
        return False

    def press(self, keys: str) -> None:
        """Type on its terminal."""
        os.write(self._master, keys.encode())

    def resize(self, columns: int, lines: int) -> None:
        """Change the size of its terminal; what was drawn before is in sight no longer."""
        self._terminal, self._resized = (columns, lines), len(b"".join(self._chunks))
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def hang_up(self) -> None:
        """Close its terminal, as closing a window does."""
        os.close(self._master)
        self._master = -1

    def echoes(self) -> bool:
        """Whether its terminal shows typed keys."""
        return bool(termios.tcgetattr(self._master)[3] & termios.ECHO)

    def close(self) -> None:
        """End it in good order, then for certain."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(30)
        self.process.kill()
        self.code()
        for pipe in self._pipes:
            pipe.close()
        if self._master >= 0:
            self.hang_up()


def _started(
    arguments: Sequence[str], environment: Mapping[str, str], streams: Sequence[int], cwd: str, terminal: bool
) -> Forked | subprocess.Popen[bytes]:
    if LOOKED_FOR.isdisjoint(arguments):
        return forked(OTHERS, arguments, environment, streams, cwd, terminal)
    return subprocess.Popen(
        [*TRACKER, *arguments], stdin=streams[0], stdout=streams[1], stderr=streams[2], cwd=cwd, env=environment,
        start_new_session=terminal, preexec_fn=_take_terminal if terminal else None,
    )  # fmt: skip


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _read(handle: int, chunks: list[bytes]) -> None:
    with contextlib.suppress(OSError):
        while chunk := os.read(handle, 65536):
            chunks.append(chunk)
