"""All that has happened to an operation and its children, read from the feed and told from its beginning."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from typing import NamedTuple, NoReturn

from tracker.cli.source import Source
from tracker.cli.source.items import NOTHING, Events, Snapshot, Version, version
from tracker.compose import compose
from tracker.errors import ArchiveUnavailable, EventsGone, ServerUnavailable, StoreUnavailable, TrackerError
from tracker.history import topics
from tracker.model import LiveEvent
from tracker.store import CURSOR, Change, View

LIMIT = 5_000
"""Most changes that are read again; a snapshot is cheaper than more."""

BEGINNING = "0-0"
"""The place before everything."""

PAUSE = 1.0
"""Seconds before what could not be read is asked for again."""


def place(cursor: str) -> tuple[float, float, float]:
    """What orders cursors; of what is no cursor, the beginning.

    >>> place("5-1.2") < place("5-1.10") < place("5-1") < place("10-0")
    True
    """
    found = CURSOR.fullmatch(cursor)
    if found is None:
        return 0, 0, 0
    entry, number = re.split("-", found[1]), found[2]
    return int(entry[0]), int(entry[1]), float(number or "inf")


class Replay(NamedTuple):
    """Everything up to ``cursor``, which leads to ``versions``; ``before`` is how things stood at the place from which
    somebody wants to go on."""

    told: list[Events]
    before: list[Snapshot]
    cursor: str
    versions: dict[str, Version]

    def covers(self, snapshot: Snapshot) -> bool:
        """Whether all that the snapshot shows has been told."""
        return place(snapshot.cursor) <= place(self.cursor) and all(
            version(operation) <= self.versions.get(operation.id, NOTHING) for operation in snapshot.operations
        )


class Reading:
    """Reads in a thread of its own, as it may take long; goes on after every interruption until ``stop``."""

    def __init__(self, source: Source, id: str, since: str, stop: threading.Event) -> None:
        self.outcome: Replay | TrackerError | None = None
        self._source = source
        self._id = id
        self._since = since
        self._stop = stop
        self._thread = threading.Thread(target=self._run, name="replay", daemon=True)
        self._thread.start()

    def wait(self, timeout: float) -> None:
        """Return when it is over, or after ``timeout`` seconds."""
        self._thread.join(timeout)

    def _run(self) -> None:
        while self.outcome is None and not self._stop.is_set():
            try:
                self.outcome = read(self._source, self._id, self._since)
            except (StoreUnavailable, ArchiveUnavailable, ServerUnavailable):
                self._stop.wait(PAUSE)
            except TrackerError as error:
                self.outcome = error


def read(source: Source, id: str, since: str) -> Replay:
    """All that has happened, if the feed can prove that it is all, and that ``since`` is a place in it.

    Raises ``EventsGone`` if it cannot, and whatever else the source raises.
    """
    if since not in ("", BEGINNING):
        source.changes(id, since)
    found, cursor = list[Change](), BEGINNING
    while True:
        page = source.changes(id, cursor)
        if not page.items:
            return fold(found, id, since, page.cursor)
        found, cursor = found + page.items, page.cursor
        if len(found) > LIMIT:
            raise EventsGone(f"more than {LIMIT:,} changes have happened; that is too much to tell again")


def fold(changes: Iterable[Change], id: str, since: str, cursor: str) -> Replay:
    """What changes tell, the first of which has to be the operation's own beginning."""
    view, told = View(_missing), list[Events]()
    before: list[Snapshot] | None = None
    for change in changes:
        if before is None and place(change.cursor) > place(since):
            before = _shown(view, id, since)
        news: dict[str, list[LiveEvent]] = {}
        for event in view.apply(change):
            news.setdefault(topics.below(id, event.operation.id), []).append(event)
        told += [Events(topic, change.cursor, events) for topic, events in news.items()]
    versions = {parts.id: version(compose(parts, steps=False)) for parts in view.parts.values()}
    return Replay(told, _shown(view, id, since) if before is None else before, cursor, versions)


def _shown(view: View, id: str, cursor: str) -> list[Snapshot]:
    own = [parts for parts in view.parts.values() if parts.id == id]
    below = [parts for parts in view.parts.values() if parts.id != id]
    held = zip(topics.of_subject(id), (own, below), strict=True)
    return [Snapshot(topic, cursor, topics.composed(topic, parts), told=True) for topic, parts in held]


def _missing(id: str) -> NoReturn:
    raise EventsGone(f"the feed no longer holds all that has happened to operation {id!r}")
