"""Rows of a picture laid out for the width there is: names, states and numbers are the last things to go.

Pure functions of values; every line fits its terminal, nothing wraps.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from tracker.render.symbols import Symbols

BAR_WIDTH = 16
"""Cells of a progress bar."""

SHORT_BAR = 8
"""Cells of a progress bar where there is no room for a whole one."""

REMARK = 16
"""Cells of a remark that a long name, a bar and the pace leave free."""


def line(text: str, style: str = "") -> Text:
    """Data on one line: never markup, cut where the terminal ends."""
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")


def bar(current: float, total: float, symbols: Symbols, width: int = BAR_WIDTH) -> str:
    """A progress bar; full only when everything is done."""
    filled = int(width * min(1.0, max(0.0, current / total))) if total > 0 else 0
    return symbols.full * filled + symbols.empty * (width - filled)


class Row(msgspec.Struct):
    """One row: ``counted`` is progress in numbers, ``share`` the part that is done, ``pace`` how fast it goes."""

    name: Text
    status: Text
    taken: Text = msgspec.field(default_factory=Text)
    counted: str = ""
    share: float | None = None
    pace: str = ""
    remark: Text = msgspec.field(default_factory=Text)


class Rows:
    """Rows under each other in columns; a ``Text`` among them takes the whole width."""

    def __init__(self, rows: Sequence[Row | Text], symbols: Symbols) -> None:
        self._rows, self._symbols = rows, symbols

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        layout = _Layout([row for row in self._rows if isinstance(row, Row)], options.max_width)
        for row in self._rows:
            whole = row.copy() if isinstance(row, Text) else layout.line(row, self._symbols)
            whole.rstrip()
            yield cut(whole, options.max_width, self._symbols)


class _Layout:
    """How wide each column is, and whether there is room for the pace and for a bar.

    A name is cut only if the terminal is narrow, or if it would take more than half of it from all the others.
    """

    def __init__(self, rows: Sequence[Row], width: int) -> None:
        self.width = width
        name, status = _widest(row.name for row in rows), _widest(row.status for row in rows)
        taken, self.counted = (
            _widest(row.taken for row in rows),
            max((cell_len(row.counted) for row in rows), default=0),
        )
        least = min(name, width // 2)
        self.status = status
        self.taken = taken if least + status + taken + 2 <= width else 0
        fixed = status + 1 + (self.taken + 1 if self.taken else 0)
        after = [_joined(self._numbers(row), _least(row.remark)) for row in rows]
        self.name = max(least, min(name, width - fixed - 1 - max(after, default=0)), 1)
        self.name = min(self.name, max(1, width - fixed))
        self.rest = width - self.name - fixed - 1
        self._choose(rows)

    def _choose(self, rows: Sequence[Row]) -> None:
        """The bar goes first, then the pace, and both for all rows alike."""
        paced = [_joined(self._numbers(row), cell_len(row.pace), _least(row.remark)) for row in rows]
        barred = [length for length, row in zip(paced, rows, strict=True) if row.share is not None]
        self.pace = max(paced, default=0) <= self.rest
        room = self.rest - max(barred, default=0) - 1
        self.bar = next((cells for cells in (BAR_WIDTH, SHORT_BAR) if cells <= room), 0) if self.pace else 0

    def _numbers(self, row: Row) -> int:
        """Cells that progress takes: numbers stand in a column, so that bars begin at the same place."""
        return self.counted if row.counted else 0

    def line(self, row: Row, symbols: Symbols) -> Text:
        whole = _padded(cut(row.name.copy(), self.name, symbols), self.name + 1)
        whole.append_text(_padded(row.status.copy(), self.status + 1))
        if self.taken:
            whole.append_text(_padded(row.taken.copy(), self.taken + 1))
        whole.append(self._progress(row, symbols))
        room = self.width - cell_len(whole.plain)
        # A stump of a remark says nothing.
        return (
            whole.append_text(cut(row.remark.copy(), room, symbols)) if room >= min(4, row.remark.cell_len) else whole
        )

    def _progress(self, row: Row, symbols: Symbols) -> str:
        if not row.counted or cell_len(row.counted) > self.rest:
            return ""
        parts = [row.counted + " " * (self.counted - cell_len(row.counted))]
        parts += [bar(row.share, 1.0, symbols, self.bar)] if row.share is not None and self.bar else []
        parts += [row.pace] if self.pace and row.pace else []
        return " ".join([*parts, ""])


def cut(text: Text, width: int, symbols: Symbols) -> Text:
    """The text in ``width`` cells at most, marked where something is left out."""
    if text.cell_len > width:
        dots = symbols.ellipsis if width > len(symbols.ellipsis) else ""
        text.truncate(max(0, width - len(dots)), overflow="crop")
        text.append(dots)
    return text


def _padded(text: Text, width: int) -> Text:
    text.append(" " * (width - text.cell_len))
    return text


def _least(remark: Text) -> int:
    return min(remark.cell_len, REMARK)


def _joined(*cells: int) -> int:
    """Cells of parts with a blank between each two."""
    there = [width for width in cells if width]
    return sum(there) + len(there) - 1 if there else 0


def _widest(texts: Iterable[Text]) -> int:
    return max((text.cell_len for text in texts), default=0)
