"""Operations read from their rows: single ones, the heads that lists show, and everything there is of one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

import msgspec
from sqlalchemy import BindParameter, ColumnElement, Connection, Select, and_, bindparam, null, select

from tracker.archive.codec import Book, Number
from tracker.archive.packing import pack_id, unpack, unpack_id
from tracker.archive.rows import OPERATION, Details, take_attempt, take_details, take_logs, take_parts
from tracker.archive.tables import attempts, extras, operations
from tracker.archive.texts import Texts, mark_of
from tracker.ids import ID
from tracker.model import LogLine, Parts
from tracker.record import Attempt, Record

AT_ONCE = 500
"""How many operations one query asks for."""

Item = TypeVar("Item")

_columns = operations.c
_ops: BindParameter[Any] = bindparam("ops", expanding=True)

# Statements are built once: that takes longer than to run them.
FIND = select(_columns.op).where(
    _columns.namespace == bindparam("namespace"), _columns.key.in_(bindparam("keys", expanding=True))
)
DETAILS = select(extras.c.op, extras.c.number, extras.c.details).where(
    extras.c.op.in_(_ops), extras.c.details.is_not(None)
)


RESULTS = (
    select(_columns.key, extras.c.results)
    .join_from(extras, operations, extras.c.op == _columns.op)
    .where(extras.c.op.in_(_ops), extras.c.number == OPERATION, extras.c.results.is_not(None))
)


def _heads(*steps: ColumnElement[Any]) -> Select[Any]:
    """The columns that make an operation, with those that hold the wanted steps of its newest run."""
    newest = and_(attempts.c.op == _columns.op, attempts.c.number == _columns.attempt)
    shown = (_columns.op, _columns.key, _columns.parent, _columns.rev, _columns.attempt, _columns.outside)
    query = select(*shown, attempts.c.head, attempts.c.current, *steps)
    return query.outerjoin_from(operations, attempts, newest).where(_columns.op.in_(_ops))


WHOLE = _heads(attempts.c.steps)
HEADS = _heads(null().label("steps"))
"""Lists leave the steps where they are: of some operations there are thousands."""


class Reader:
    """Reads within one transaction and one namespace."""

    def __init__(self, connection: Connection, texts: Texts, namespace: str) -> None:
        self.connection = connection
        self._texts = texts
        self.namespace = self._number_of(namespace) or 0

    def number_of_name(self, name: str) -> int:
        """The number by which operations of a name are found."""
        return self._number_of(name) or mark_of(name)

    def _number_of(self, text: str) -> int | None:
        if self._texts.number_of(text) is None:
            self._texts.refresh(self.connection)
        return self._texts.number_of(text)

    def text_of(self, number: Number) -> str:
        """The text that a cell stands for."""
        return self._texts.text_of(number, self.connection)

    def find(self, ids: Iterable[str]) -> list[int]:
        """The numbers of those operations that there are."""
        keys = [pack_id(id) for id in ids if ID.fullmatch(id)]
        found: list[int] = []
        for some in chunks(keys):
            found += self.connection.scalars(FIND, {"namespace": self.namespace, "keys": some})
        return found

    def heads(self, ops: Sequence[int], *, whole: bool = False) -> dict[int, Parts]:
        """Operations by their numbers: with the step that lists show, or ``whole`` with all steps of the newest run."""
        found: dict[int, Parts] = {}
        for some in chunks(ops):
            details = self._details(some)
            for row in self.connection.execute(WHOLE if whole else HEADS, {"ops": some}):
                found[row.op] = take_parts(row, self.text_of, details[row.op])
        return found

    def runs(self, op: int, parts: Parts) -> Record:
        """An operation, whose whole ``parts`` are known, with all its runs; without log lines and kept results."""
        runs = self._attempts(op, parts)
        return Record(parts, runs[:-1] if parts.run else runs)

    def _attempts(self, op: int, parts: Parts) -> list[Attempt]:
        details = self._details([op])[op]
        query = select(attempts).where(attempts.c.op == op).order_by(attempts.c.number)
        parent = parts.queue.parent if parts.queue else parts.run.parent if parts.run else ""
        book = Book(text_of=self.text_of, queue=parts.queue, parent=parent)
        return [take_attempt(row.number, row, book, details) for row in self.connection.execute(query)]

    def logs(self, op: int) -> list[LogLine]:
        """All log lines of an operation, by attempt."""
        query = select(extras.c.number, extras.c.logs).where(extras.c.op == op, extras.c.logs.is_not(None))
        rows = self.connection.execute(query.order_by(extras.c.number))
        return [line for number, blob in rows for line in take_logs(number, blob)]

    def results(self, op: int) -> dict[str, bytes]:
        """What steps of an operation have kept, by key."""
        return next(iter(self.kept([op]).values()), {})

    def kept(self, ops: Sequence[int]) -> dict[str, dict[str, bytes]]:
        """What steps of operations have kept, by the operation's id and key; those that have kept anything."""
        found: dict[str, dict[str, bytes]] = {}
        for some in chunks(ops):
            rows = self.connection.execute(RESULTS, {"ops": some})
            found |= {unpack_id(key): unpack(blob) for key, blob in rows}
        return found

    def record(self, op: int, parts: Parts) -> Record:
        """Everything there is of an operation, whose whole ``parts`` are known."""
        return msgspec.structs.replace(self.runs(op, parts), logs=self.logs(op), results=self.results(op))

    def _details(self, ops: Sequence[int]) -> defaultdict[int, dict[int, Details]]:
        found: defaultdict[int, dict[int, Details]] = defaultdict(dict)
        for op, number, blob in self.connection.execute(DETAILS, {"ops": ops}):
            found[op][number] = take_details(blob)
        return found


def chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """``items``, at most ``AT_ONCE`` of them at a time."""
    for begin in range(0, len(items), AT_ONCE):
        yield items[begin : begin + AT_ONCE]
