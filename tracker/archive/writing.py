"""What changes the archive: writing records, and removing operations with all that belongs to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from sqlite3 import Connection

from tracker.archive.codec import STATUSES
from tracker.archive.database import among, chunks, insertion
from tracker.archive.merging import merged, tidied
from tracker.archive.packing import pack_id
from tracker.archive.reading import Reader
from tracker.archive.rows import Rows, rows_of
from tracker.archive.stats import Tally
from tracker.archive.tables import AttemptRow, ExtraRow, OperationRow
from tracker.archive.texts import Numbering, Texts
from tracker.model import ENDED
from tracker.record import Record

Decoding = Callable[[], AbstractContextManager[None]]

INSERT_OPERATIONS = insertion("operations", OperationRow._fields)
INSERT_ATTEMPTS = insertion("attempts", AttemptRow._fields)
INSERT_EXTRAS = insertion("extras", ExtraRow._fields)

BELOW = "SELECT op, key FROM operations WHERE namespace = ? AND parent IN (…)"

ENDED_BEFORE = " UNION ALL ".join(
    "SELECT * FROM (SELECT op, key, score FROM operations WHERE namespace = :namespace AND parent IS NULL "
    f"AND status = {number} AND score < :before AND ended < :before ORDER BY score LIMIT :limit)"
    for number, status in enumerate(STATUSES)
    if status in ENDED
)


class Writer:
    """Stores what records know beyond what is stored, some at a time, inside the caller's writing transaction.

    No operation comes twice; ``save`` is called last.
    """

    def __init__(self, connection: Connection, texts: Texts, namespace: str, decoding: Decoding) -> None:
        self._connection = connection
        self._decoding = decoding
        self._reader = Reader(connection, texts, namespace)
        self._number_of = Numbering(texts, connection)
        self._place = self._number_of.always(namespace)
        self._tally, self._rows = Tally(self._number_of), Rowset()
        self._following = (connection.execute("SELECT MAX(op) FROM operations").fetchone()[0] or 0) + 1

    def write(self, records: Iterable[Record]) -> None:
        """Store these."""
        told = _by_id(records)
        with self._decoding():
            stored = _stored(self._reader, told)
        for id, record in told.items():
            op, held = stored.get(id, (self._following, None))
            known = merged(held, record) if held else record
            if known == held:
                continue
            self._following = max(self._following, op + 1)
            made = rows_of(known, op, self._place, self._number_of)
            self._tally.add(made.operation.name, held, known, made.shown)
            self._rows.add(made, replaces=held is not None)

    def flush(self) -> None:
        """Write the rows of what was stored so far."""
        self._rows.save(self._connection)
        self._rows = Rowset()

    def erase(self, id: str) -> None:
        """Remove an operation that was stored here, and all below it."""
        self.flush()
        found = find_key(self._connection, self._place, id)
        if found is not None:
            remove_family(self._connection, self._place, *found)

    def save(self) -> None:
        """Write all of it, and what it adds up to."""
        self.flush()
        self._tally.save(self._connection, self._place)
        self._number_of.save()


def count(
    connection: Connection, texts: Texts, namespace: str, token: str, counts: Mapping[tuple[int, str], int]
) -> None:
    """Count runs that are not kept, unless those of that token were counted last."""
    number_of = Numbering(texts, connection)
    place = number_of.always(namespace)
    key = f"counted {place}"
    if connection.execute("SELECT 1 FROM meta WHERE key = ? AND value = ?", (key, token)).fetchone():
        return
    tally = Tally(number_of)
    for (day, name), runs in counts.items():
        tally.count(number_of.of_name(name), day, runs)
    tally.save(connection, place)
    number_of.save()
    connection.execute("REPLACE INTO meta (key, value) VALUES (?, ?)", (key, token))


class Rowset:
    """Rows of many operations, to be written table by table."""

    def __init__(self) -> None:
        self._replaced: list[int] = []
        self._operations: list[OperationRow] = []
        self._attempts: list[AttemptRow] = []
        self._extras: list[ExtraRow] = []

    def add(self, rows: Rows, *, replaces: bool) -> None:
        """Take in an operation, which may take the place of its former rows."""
        if replaces:
            self._replaced.append(rows.operation.op)
        self._operations.append(rows.operation)
        self._attempts += rows.attempts
        self._extras += rows.extras

    def save(self, connection: Connection) -> None:
        """Write all rows."""
        _delete(connection, self._replaced)
        connection.executemany(INSERT_OPERATIONS, self._operations)
        connection.executemany(INSERT_ATTEMPTS, self._attempts)
        connection.executemany(INSERT_EXTRAS, self._extras)


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
            rows = connection.execute(among(BELOW, some), (namespace, *some))
            below += [(op, key) for op, key in rows if op not in family]
        family |= dict(below)
        level = [key for _, key in below]
    return family


def find_key(connection: Connection, namespace: int, id: str) -> tuple[int, bytes] | None:
    """Number and packed id of an operation."""
    key = pack_id(id)
    row = connection.execute("SELECT op FROM operations WHERE namespace = ? AND key = ?", (namespace, key)).fetchone()
    return (row[0], key) if row else None


def _ended(connection: Connection, namespace: int, before: float, limit: int) -> Sequence[tuple[int, bytes]]:
    """Top-level operations that ended before a time, oldest first.

    Nothing ends before it is made, so the index by the time of making leads to them, and needs no second one.
    """
    rows = connection.execute(ENDED_BEFORE, {"namespace": namespace, "before": before, "limit": limit}).fetchall()
    return [(op, key) for op, key, _ in sorted(rows, key=lambda row: float(row[2]))[:limit]]


def _delete(connection: Connection, ops: Sequence[int]) -> None:
    for some in chunks(ops):
        for table in ("extras", "attempts", "operations"):
            connection.execute(among(f"DELETE FROM {table} WHERE op IN (…)", some), some)
