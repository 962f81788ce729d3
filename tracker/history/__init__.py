"""The read facade: what web and command line ask, so that no caller has to know where something is kept.

Web, command line and tests use nothing else to learn of finished operations.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from tracker.archive import Archive, Percentiles, runs_of
from tracker.clock import now
from tracker.compose import as_of, compose, pace_of
from tracker.errors import ArchiveUnavailable, NotFound, TrackerError
from tracker.history import whereabouts, workers
from tracker.history.batches import FAILED, all_children
from tracker.history.erasing import erase
from tracker.history.failures import Failures, failures_of
from tracker.history.measures import Measures, measures
from tracker.history.reads import Reads
from tracker.history.restoring import Restoring
from tracker.history.search import Search
from tracker.history.summaries import Summary, summary
from tracker.history.whereabouts import Everywhere, Place, Survey, Whereabouts
from tracker.history.workers import WorkerInfo
from tracker.model import LogLine, Operation, Parts, Status
from tracker.record import Record
from tracker.settings import Settings
from tracker.store import Changes, JobInfo, Page, Store

__all__ = [
    "Everywhere",
    "Failures",
    "History",
    "Measures",
    "OperationPage",
    "Place",
    "Search",
    "Stats",
    "Summary",
    "Survey",
    "Whereabouts",
    "WorkerInfo",
]

PREFIX_SCAN = 1_000
"""How many of the newest operations are searched for an id's prefix."""


NAMES = 50
"""Names of which summaries are given at once: those that ran last."""

DAYS = 30
"""Days of which a summary tells one by one, if nothing else is asked for."""


class Stats(msgspec.Struct):
    """What is known of the operations of one name: how long each step took, and how many runs ended how on each day.

    Days are counted from 1970, UTC.
    """

    name: str
    steps: dict[str, Percentiles]
    outcomes: dict[int, dict[Status, int]]


class OperationPage(msgspec.Struct):
    """Part of a list of operations; ``next`` is the page after it, ``None`` at the end."""

    items: list[Operation]
    next: str | None = None


class History:
    """Reads of one namespace, live or finished. Every call may raise ``StoreUnavailable`` or ``ArchiveUnavailable``."""

    def __init__(self, store: Store, archive: Archive | None = None) -> None:
        self._store = store
        self._archive = archive
        self._reads = Reads(store, archive)
        self.live = Reads(store, archive, forgiving=True)
        """For live views, which go on whatever becomes of the archive."""

    @classmethod
    def of(cls, settings: Settings, store: Store) -> History:
        """The history in a store and in the archive that the settings name."""
        return cls(store, Archive(settings.archive, settings.namespace))

    def operation(self, id: str) -> Operation:
        """One operation with its steps; raises ``NotFound``."""
        parts = self._reads.operation(id)
        if parts is None:
            raise self._not_found(id)
        found = compose(parts)
        found.pace = pace_of(found, now())
        return found

    def attempts(self, id: str) -> list[Operation]:
        """The operation as it was at each of its attempts, with the steps of that run, oldest first.

        The newest is as it is now. Raises ``NotFound``.
        """
        record = self.record(id)
        return [as_of(record.parts, attempt) for attempt in runs_of(record)]

    def record(self, id: str) -> Record:
        """The operation with all its runs, as it is kept; without log lines and kept results. Raises ``NotFound``."""
        found = self._reads.runs(id)
        if found is None:
            raise self._not_found(id)
        return found

    def failed_children(self, id: str) -> Iterator[Parts]:
        """The children of an operation that have ended otherwise than complete, wherever they are."""
        for status in FAILED:
            yield from all_children(self._reads, id, status)

    def failures(self, id: str) -> Failures:
        """The children of an operation that have failed or were lost, by what went wrong; raises ``NotFound``."""
        self.operation(id)
        return failures_of(self._reads, id)

    def results(self, id: str) -> dict[str, bytes]:
        """What steps of an operation have kept for a later attempt, by key."""
        return self._reads.results(id)

    def bring_back(self, *ids: str) -> None:
        """Have operations in Redis again that have left, with what they are below and what their steps kept."""
        if self._archive is not None and self._archive.exists:
            Restoring(self._store, self._archive).bring_back(ids)

    def logs(self, id: str) -> list[LogLine]:
        """The last log lines of an operation, of all its attempts, oldest first; raises ``NotFound``."""
        self.operation(id)
        return self._reads.logs(id)

    def cursor(self) -> str:
        """Where the feed ends now."""
        return self._store.cursor()

    def events(self, id: str, after: str = "0-0", limit: int = 500, *, below: bool = False) -> Changes:
        """Changes of an operation behind the cursor ``after``; with ``below`` also those of its children.

        Raises ``NotFound``, and ``EventsGone`` if it no longer holds all of them.
        """
        self.operation(id)
        return self._store.events(id, after, limit, below=below)

    def operations(
        self,
        *,
        status: str | None = None,
        name: str | None = None,
        search: Search | None = None,
        page: str | None = None,
        limit: int = 50,
    ) -> OperationPage:
        """Top-level operations, newest first; with ``search``, of those that it fits."""
        found = self._reads.operations(page=page, limit=limit, status=status, name=name, search=search)
        return _composed(found)

    def children(
        self, id: str, *, status: str | None = None, page: str | None = None, limit: int = 50
    ) -> OperationPage:
        """Children of an operation, in the order they were queued; raises ``NotFound``."""
        self.operation(id)
        return _composed(self._reads.children(id, page=page, limit=limit, status=status))

    def erase(self, id: str) -> None:
        """Erase an ended operation with all below it, everywhere; nothing of it comes back for a week.

        Raises ``NotFound``, ``NotEnded`` if it, anything below it, or what it is below has not ended, and
        ``ArchiveUnavailable`` where the archive is another one than is read here: what is there would stay.
        """
        parts = self._reads.operation(id)
        if parts is None:
            raise self._not_found(id)
        if elsewhere := self._elsewhere():
            raise ArchiveUnavailable(f"{id} cannot be erased here, as {elsewhere}; erase it there")
        erase(self._store, self._archive, self._reads, parts)

    def find(self, prefix: str) -> str:
        """The id that ``prefix`` stands for: itself, or the one top-level operation whose id begins with it.

        Raises ``NotFound``, or ``TrackerError`` when several do.
        """
        if self._reads.operation(prefix) is not None:
            return prefix
        items = self.operations(limit=PREFIX_SCAN).items if prefix else []
        found = [operation.id for operation in items if operation.id.startswith(prefix)]
        if len(found) > 1:
            raise TrackerError(f"{prefix!r} is the beginning of {len(found)} operations; give more of the id")
        if not found:
            raise self._not_found(prefix)
        return found[0]

    def _not_found(self, id: str) -> NotFound:
        """It may well be in an archive that is not read here."""
        return NotFound.operation(id, self._elsewhere())

    def stats(self, name: str) -> Stats:
        """What the archive knows of the operations of a name: steps of its last 1,000 successful runs, and outcomes."""
        if self._archive is None or not self._archive.exists:
            return Stats(name, {}, {})
        return Stats(name, self._archive.durations(name), self._archive.outcomes(name))

    def workers(self) -> list[WorkerInfo]:
        """The workers that wait for jobs, and every process that executes tracked runs, with its last sign of life."""
        return workers.found(self._store)

    def survey(self) -> Survey:
        """What runs now, children of batches among it; tells how many of each name stand at which step."""
        return whereabouts.survey(self._store)

    def summaries(self, name: str | None = None, days: int = DAYS) -> list[Summary]:
        """How the finished runs of a name ended and how long they took; without one, of those that ran last.

        The last ``days`` days, of which today is one, are told one by one.
        """
        archive = self._archive
        if archive is None or not archive.exists:
            return []
        names = [name] if name is not None else archive.names(NAMES)
        return [summary(archive, name, days) for name in names]

    def measures(self) -> Measures:
        """How the namespace is doing, in numbers; reads a bounded part of what is stored."""
        return measures(self._store)

    def jobs(self) -> list[JobInfo]:
        """Every published job with the number of live workers that run it."""
        return self._store.jobs()

    def notices(self) -> list[str]:
        """What people should know about the answers they get here; empty when all is well."""
        found = []
        if not self._store.upkeep().recorder:
            meaning = "no recorder is active, so silent runs are not judged and nothing is archived"
            found.append(f"{meaning}; start `tracker recorder`")
        if elsewhere := self._elsewhere():
            found.append(f"{elsewhere}; look there, or set `TRACKER_ARCHIVE_URL`")
        return found

    def _elsewhere(self) -> str:
        """Where finished operations are, if not in the archive that is read here."""
        info, archive = self._store.leaving.archive(), self._archive
        if info is None or (archive is not None and archive.exists and archive.identity == info.identity):
            return ""
        where = f"{info.address} on {info.host}"
        return f"finished operations are kept in {where}, which is not the archive that is read here"


def _composed(page: Page) -> OperationPage:
    return OperationPage([compose(parts, steps=False) for parts in page.items], page.next)
