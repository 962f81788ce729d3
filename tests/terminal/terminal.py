"""A program in a terminal of a given size, and a terminal emulator that says what a person would see."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import textwrap
import threading
from pathlib import Path

import pyte

from tests.support import wait_for

ROOT = Path(__file__).parents[2]
DROPPED = ("TRACKER_", "NO_COLOR", "LINES", "COLUMNS")
"""What the programs under test do not get from the environment of the tests, by how it begins."""


def seen(written: bytes, columns: int, rows: int) -> tuple[list[str], str]:
    """What a terminal of that size shows of what was written to it, without trailing blanks, and its title."""
    screen = pyte.HistoryScreen(columns, rows, history=5000, ratio=0.5)
    pyte.ByteStream(screen).feed(written)
    above = ["".join(line[column].data for column in range(columns)).rstrip() for line in screen.history.top]
    return [*above, *(line.rstrip() for line in screen.display)], screen.title


class Terminal:
    """Runs Python code with stdin, stdout and stderr in a terminal; ``stop()`` ends it whatever it does.

    ``screen`` is what is to be seen now, ``everything`` what one would find on scrolling up.
    """

    def __init__(self, code: str, columns: int = 80, rows: int = 24, **environment: str) -> None:
        self._ours, theirs = pty.openpty()
        self._size(columns, rows)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(DROPPED)}
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
            stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env=kept | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", "TERM": "xterm-256color"} | environment,
        )  # fmt: skip
        os.close(theirs)
        self.written = b""
        self._emulator = pyte.HistoryScreen(columns, rows, history=5000, ratio=0.5)
        self._stream = pyte.ByteStream(self._emulator)
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        try:
            while piece := os.read(self._ours, 65536):
                with self._lock:
                    self.written += piece
                    self._stream.feed(piece)
        except OSError:
            pass  # Linux says so when the other side is closed.

    def _size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, columns: int, rows: int) -> None:
        """The window has another size from now on."""
        with self._lock:
            self._size(columns, rows)
            self._emulator.resize(rows, columns)
        os.killpg(self.process.pid, signal.SIGWINCH)

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._ours, text.encode())

    @property
    def screen(self) -> list[str]:
        """The lines in sight, without trailing blanks."""
        with self._lock:
            return [line.rstrip() for line in self._emulator.display]

    @property
    def everything(self) -> list[str]:
        """All lines since the beginning."""
        with self._lock:
            above = [
                "".join(line[column].data for column in range(self._emulator.columns)).rstrip()
                for line in self._emulator.history.top
            ]
        return above + self.screen

    @property
    def cursor_is_visible(self) -> bool:
        """Whether the terminal shows where one types."""
        with self._lock:
            return not self._emulator.cursor.hidden

    def shows(self, text: str) -> list[str]:
        """Wait until ``text`` is in sight; gives the screen."""
        return wait_for(lambda: (screen := self.screen) and any(text in line for line in screen) and screen)

    def ends(self) -> int:
        """Wait for the end; gives the exit code."""
        code = self.process.wait(30)
        self._reader.join(30)
        return code

    def stop(self) -> None:
        """End it, if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join(5)
        os.close(self._ours)
