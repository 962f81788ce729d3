"""What changes the archive: writing records, and removing operations with all that belongs to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager

from sqlalchemy import Connection, Table, delete, func, insert, select, union_all, update

from tracker.archive.codec import STATUSES
from tracker.archive.merging import merged, tidied
from tracker.archive.packing import pack_id
from tracker.archive.reading import Reader, chunks
from tracker.archive.rows import Row, Rows, rows_of
from tracker.archive.stats import Tally
from tracker.archive.tables import attempts, extras, meta, operations
from tracker.archive.texts import Numbering, Texts
from tracker.model import ENDED
from tracker.record import Record

Decoding = Callable[[], AbstractContextManager[None]]

_columns = operations.c


def write(connection: Connection, texts: Texts, namespace: str, records: Iterable[Record], decoding: Decoding) -> None:
    """Store what the records know beyond what is stored, inside the caller's writing transaction."""
    number_of = Numbering(texts, connection)
    place = number_of.always(namespace)
    told = _by_id(records)
    with decoding():
        stored = _stored(Reader(connection, texts, namespace), told)
    tally, rows = Tally(number_of), Rowset()
    following = (connection.scalar(select(func.max(_columns.op))) or 0) + 1
    for id, record in told.items():
        op, held = stored.get(id, (following, None))
        known = merged(held, record) if held else record
        if known == held:
            continue
        following = max(following, op + 1)
        made = rows_of(known, op, place, number_of)
        tally.add(made.operation["name"], held, known)
        rows.add(made, replaces=held is not None)
    rows.save(connection)
    tally.save(connection, place)
    number_of.save()


def count(
    connection: Connection, texts: Texts, namespace: str, token: str, counts: Mapping[tuple[int, str], int]
) -> None:
    """Count runs that are not kept, unless those of that token were counted last."""
    number_of = Numbering(texts, connection)
    place = number_of.always(namespace)
    key = f"counted {place}"
    last = connection.scalar(select(meta.c.value).where(meta.c.key == key))
    if last == token:
        return
    tally = Tally(number_of)
    for (day, name), runs in counts.items():
        tally.count(number_of.of_name(name), day, runs)
    tally.save(connection, place)
    number_of.save()
    if last is None:
        connection.execute(insert(meta), {"key": key, "value": token})
    else:
        connection.execute(update(meta).where(meta.c.key == key).values(value=token))


class Rowset:
    """Rows of many operations, to be written table by table."""

    def __init__(self) -> None:
        self._replaced: list[int] = []
        self._rows: dict[Table, list[Row]] = {operations: [], attempts: [], extras: []}

    def add(self, rows: Rows, *, replaces: bool) -> None:
        """Take in an operation, which may take the place of its former rows."""
        if replaces:
            self._replaced.append(rows.operation["op"])
        self._rows[operations].append(rows.operation)
        self._rows[attempts] += rows.attempts
        self._rows[extras] += rows.extras

    def save(self, connection: Connection) -> None:
        """Write all rows."""
        _delete(connection, self._replaced)
        for table, rows in self._rows.items():
            if rows:
                connection.execute(insert(table), rows)


def _by_id(records: Iterable[Record]) -> dict[str, Record]:
    """One record for each operation."""
    found: dict[str, Record] = {}
    for record in records:
        id = record.parts.id
        found[id] = merged(found[id], record) if id in found else tidied(record)
    return found


def _stored(reader: Reader, ids: Iterable[str]) -> dict[str, tuple[int, Record]]:
    """What is stored of these operations."""
    found = reader.heads(reader.find(ids), whole=True)
    return {parts.id: (op, reader.record(op, parts)) for op, parts in found.items()}


def remove(connection: Connection, namespace: int, before: float, limit: int) -> int:
    """Remove top-level operations that ended before a time, oldest first and each with all below it, until ``limit``
    operations are gone; how many are."""
    gone = 0
    for op, key in _ended(connection, namespace, before, limit):
        gone += remove_family(connection, namespace, op, key)
        if gone >= limit:
            break
    return gone


def remove_family(connection: Connection, namespace: int, op: int, key: bytes) -> int:
    """Remove an operation and all below it; how many were removed."""
    family = family_of(connection, namespace, op, key)
    _delete(connection, list(family))
    return len(family)


def family_of(connection: Connection, namespace: int, op: int, key: bytes) -> dict[int, bytes]:
    """Number and packed id of an operation and of all below it, parents first."""
    family, level = {op: key}, [key]
    while level:
        below: list[tuple[int, bytes]] = []
        for some in chunks(level):
            query = select(_columns.op, _columns.key).where(_columns.namespace == namespace, _columns.parent.in_(some))
            below += [(op, key) for op, key in connection.execute(query) if op not in family]
        family |= dict(below)
        level = [key for _, key in below]
    return family


def find_key(connection: Connection, namespace: int, id: str) -> tuple[int, bytes] | None:
    """Number and packed id of an operation."""
    key = pack_id(id)
    op = connection.scalar(select(_columns.op).where(_columns.namespace == namespace, _columns.key == key))
    return (op, key) if op is not None else None


def _ended(connection: Connection, namespace: int, before: float, limit: int) -> Sequence[tuple[int, bytes]]:
    """Top-level operations that ended before a time, oldest first.

    Nothing ends before it is made, so the index by the time of making leads to them, and needs no second one.
    """
    walks = [
        select(_columns.op, _columns.key, _columns.score)
        .where(_columns.namespace == namespace, _columns.parent.is_(None), _columns.status == number)
        .where(_columns.score < before, _columns.ended < before)
        .order_by(_columns.score)
        .limit(limit)
        .subquery()
        for number, status in enumerate(STATUSES)
        if status in ENDED
    ]
    rows = connection.execute(union_all(*(select(walk) for walk in walks))).all()
    return [(op, key) for op, key, _ in sorted(rows, key=lambda row: row.score)[:limit]]


def _delete(connection: Connection, ops: Sequence[int]) -> None:
    for some in chunks(ops):
        for table in (extras, attempts, operations):
            connection.execute(delete(table).where(table.c.op.in_(some)))
