"""Where a command's words go: to a person's terminal, as plain lines into a pipe, or as JSON lines.

Owns the choice between the three and the writing; knows nothing of operations.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from tracker.render.words import escaped

if TYPE_CHECKING:
    from rich.console import Console

    from tracker.render.symbols import Symbols
    from tracker.render.table import Cells, Column


@dataclass(frozen=True, slots=True)
class Output:
    """How one command writes.

    ``json``: one object a line on stdout, nothing else. ``terminal``: stdout is a terminal on which the
    cursor can be moved. ``color``: colours and bold are wanted.
    """

    json: bool
    terminal: bool
    color: bool

    @classmethod
    def choose(cls, *, as_json: bool, no_color: bool) -> Output:
        """Decide from the options, the environment and what stdout is."""
        terminal = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        color = terminal and not no_color and not os.environ.get("NO_COLOR")
        return cls(json=as_json, terminal=terminal and not as_json, color=color)

    def line(self, text: str = "") -> None:
        """Write one line to stdout at once."""
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def object(self, value: Any) -> None:
        """Write ``value`` as one line of JSON."""
        self.line(escaped(msgspec.json.encode(value).decode()))

    def note(self, text: str) -> None:
        """Write one line for people to stderr, so that stdout holds only what was asked for."""
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

    def say(self, text: str) -> None:
        """Write one line for people: to stdout, or to stderr when stdout holds JSON."""
        (self.note if self.json else self.line)(text)

    @property
    def width(self) -> int:
        """Columns of the terminal."""
        return shutil.get_terminal_size().columns

    def symbols(self) -> Symbols:
        """Symbols that stdout's encoding can hold."""
        from tracker.render.symbols import UNICODE, fitting

        return fitting(sys.stdout.encoding, UNICODE)

    def table(self, columns: Sequence[Column], rows: Sequence[Cells]) -> None:
        """Write rows fitted to the terminal, below the titles of the columns; nothing without any."""
        from tracker.render.table import table

        console = self.console()
        for line in table(columns, rows, console.width, self.symbols()):
            console.print(line, soft_wrap=True)

    def console(self) -> Console:
        """A Rich console on stdout that keeps to ``color`` and lets a closed pipe be seen."""
        from rich.console import Console

        return Console(
            file=sys.stdout,
            force_terminal=self.terminal,
            color_system="auto" if self.color else None,
            highlight=False,
            emoji=False,
            markup=False,
            soft_wrap=False,
        )
