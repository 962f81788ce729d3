"""One terminal of this process: a region of lines at its bottom, and what is written above it.

Knows neither runs nor Rich. There is one object for each device, however many streams and consoles lead to it,
because two regions on one terminal would draw over each other. Writes to the device itself: the program's streams may
be locked by the very call that a signal has interrupted.
"""

from __future__ import annotations

import os
import re
import select
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from tracker.display.live import LiveRegion

_WRAP_OFF, _WRAP_ON = b"\x1b[0m\x1b[?7l\r", b"\x1b[?7h"
"""Terminals and Rich disagree on the width of some characters; a row that wraps would move all others."""

_CLEAR_LINE, _UP = b"\x1b[2K", b"\x1b[1A"
"""Never the screen from here on: some terminals keep what is cleared so among the lines one can scroll back to."""

_MOVES = re.compile(r"\x1b\[[0-9;?]*[A-Za-ln-z]")
"""Escape sequences that do something else than colour text."""

_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f]|\x1b(?!\[[0-9;:]*m|\]8;|\\)")
"""Control characters, except those of colours and links."""


class Terminal:
    """Whoever draws or writes holds ``lock``; nothing is waited for meanwhile but the device."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.region: LiveRegion | None = None
        self.is_up = False
        """Whether a region is to be seen, so that text has to go above it."""
        self.stale = False
        """Whether a line that is not complete has changed."""
        self.forked_from = False
        """Whether a region was up when this process was forked: it is the parent's."""
        self._file: TextIO | None = None
        self._encoding = "utf-8"
        self._frame: list[bytes] = []
        self._room = 0
        self._rows = 0
        self._streams: dict[Above, None] = {}

    def begin(self, file: TextIO) -> None:
        """A region begins, below the cursor and in a line of its own, written to ``file``'s device."""
        self._file, self._encoding = file, file.encoding or "utf-8"
        self._frame, self._room, self._rows = [], 0, 0
        self._to_a_line_of_its_own()
        self.is_up = True

    def draw(self, lines: Iterable[str], room: int) -> None:
        """The region looks like this from now on, in at most ``room`` lines."""
        self._frame, self._room = [self._encoded(line) for line in lines], room
        self.stale = False
        self._put(b"")

    def above(self, lines: Iterable[str]) -> None:
        """Leave lines for good above the region."""
        if not self.is_up:
            self._to_a_line_of_its_own()
        self._put(b"".join([_WRAP_OFF, *(self._encoded(line) + b"\r\n" for line in lines), _WRAP_ON]))

    def take_away(self) -> None:
        """Nothing is to be seen of the region, and the terminal is the program's own again."""
        partial = self._partial(b"")
        self.is_up, self._frame = False, []
        self._put(partial)

    def finish(self, lines: Iterable[str]) -> None:
        """The region stays as these lines, and the terminal is the program's own again."""
        if not self.is_up:
            self._to_a_line_of_its_own()
        partial = self._partial(b"\n")
        self._frame, self._room = [self._encoded(line) for line in lines], 0
        try:
            self._put(partial)
        finally:
            self.is_up, self._rows, self._frame = False, 0, []

    def abandon(self) -> None:
        """The terminal is the program's own again although whoever draws is held up; takes no lock."""
        self.is_up = False
        if self._file is not None and select.select((), (self._file.fileno(),), (), 0)[1]:
            os.write(self._file.fileno(), _WRAP_ON)

    def forked(self) -> LiveRegion | None:
        """In a forked child: the region, which stays the parent's."""
        self.lock = threading.RLock()
        region, self.region, self.is_up = self.region, None, False
        self.forked_from = self.forked_from or region is not None
        for stream in self._streams:
            stream.partial = ""
        self._streams.clear()
        return region

    def write(self, stream: Above, text: str) -> bool:
        """Write text of the program above the region; ``False`` if there is none."""
        with self.lock:
            if not self.is_up:
                return False
            # What cannot be encoded raises here, before anything is changed.
            data = stream.encoded(stream.partial + text)
            whole, newline, _ = data.rpartition(b"\n")
            partial = (stream.partial + text).rpartition("\n")[2]
            moves = "".join(_MOVES.findall(partial))
            stream.partial = _last_turn(_MOVES.sub("", partial))
            self._streams[stream] = None
            if newline or moves:
                self._put(whole + newline + moves.encode())
            else:
                self.stale = True
            return True

    def _to_a_line_of_its_own(self) -> None:
        # As many blanks as there are columns end in the next line, unless they began at the left edge.
        columns = os.get_terminal_size(self._descriptor()).columns
        self._send(b" " * columns + b"\r" + _CLEAR_LINE)

    def _partial(self, end: bytes) -> bytes:
        """The lines that are not complete, which are complete now."""
        held = [stream for stream in self._streams if stream.partial]
        written = b"".join(stream.encoded(stream.partial) + end for stream in held)
        for stream in held:
            stream.partial = ""
        self._streams.clear()
        return written

    def _put(self, text: bytes) -> None:
        """Draw the region again, below ``text`` that was not there before."""
        above = b"\r" + _CLEAR_LINE + (_UP + _CLEAR_LINE) * self._rows + text
        waiting = [self._encoded(_UNSEEN.sub("", stream.partial)) for stream in self._streams if stream.partial]
        lines = [*(line + b"\x1b[0m" for line in waiting), *self._frame]
        if self._room:
            lines = lines[: self._room]
        drawn = b"".join(line + b"\r\n" for line in lines)
        before, self._rows = self._rows, len(lines)
        region = _WRAP_OFF + drawn + _WRAP_ON if drawn else b""
        self._send(above + region, lambda done: self._interrupted(done, len(above), drawn, before))

    def _interrupted(self, done: int, above: int, drawn: bytes, before: int) -> None:
        """Only the first bytes are out: know where the cursor is, and leave the terminal as it was."""
        self._rows = drawn[: max(0, done - above - len(_WRAP_OFF))].count(b"\r\n") if done else before
        os.write(self._descriptor(), _WRAP_ON)

    def _send(self, data: bytes, interrupted: Callable[[int], None] | None = None) -> None:
        done = 0
        try:
            while done < len(data):
                done += self._some(data[done:])
        except BaseException:
            if interrupted is not None:
                interrupted(done)
            raise

    def _some(self, data: bytes) -> int:
        descriptor = self._descriptor()
        try:
            return os.write(descriptor, data)
        except BlockingIOError:  # Somebody, asyncio for one, has made it so.
            select.select((), (descriptor,), ())
            return 0

    def _descriptor(self) -> int:
        assert self._file is not None
        return self._file.fileno()

    def _encoded(self, line: str) -> bytes:
        return line.encode(self._encoding, "replace")


class Above:
    """Stands for a stream of the program: whole lines go above the region, untouched; without one all goes through.

    A line that is not complete is shown in the region. Whoever keeps this stream is served for ever.
    """

    def __init__(self, real: TextIO, terminal: Terminal) -> None:
        self.real, self.terminal = real, terminal
        self.partial = ""

    def __getattr__(self, name: str) -> object:
        return getattr(self.real, name)

    def write(self, text: str, /) -> int:
        """As the real stream's."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        return len(text) if self.terminal.write(self, text) else self.real.write(text)

    def writelines(self, lines: Sequence[str], /) -> None:
        """As the real stream's."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """A line that is not complete goes on waiting."""
        self.real.flush()

    def encoded(self, text: str) -> bytes:
        """As the real stream would write it; raises what it would raise."""
        return text.encode(self.real.encoding or "utf-8", self.real.errors or "strict")


_terminals: dict[int, Terminal] = {}


def device_of(file: object) -> int:
    """The number of the device that a file leads to; 0 if to none."""
    try:
        return os.fstat(file.fileno()).st_rdev  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):
        return 0


def terminal_of(file: object) -> Terminal:
    """The one terminal that the file leads to."""
    return _terminals.setdefault(device_of(file), Terminal())


def after_fork() -> list[LiveRegion]:
    """In a forked child, all terminals are its own to write to; gives the regions, which are the parent's."""
    return [region for terminal in _terminals.values() if (region := terminal.forked()) is not None]


def _last_turn(text: str) -> str:
    """What is to be seen of a line in which the cursor went back to its beginning."""
    seen = text.rstrip("\r")
    return seen.rpartition("\r")[2] + ("\r" if seen != text else "")
