"""A line of the terminal as pieces, each a text and its style: quick to measure, to cut and to draw.

Pure functions of values. A frame has dozens of lines ten times a second, and as texts of Rich's, which look for control
characters, wrap, and let styles overlap, they would take most of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.text import Text

Piece = tuple[str, str]
"""A text, which is clean, and its Rich style."""


class Line(NamedTuple):
    """Pieces beside each other; ``style`` is that of the whole. Rich takes it wherever it takes a text."""

    pieces: Sequence[Piece]
    style: str = ""

    @property
    def plain(self) -> str:
        """What it says, without styles."""
        return "".join([text for text, _ in self.pieces])

    @property
    def cell_len(self) -> int:
        """How wide it is."""
        return cells(self.pieces)

    def __rich__(self) -> Text:
        return Text.assemble(*self.pieces, style=self.style, no_wrap=True)


def cells(pieces: Sequence[Piece]) -> int:
    """How wide pieces are beside each other."""
    return sum([cell_len(text) for text, _ in pieces])


def cut(pieces: Sequence[Piece], width: int) -> Sequence[Piece]:
    """The pieces in ``width`` cells at most, marked where something is left out.

    >>> cut([("abc", ""), ("def", "red")], 5)
    [('abc', ''), ('d…', 'red')]
    """
    if cells(pieces) <= width:
        return pieces
    kept, room = list[Piece](), width - 1
    for text, style in pieces:
        if cell_len(text) > room:
            return [*kept, (f"{set_cell_size(text, room)}…", style)] if room >= 0 else []
        kept.append((text, style))
        room -= cell_len(text)
    return kept


def padded(pieces: Sequence[Piece], width: int) -> Sequence[Piece]:
    """The pieces in exactly ``width`` cells."""
    room = width - cells(pieces)
    return [*pieces, (" " * room, "")] if room >= 0 else cut(pieces, width)


def fitted(told: str | Sequence[Piece], width: int, style: str = "") -> Line:
    """A text or pieces as a line of ``width`` cells at most."""
    return Line(cut([(told, "")] if isinstance(told, str) else told, max(1, width)), style)
