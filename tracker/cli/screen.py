"""Draws frames over each other on the normal screen, and leaves the last one there.

Owns the terminal while it is open: the cursor, its modes, and what Ctrl-Z does. Only lines that changed are written.
"""

from __future__ import annotations

import math
import os
import re
import shutil
import signal
import sys
import termios
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import FrameType
from typing import Any

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.console import Console, RenderableType

from tracker.render.pieces import Line

FRAME = 0.1
"""Shortest time between two frames, in seconds."""

HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
NO_WRAP, WRAP = "\x1b[?7l", "\x1b[?7h"
STYLE = re.compile(r"\x1b\[[0-9;]*m")
"""What styles are in a rendered line; nothing else moves in it."""

BEGIN, END = "\x1b[?2026h", "\x1b[?2026l"
"""Around a frame: terminals that know it show the frame at once, others ignore it."""


COLOR_SYSTEMS = {
    "standard": ColorSystem.STANDARD,
    "256": ColorSystem.EIGHT_BIT,
    "truecolor": ColorSystem.TRUECOLOR,
    "windows": ColorSystem.WINDOWS,
}


class Screen:
    """A place on the terminal that is drawn again and again; use as a context manager.

    ``resumed`` is called when the terminal is ours again after Ctrl-Z and ``fg``.
    """

    def __init__(self, console: Console) -> None:
        self.resumed: Callable[[], None] = lambda: None
        self._console = console
        self._paint = Paint(console)
        self._lines: list[str] = []
        self._modes: list[Any] | None = None
        self._size = self.size()
        self._stopped: Any = None

    def size(self) -> tuple[int, int]:
        """Columns and lines of the terminal now."""
        columns, lines = shutil.get_terminal_size()
        return max(1, columns), max(2, lines)

    def is_resized(self) -> bool:
        """Whether the terminal has another size than when a frame was last drawn."""
        return self.size() != self._size

    def __enter__(self) -> Screen:
        self._take()
        self._stopped = signal.signal(signal.SIGTSTP, self._stop)
        return self

    def __exit__(self, *exception: object) -> None:
        signal.signal(signal.SIGTSTP, self._stopped)
        self._give_back()

    def _take(self) -> None:
        self._modes = _quiet()
        sys.stdout.write(HIDE_CURSOR + NO_WRAP)
        sys.stdout.flush()

    def _give_back(self) -> None:
        with suppress(OSError, termios.error):  # A terminal that has gone wants nothing back.
            sys.stdout.write(WRAP + SHOW_CURSOR)
            sys.stdout.flush()
            if self._modes is not None:
                termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._modes)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        """Stop as the shell expects it, with the terminal as it was; when continued, begin below what stands there."""
        self._give_back()
        os.kill(os.getpid(), signal.SIGSTOP)
        self._take()
        self._lines = []
        self.resumed()

    def draw(self, content: Sequence[RenderableType], *, whole: bool = False) -> None:
        """Replace what is drawn by ``content``, cut to the terminal's height unless ``whole``."""
        columns, height = self.size()
        lines = self._rendered(content, columns) if whole else self._rendered(content, columns)[: height - 1]
        if lines == self._lines and (columns, height) == self._size:
            return
        sys.stdout.write(BEGIN + self._back_to_top(columns, height) + self._changed(lines) + END)
        sys.stdout.flush()
        self._lines, self._size = list(lines), (columns, height)

    def lines_of(self, part: RenderableType) -> int:
        """How many lines ``part`` takes."""
        return len(self._rendered([part], self.size()[0]))

    def _rendered(self, content: Sequence[RenderableType], columns: int) -> list[str]:
        return [line for part in content for line in self._lines_in(part, columns)]

    def _lines_in(self, part: RenderableType, columns: int) -> list[str]:
        if isinstance(part, Line):
            return [self._paint.line(part)]
        with self._console.capture() as capture:
            self._console.print(part, width=columns)
        return capture.get().splitlines()

    def _back_to_top(self, columns: int, height: int) -> str:
        """Up over the frame before; a narrower terminal has broken its long lines in two."""
        rows = len(self._lines)
        if (columns, height) != self._size:
            widths = [cell_len(STYLE.sub("", line)) for line in self._lines]
            rows = sum(max(1, math.ceil(width / columns)) for width in widths)
            self._lines = []
        up = min(rows, height - 1)
        return f"\r\x1b[{up}A" if up else "\r"

    def _changed(self, lines: list[str]) -> str:
        """The lines that differ; the rest is stepped over. Cleared first: after a full line would be one cell late."""
        known = [*self._lines, *[None] * len(lines)]
        moves = ["\n" if line == old else f"\x1b[2K{line}\r\n" for line, old in zip(lines, known, strict=False)]
        return "".join(moves) + "\x1b[J"


class Paint:
    """Styles as the terminal understands them, each looked up once."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._codes: dict[str, tuple[str, str]] = {}

    def line(self, line: Line) -> str:
        """A line as it is written to the terminal."""
        painted = []
        for text, style in line.pieces:
            before, after = self._around(f"{line.style} {style}" if line.style else style)
            painted.append(f"{before}{text}{after}")
        return "".join(painted)

    def _around(self, style: str) -> tuple[str, str]:
        """What switches a style on, and off again."""
        if style not in self._codes:
            colors, old = COLOR_SYSTEMS.get(self._console.color_system or ""), self._console.legacy_windows
            drawn = self._console.get_style(style).render("|", color_system=colors, legacy_windows=old)
            before, _, after = drawn.partition("|")
            self._codes[style] = before, after
        return self._codes[style]


def _quiet() -> list[Any] | None:
    """Have the terminal hand over keys one by one, and write none of them into the frames; its modes before.

    ``None`` without a terminal. Ctrl-C and Ctrl-Z stay signals.
    """
    if not sys.stdin.isatty():
        return None
    modes = termios.tcgetattr(sys.stdin)
    quiet = termios.tcgetattr(sys.stdin)
    quiet[3] &= ~(termios.ECHO | termios.ICANON)
    quiet[6][termios.VMIN], quiet[6][termios.VTIME] = 1, 0
    termios.tcsetattr(sys.stdin, termios.TCSADRAIN, quiet)
    return modes
