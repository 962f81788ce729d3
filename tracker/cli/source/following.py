"""Follows the store itself, and tells of it as the live protocol does: a snapshot of each topic, then every change."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from tracker.cli.source.items import Events, Item, Reset, Snapshot, Tick
from tracker.errors import StoreUnavailable
from tracker.history import topics
from tracker.history.reads import Reads
from tracker.model import ENDED, LiveEvent
from tracker.store import Change, Store, View
from tracker.store import Reset as Restart
from tracker.store import Tick as Silence

MISSED = "something was stored that was not heard"


class Following:
    """One subject in the store: an operation with its children, or all top-level operations."""

    def __init__(self, store: Store, reads: Reads, id: str | None, stop: threading.Event) -> None:
        self._changes = store.follow(operation=id, stop=stop)
        self._reads = reads
        self._id = id
        self._view = View(reads.operation)
        self._begun = False
        self._gathered: dict[str, list[LiveEvent]] = {}
        """What is to be told of each topic, of one entry of the feed."""

    def __iter__(self) -> Iterator[Item]:
        owed, cursor = "", ""
        for item in self._changes:
            if isinstance(item, Silence):
                yield Tick(item.stale)
                continue
            owed, cursor = owed or self._lost(item), item.cursor
            try:
                if owed:
                    yield from self._snapshots(owed, cursor)
                elif isinstance(item, Change):
                    yield from self._told(item)
                owed = ""
            except StoreUnavailable:
                owed = owed or "Redis did not answer"
                yield Tick(stale=True)

    def _lost(self, item: Restart | Change) -> str:
        """Why all has to be read anew; empty if nothing is missing."""
        if isinstance(item, Restart):
            return item.reason
        is_missing = item.hole and item.operation == self._id and not item.events
        return MISSED if is_missing else ""

    def _snapshots(self, reason: str, cursor: str) -> Iterator[Item]:
        """Read before anything is told of it, so that what fails is read again as a whole."""
        found = {topic: topics.read(self._reads, topic) for topic in topics.of_subject(self._id)}
        self._view.clear()
        self._gathered.clear()
        for parts in (parts for held in found.values() for parts in held):
            self._view.put(parts)
        if self._begun:
            yield Reset(reason)
        self._begun = True
        for topic, held in found.items():
            yield Snapshot(topic, cursor, topics.composed(topic, held))

    def _told(self, change: Change) -> Iterator[Item]:
        for event in self._news(change):
            self._gathered.setdefault(self._topic(event), []).append(event)
            if event.operation.status in ENDED and event.operation.id != self._id:
                self._view.drop(event.operation.id)  # Should it change once more, it is read again.
        if self._id is None and "." in change.cursor:
            return  # Others of the same entry follow at once; one of them is the last and has its cursor.
        gathered, self._gathered = self._gathered, {}
        for topic, events in gathered.items():
            yield Events(topic, change.cursor, events)

    def _news(self, change: Change) -> list[LiveEvent]:
        # Among all operations a child is not held: only its parent's counts matter.
        is_below = self._id is None and bool(change.parent)
        return self._view.apply_counts(change) if is_below else self._view.apply(change)

    def _topic(self, event: LiveEvent) -> str:
        one, many = topics.of_operation(event.operation.id, event.operation.parent)
        return one if event.operation.id == self._id else many


def follow(store: Store, reads: Reads, id: str | None, stop: threading.Event) -> Iterator[Item]:
    """What happens to ``id`` and its children, or to all, from now on until ``stop``."""
    return iter(Following(store, reads, id, stop))
