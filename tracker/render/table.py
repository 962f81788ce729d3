"""Rows in columns fitted to a terminal: what matters least is left out first, and nothing wraps.

Pure functions of values; every text is cleaned, but for those of a ``Line``, which are taken as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len
from rich.text import Text

from tracker.render.pieces import Line
from tracker.render.rows import cut
from tracker.render.symbols import UNICODE, Symbols
from tracker.render.words import clean

GAP = 2
"""Cells between two columns."""


class Column(NamedTuple):
    """``weight``: where there is no room for all, columns of less weight are left out first.

    ``least``: to how many cells its texts may be cut before that, 0 for not at all. ``right``: they stand at the
    right, as numbers do.
    """

    title: str
    weight: int
    right: bool = False
    least: int = 0


class Cell(NamedTuple):
    """A text and its Rich style."""

    text: str
    style: str = ""


Cells = Sequence[Cell | Line | str]


def table(columns: Sequence[Column], rows: Sequence[Cells], width: int, symbols: Symbols = UNICODE) -> list[Text]:
    """A line with the columns' titles and one for each row, none wider than ``width`` cells.

    A column in which nothing stands is left out.
    """
    texts = [[_text(cell) for cell in row] for row in rows]
    needed = [max((row[at].cell_len for row in texts), default=0) for at in range(len(columns))]
    wide = [max(cells, cell_len(column.title)) if cells else 0 for cells, column in zip(needed, columns, strict=True)]
    shown = _fitted(columns, wide, width)
    titles = [Text(column.title.upper(), "dim") for column in columns]
    return [_line(columns, row, shown, symbols) for row in [titles, *texts]] if rows else []


def _text(cell: Cell | Line | str) -> Text:
    if isinstance(cell, Line):
        return cell.__rich__()
    text, style = cell if isinstance(cell, Cell) else (cell, "")
    return Text(clean(text), style)


def _fitted(columns: Sequence[Column], wide: Sequence[int], width: int) -> dict[int, int]:
    """How wide each column is that is shown; the widest that may be cut is cut first."""
    shown = {at: cells for at, cells in enumerate(wide) if cells}
    while _total(shown) > width:
        cuttable = [at for at in shown if 0 < columns[at].least < shown[at]]
        if cuttable:
            shown[max(cuttable, key=lambda at: shown[at])] -= 1
        elif len(shown) == 1:
            shown = dict.fromkeys(shown, width)
        else:
            least = min(shown, key=lambda at: (columns[at].weight, -at))
            shown = {at: wide[at] for at in shown if at != least}
    return shown


def _total(shown: dict[int, int]) -> int:
    return sum(shown.values()) + GAP * (len(shown) - 1)


def _line(columns: Sequence[Column], row: Sequence[Text], shown: dict[int, int], symbols: Symbols) -> Text:
    line = Text(no_wrap=True, overflow="ignore")
    for at, cells in shown.items():
        text = cut(row[at].copy(), cells, symbols)
        blank = Text(" " * (cells - text.cell_len))
        line.append(" " * GAP if line else "")
        line.append_text(blank if columns[at].right else text).append_text(text if columns[at].right else blank)
    line.rstrip()
    return line
