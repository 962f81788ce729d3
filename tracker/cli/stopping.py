"""Being asked to stop, for commands that have to tidy up: a signal is noted and looked at, it interrupts nothing."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(Exception):
    """Somebody asked the command to stop."""


class Stop:
    """Whether, and by which signal, this process was asked to stop."""

    def __init__(self) -> None:
        self.number = 0
        self.times = 0
        self._read, self._write = os.pipe()

    def ask(self, number: int, frame: FrameType | None = None) -> None:
        """Note signal ``number``; usable as a signal handler (no locks, no allocation of note)."""
        self.number = self.number or number
        self.times += 1
        os.write(self._write, b".")

    def wait(self, seconds: float) -> bool:
        """Sleep for ``seconds``, or until asked to stop; answers whether it was."""
        if not self.times:
            select.select([self._read], [], [], seconds)
        return self.times > 0

    def check(self) -> None:
        """Raise ``Stopped`` if asked to stop."""
        if self.times:
            raise Stopped

    @property
    def exit_code(self) -> int:
        """What a shell expects after that signal; 0 if there was none."""
        return 128 + self.number if self.number else 0


@contextmanager
def stopping() -> Iterator[Stop]:
    """Note SIGINT, SIGTERM and SIGHUP in a ``Stop`` for the length of the block."""
    stop = Stop()
    before = {number: signal.signal(number, stop.ask) for number in SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
