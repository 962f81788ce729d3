"""The archive: finished operations in an SQL database; the only package that imports sqlite3.

Knows nothing of Redis. What is written twice is stored once, a run's outcome is never replaced, and a write that is
interrupted leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from sqlite3 import Connection

from tracker.archive import days, listing, stats, writing
from tracker.archive.database import Database
from tracker.archive.listing import Place
from tracker.archive.merging import merged, runs_of
from tracker.archive.migrations import bring_up
from tracker.archive.packing import pack_id, unpack_id
from tracker.archive.reading import Reader
from tracker.archive.spread import KEPT, DayRuns, Percentiles, percentiles
from tracker.archive.texts import Texts
from tracker.archive.writing import Writer
from tracker.ids import ID
from tracker.model import LogLine, Parts, Status
from tracker.record import Attempt, Record

__all__ = ["Archive", "DayRuns", "Percentiles", "Place", "Writer", "merged", "percentiles", "runs_of"]


class Archive:
    """The archive of one namespace. Opens its file at first use; every call may raise ``ArchiveUnavailable``.

    May be shared by threads, and used on in a forked child.

    >>> archive = Archive("sqlite:////var/lib/tracker/archive.sqlite3", "billing")
    >>> archive.namespace
    'billing'
    """

    def __init__(self, url: str, namespace: str = "default") -> None:
        self.namespace = namespace
        self._database = Database(url, bring_up)
        self._texts = Texts()
        self._identity = ""

    @property
    def identity(self) -> str:
        """A random id made with the database: another one means that this is another archive."""
        if not self._identity:
            with self._database.reading() as connection:
                (self._identity,) = connection.execute("SELECT value FROM meta WHERE key = 'identity'").fetchone()
        return self._identity

    @property
    def address(self) -> str:
        """Where it is, as it may be shown."""
        return str(self._database.path or "")

    @property
    def exists(self) -> bool:
        """Whether there is one: whoever only reads need not make it."""
        return self._database.path is not None and self._database.path.exists()

    def write(self, records: Sequence[Record]) -> None:
        """Store what the records know beyond what is stored; all of them, or in case of an error none."""
        if records:
            with self.writer() as writer:
                writer.write(records)

    @contextmanager
    def writer(self) -> Iterator[Writer]:
        """What stores records some at a time, no operation twice: all of them, or in case of an error none."""
        with self._database.writing() as connection:
            writer = Writer(connection, self._texts, self.namespace, self._database.decoding)
            yield writer
            writer.save()

    def count(self, token: str, counts: Mapping[tuple[int, str], int]) -> None:
        """Count successful runs that are not kept, by day (since 1970, UTC) and name; once for each ``token``."""
        with self._database.writing() as connection:
            writing.count(connection, self._texts, self.namespace, token, counts)

    def operation(self, id: str) -> Parts | None:
        """One operation with the steps of its newest run, ``None`` if it is not here."""
        return self.whole([id]).get(id)

    def whole(self, ids: Sequence[str]) -> dict[str, Parts]:
        """Those of the operations that are here, each with the steps of its newest run."""
        with self._reader() as reader:
            return {parts.id: parts for parts in reader.heads(reader.find(ids), whole=True).values()}

    def runs(self, id: str) -> Record | None:
        """One operation with all its runs, ``None`` if it is not here; without log lines and kept results."""
        with self._reader() as reader:
            found = reader.heads(reader.find([id]), whole=True)
            return next((reader.runs(op, parts) for op, parts in found.items()), None)

    def attempts(self, id: str) -> list[Attempt]:
        """All runs of an operation with their steps, oldest first."""
        record = self.runs(id)
        return runs_of(record) if record is not None else []

    def heads(self, ids: Sequence[str]) -> dict[str, Parts]:
        """Those of the operations that are here, each with the one step that lists show."""
        with self._reader() as reader:
            return {parts.id: parts for parts in reader.heads(reader.find(ids)).values()}

    def top_level(
        self, *, after: Place | None = None, limit: int = 50, status: str | None = None, name: str | None = None
    ) -> list[Parts]:
        """Top-level operations after a time of making and an id, newest first, as ``heads``."""
        with self._reader() as reader:
            return listing.top_level(reader, after, limit, status, name)

    def children(
        self, parent: str, *, after: Place | None = None, limit: int = 50, status: str | None = None
    ) -> list[Parts]:
        """Children of an operation after a place, in the order they were queued, as ``heads``."""
        with self._reader() as reader:
            return listing.children(reader, parent, after, limit, status)

    def logs(self, id: str) -> list[LogLine]:
        """All log lines of an operation, by attempt, oldest first."""
        with self._reader() as reader:
            return [line for op in reader.find([id]) for line in reader.logs(op)]

    def results(self, id: str) -> dict[str, bytes]:
        """What steps of an operation have kept for a later attempt, by key."""
        return self.kept([id]).get(id, {})

    def kept(self, ids: Sequence[str]) -> dict[str, dict[str, bytes]]:
        """What steps of those operations have kept that are here and have kept anything, by key."""
        with self._reader() as reader:
            return reader.kept(reader.find(ids))

    def durations(self, name: str, last: int = KEPT) -> dict[str, Percentiles]:
        """How long the steps of the last successful runs of a name took, by name of the step; of at most 1,000 runs."""
        with self._reader() as reader:
            return stats.durations(reader, name, last)

    def outcomes(self, name: str, since: float = 0.0) -> dict[int, dict[Status, int]]:
        """How many runs of a name ended how, by day (days since 1970, UTC), from the day of ``since`` on."""
        with self._reader() as reader:
            return stats.outcomes(reader, name, since)

    def days(self, name: str, since: int) -> dict[int, DayRuns]:
        """What the runs of a name were like from a day on (days since 1970, UTC), by day."""
        with self._reader() as reader:
            return days.since(reader, name, since)

    def names(self, limit: int) -> list[str]:
        """Of which names runs have ended, those of the last days first."""
        with self._reader() as reader:
            return stats.names(reader, limit)

    def remove(self, before: float, limit: int = 500) -> int:
        """Remove the oldest top-level operations that ended before ``before`` (UTC seconds), with all below them.

        Goes on until ``limit`` operations are gone, and finishes the family it is at. The answer is how many are gone;
        0 says that there is nothing left to remove, and that the counts of those days have gone as well.
        """
        with self._database.writing() as connection:
            namespace = self._reader_on(connection).namespace
            gone = writing.remove(connection, namespace, before, limit)
            if not gone:
                stats.forget(connection, namespace, before)
            return gone

    def below(self, id: str) -> list[str]:
        """All operations below one, each before those it is below; also if that one itself is not here."""
        if not ID.fullmatch(id):
            return []
        with self._reader() as reader:
            family = writing.family_of(reader.connection, reader.namespace, -1, pack_id(id))
            return [unpack_id(key) for key in list(family.values())[:0:-1]]

    def erase(self, id: str) -> bool:
        """Remove one operation and all below it, also from the file's free space; whether it was here."""
        if not ID.fullmatch(id):
            return False
        with self._database.writing() as connection:
            namespace = self._reader_on(connection).namespace
            found = writing.find_key(connection, namespace, id)
            if found is None:
                return False
            writing.remove_family(connection, namespace, *found)
        self._texts.taken.clear()
        self._database.flush()
        return True

    def close(self) -> None:
        """Close the file; the next call opens it again, or another one that was put in its place."""
        self._database.close()
        self._texts, self._identity = Texts(), ""

    @contextmanager
    def _reader(self) -> Iterator[Reader]:
        with self._database.reading() as connection:
            yield self._reader_on(connection)

    def _reader_on(self, connection: Connection) -> Reader:
        return Reader(connection, self._texts, self.namespace)
