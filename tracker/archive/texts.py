"""Numbers for texts that come again and again, so that a row holds a byte or two instead of a name."""

from __future__ import annotations

import zlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from sqlite3 import Connection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracker.model import Parts

LIMIT = 20_000
"""Texts that get a number, at most: names with variables in them must not grow a table that nothing ever shrinks."""


def mark_of(name: str) -> int:
    """By what operations of a name that has no number are found; two names may share one, if hardly ever."""
    return LIMIT + 1 + (zlib.crc32(name.encode()) >> 1)


class Texts:
    """What is known of the table; it only grows, so what is known stays right."""

    def __init__(self) -> None:
        self.taken: OrderedDict[Hashable, Parts] = OrderedDict()
        """Operations of lists, by the rows they were made from and with these texts."""
        self._numbers: dict[str, int] = {}
        self._texts: dict[int | str, str] = {}
        self._highest = 0

    def text_of(self, connection: Connection) -> Callable[[int | str], str]:
        """Answers the text that a cell stands for; raises ``KeyError`` if there is none."""
        known = self._texts.get

        def text_of(cell: int | str) -> str:
            # Of most rows every cell is asked for, and nearly all are numbers of known texts.
            return known(cell) or self._text_of(cell, connection)

        return text_of

    def _text_of(self, cell: int | str, connection: Connection) -> str:
        if isinstance(cell, str):
            return cell
        if cell not in self._texts:
            self.refresh(connection)
        return self._texts[cell]

    @property
    def number_of(self) -> Callable[[str], int | None]:
        """Answers the number of a text, if it has one that is known."""
        return self._numbers.get

    def refresh(self, connection: Connection) -> int:
        """Read what has been added; the highest number."""
        for id, text in connection.execute("SELECT id, text FROM texts WHERE id > ?", (self._highest,)):
            self._texts[id] = text
            self._numbers[text] = id
            self._highest = max(self._highest, id)
        return self._highest


class Numbering:
    """Gives numbers within one writing transaction; ``Texts`` learns them from the table once they are committed."""

    def __init__(self, known: Texts, connection: Connection) -> None:
        self._number_of = known.number_of
        self._connection = connection
        self._highest = known.refresh(connection)
        self._added: dict[str, int] = {}

    def __call__(self, text: str) -> int | str:
        """The number of a text, or the text itself once too many have one."""
        number = self._number_of(text) or self._added.get(text)
        return number or (self.always(text) if self._highest < LIMIT else text)

    def known(self, text: str) -> int | str:
        """The number of a text if it has one, else the text itself."""
        return self._number_of(text) or self._added.get(text) or text

    def of_name(self, name: str) -> int:
        """The number by which operations of a name are found."""
        number = self(name)
        return number if isinstance(number, int) else mark_of(name)

    def always(self, text: str) -> int:
        """The number of a text that has to have one, however many there are."""
        known = self.known(text)
        if isinstance(known, int):
            return known
        self._highest += 1
        self._added[text] = self._highest
        return self._highest

    def save(self) -> None:
        """Write the numbers that were given."""
        self._connection.executemany("INSERT INTO texts (text, id) VALUES (?, ?)", self._added.items())
