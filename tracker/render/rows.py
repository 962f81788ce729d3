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

REMARK = 12
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
        name, self.status = _widest(row.name for row in rows), _widest(row.status for row in rows)
        self.counted = max((cell_len(row.counted) for row in rows), default=0)
        whole, short = _widest(row.taken for row in rows), _widest(_time_only(row.taken) for row in rows)
        self.short = name + self.status + whole + self.counted + 3 > width
        self.taken = short if self.short else whole
        least = min(name, width // 2)
        if least + self.status + self.taken + 2 > width:
            self.taken = 0
        fixed = self.status + 1 + (self.taken + 1 if self.taken else 0)
        if least + fixed + 1 + self.counted > width:
            self.counted = 0
        after = max((_joined(self._numbers(row), _least(row.remark)) for row in rows), default=0)
        self.name = max(1, min(max(least, min(name, width - fixed - 1 - after)), width - fixed))
        self.rest = width - self.name - fixed - 1
        self._choose(rows)

    def _choose(self, rows: Sequence[Row]) -> None:
        """The bar goes first, then the pace, and both for all rows alike."""
        self.pace, self.bar = False, 0
        for pace, cells in ((True, BAR_WIDTH), (True, SHORT_BAR), (True, 0), (False, BAR_WIDTH), (False, SHORT_BAR)):
            if all(self._needed(row, pace, cells) <= self.rest for row in rows if row.pace or row.share is not None):
                self.pace, self.bar = pace, cells
                return

    def _needed(self, row: Row, pace: bool, cells: int) -> int:
        bar = cells if row.share is not None else 0
        return _joined(self._numbers(row), bar, cell_len(row.pace) * pace, _least(row.remark))

    def _numbers(self, row: Row) -> int:
        """Cells that progress takes: numbers stand in a column, so that bars begin at the same place."""
        return self.counted if row.counted else 0

    def line(self, row: Row, symbols: Symbols) -> Text:
        whole = _padded(cut(row.name.copy(), self.name, symbols), self.name + 1)
        whole.append_text(_padded(row.status.copy(), self.status + 1))
        if self.taken:
            whole.append_text(_padded(_time_only(row.taken) if self.short else row.taken.copy(), self.taken + 1))
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


def _time_only(taken: Text) -> Text:
    """Without the limit it is over."""
    return Text(taken.plain.partition(",")[0], style=taken.style)


def _least(remark: Text) -> int:
    return min(remark.cell_len, REMARK)


def _joined(*cells: int) -> int:
    """Cells of parts with a blank between each two."""
    there = [width for width in cells if width]
    return sum(there) + len(there) - 1 if there else 0


def _widest(texts: Iterable[Text]) -> int:
    return max((text.cell_len for text in texts), default=0)
