"""Operations read from their rows: single ones, the heads that lists show, and everything there is of one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from sqlite3 import Connection
from typing import NamedTuple

import msgspec

from tracker.archive.codec import Book, Number
from tracker.archive.database import among, chunks
from tracker.archive.packing import pack_id, unpack, unpack_id
from tracker.archive.rows import OPERATION, take_attempt, take_details, take_logs, take_parts
from tracker.archive.tables import AttemptRow
from tracker.archive.texts import Texts, mark_of
from tracker.ids import ID
from tracker.model import LogLine, Parts
from tracker.record import Attempt, Record

FIND = "SELECT op FROM operations WHERE namespace = ? AND key IN (…)"

DETAILS = "SELECT op, number, details FROM extras WHERE op IN (…) AND details IS NOT NULL"

RESULTS = f"""
    SELECT operations.key, extras.results FROM extras JOIN operations ON operations.op = extras.op
    WHERE extras.op IN (…) AND extras.number = {OPERATION} AND extras.results IS NOT NULL"""

LOGS = "SELECT number, logs FROM extras WHERE op = ? AND logs IS NOT NULL ORDER BY number"

ATTEMPTS = "SELECT op, number, head, current, steps FROM attempts WHERE op = ? ORDER BY number"

HEADS = """
    SELECT o.op, o.key, o.parent, o.rev, o.attempt, o.outside, a.head, a.current, NULL
    FROM operations o LEFT JOIN attempts a ON a.op = o.op AND a.number = o.attempt WHERE o.op IN (…)"""
"""Lists leave the steps where they are: of some operations there are thousands."""

WHOLE = HEADS.replace("NULL", "a.steps")


LISTED = 2_000
"""Operations of lists that are kept as they were made from their rows, some 2 kB each."""

Blobs = tuple[tuple[int, bytes], ...]
"""What is large of an operation (0) and of its attempts, by their numbers."""


class HeadRow(NamedTuple):
    """The columns that make an operation, with those that hold the wanted steps of its newest run."""

    op: int
    key: bytes
    parent: bytes | None
    rev: int
    attempt: int
    outside: bytes | None
    head: bytes | None
    current: bytes | None
    steps: bytes | None


class Reader:
    """Reads within one transaction and one namespace."""

    def __init__(self, connection: Connection, texts: Texts, namespace: str) -> None:
        self.connection = connection
        self._texts = texts
        self.namespace = self._number_of(namespace) or 0
        self.text_of: Callable[[Number], str] = texts.text_of(connection)
        """Answers the text that a cell stands for."""

    def number_of_name(self, name: str) -> int:
        """The number by which operations of a name are found."""
        return self._number_of(name) or mark_of(name)

    def _number_of(self, text: str) -> int | None:
        if self._texts.number_of(text) is None:
            self._texts.refresh(self.connection)
        return self._texts.number_of(text)

    def find(self, ids: Iterable[str]) -> list[int]:
        """The numbers of those operations that there are."""
        keys = [pack_id(id) for id in ids if ID.fullmatch(id)]
        found: list[int] = []
        for some in chunks(keys):
            found += [op for (op,) in self.connection.execute(among(FIND, some), (self.namespace, *some))]
        return found

    def heads(self, ops: Sequence[int], *, whole: bool = False) -> dict[int, Parts]:
        """Operations by their numbers: with the step that lists show, or ``whole`` with all steps of the newest run."""
        take = self._taken if whole else self._taken_once
        found: dict[int, Parts] = {}
        for some in chunks(ops):
            details = self._details_of(some)
            for row in map(HeadRow._make, self.connection.execute(among(WHOLE if whole else HEADS, some), some)):
                found[row.op] = take(row, details.get(row.op, ()))
        return found

    def _taken(self, row: HeadRow, details: Blobs) -> Parts:
        return take_parts(row, self.text_of, {number: take_details(blob) for number, blob in details})

    def _taken_once(self, row: HeadRow, details: Blobs) -> Parts:
        """As ``_taken``; the same lists are asked for again and again, and of equal rows the same is made."""
        known = self._texts.taken
        parts = known.get((row, details))
        if parts is None:
            parts = self._taken(row, details)
            known[row, details] = parts
            if len(known) > LISTED:
                known.popitem(last=False)
        return msgspec.structs.replace(parts, steps=dict(parts.steps))  # Whoever follows it changes it.

    def runs(self, op: int, parts: Parts) -> Record:
        """An operation, whose whole ``parts`` are known, with all its runs; without log lines and kept results."""
        runs = self._attempts(op, parts)
        return Record(parts, runs[:-1] if parts.run else runs)

    def _attempts(self, op: int, parts: Parts) -> list[Attempt]:
        details = {number: take_details(blob) for number, blob in self._details_of([op]).get(op, ())}
        parent = parts.queue.parent if parts.queue else parts.run.parent if parts.run else ""
        book = Book(text_of=self.text_of, queue=parts.queue, parent=parent)
        rows = map(AttemptRow._make, self.connection.execute(ATTEMPTS, (op,)))
        return [take_attempt(row.number, row, book, details) for row in rows]

    def logs(self, op: int) -> list[LogLine]:
        """All log lines of an operation, by attempt."""
        rows = self.connection.execute(LOGS, (op,))
        return [line for number, blob in rows for line in take_logs(number, blob)]

    def results(self, op: int) -> dict[str, bytes]:
        """What steps of an operation have kept, by key."""
        return next(iter(self.kept([op]).values()), {})

    def kept(self, ops: Sequence[int]) -> dict[str, dict[str, bytes]]:
        """What steps of operations have kept, by the operation's id and key; those that have kept anything."""
        found: dict[str, dict[str, bytes]] = {}
        for some in chunks(ops):
            rows = self.connection.execute(among(RESULTS, some), some)
            found |= {unpack_id(key): unpack(blob) for key, blob in rows}
        return found

    def record(self, op: int, parts: Parts) -> Record:
        """Everything there is of an operation, whose whole ``parts`` are known."""
        return msgspec.structs.replace(self.runs(op, parts), logs=self.logs(op), results=self.results(op))

    def _details_of(self, ops: Sequence[int]) -> dict[int, Blobs]:
        found: dict[int, Blobs] = {}
        for op, number, blob in self.connection.execute(among(DETAILS, ops), ops):
            found[op] = (*found.get(op, ()), (number, blob))
        return found
