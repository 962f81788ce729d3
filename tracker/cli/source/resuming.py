"""Follows one operation without a gap: what a source did not tell while it was interrupted is read from the feed.

A source begins anew after an interruption: it says ``Reset``, and shows what is stored by then. Here the changes in
between are read and told as if nothing had happened, if the feed can prove that these are all.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator

from tracker.cli.source import Source
from tracker.cli.source.items import NOTHING, Events, Item, Reset, Snapshot, Tick, Version, version
from tracker.cli.source.replay import Reading, Replay, place
from tracker.errors import EventsGone, NotFound, TrackerError
from tracker.history import topics
from tracker.model import LiveEvent

QUICKLY = 0.5
"""Seconds to wait for what is read again; others are told then that there is nothing yet."""

HELD_BACK = 10_000
"""Most items that wait until it is known what went before them."""


class Resuming:
    """One operation, and how far it has been told: of each topic a place in the feed, of each operation its version."""

    def __init__(self, source: Source, id: str, stop: threading.Event, after: str) -> None:
        self._source = source
        self._id = id
        self._stop = stop
        self._after = after
        self._topics = topics.of_subject(id)
        self._places = dict.fromkeys(self._topics, after) if after else {}
        self._versions: dict[str, Version] = {}
        self._reading: Reading | None = None
        self._last: Replay | None = None
        """For the other topic's snapshot, which comes in the same moment; a later one may be of another history."""
        self._held: list[Item] = []
        """What has come since something may be missing; first the snapshot by which that shows."""
        self._reason = ""
        self._renewed: set[str] = set()
        """Topics whose next snapshot is no surprise: it was told that all begins anew."""

    def take(self, item: Item) -> Iterator[Item]:
        """What is to be told once the source has told ``item``."""
        if isinstance(item, Tick):
            self._last = None
            yield from self._look()
            yield item
        elif self._reading is not None:
            self._held.append(item)
            yield from self._look()
        elif isinstance(item, Events):
            yield from self._tell(item)
        elif isinstance(item, Snapshot):
            yield from self._meet(item)
        else:
            self._reason = item.reason  # What it means shows with the snapshot that follows.

    def _meet(self, snapshot: Snapshot) -> Iterator[Item]:
        if snapshot.topic not in self._places or snapshot.topic in self._renewed:
            yield from self._begin(snapshot)
        elif self._is_known(snapshot):
            self._places[snapshot.topic] = snapshot.cursor
        else:
            self._held.append(snapshot)
            self._reading = Reading(self._source, self._id, max(self._places.values(), key=place), self._stop)
            self._reading.wait(QUICKLY)
            yield from self._look()

    def _is_known(self, snapshot: Snapshot) -> bool:
        """Whether all of it has been told: nothing has moved, or what was read again goes beyond it."""
        if self._after:
            return False
        is_own = snapshot.topic == self._topics[0]
        known = {id: told for id, told in self._versions.items() if (id == self._id) is is_own}
        shown = {operation.id: version(operation) for operation in snapshot.operations}
        if len(shown) < topics.CHILDREN and shown == known:
            return True
        return self._last is not None and self._last.covers(snapshot)

    def _look(self) -> Iterator[Item]:
        """Whether it is known by now what is missing."""
        if self._reading is None or (self._reading.outcome is None and len(self._held) < HELD_BACK):
            return
        found, self._reading = self._reading.outcome, None
        (snapshot, *rest), self._held = self._held, []
        assert isinstance(snapshot, Snapshot)
        if isinstance(found, Replay) and found.covers(snapshot) and self._continues(found):
            yield from self._catch_up(found)
        elif isinstance(found, TrackerError) and not isinstance(found, EventsGone | NotFound):
            raise found
        else:
            yield from self._start_again(snapshot, str(found) if isinstance(found, TrackerError) else "")
        for item in rest:
            yield from self.take(item)

    def _continues(self, replay: Replay) -> bool:
        """Whether it goes at least as far as what has been told; else it is another history."""
        return all(told <= replay.versions.get(id, NOTHING) for id, told in self._versions.items())

    def _catch_up(self, replay: Replay) -> Iterator[Item]:
        if self._after:
            self._after = ""
            for snapshot in replay.before:
                yield from self._begin(snapshot)
        places = dict(self._places)
        for events in replay.told:
            is_later = events.topic in places and place(events.cursor) > place(places[events.topic])
            if is_later or events.events[0].operation.id in self._versions:
                yield from self._tell(events)
        self._places = dict.fromkeys(places, replay.cursor)
        self._last = replay

    def _start_again(self, snapshot: Snapshot, why: str) -> Iterator[Item]:
        yield Reset(why if self._after else self._reason or why)
        self._after, self._last = "", None
        self._renewed = set(self._topics)
        yield from self._begin(snapshot)

    def _begin(self, snapshot: Snapshot) -> Iterator[Item]:
        """Go on from what a snapshot shows."""
        is_own = snapshot.topic == self._topics[0]
        self._versions = {id: told for id, told in self._versions.items() if (id == self._id) is not is_own}
        self._versions |= {operation.id: version(operation) for operation in snapshot.operations}
        self._places[snapshot.topic] = snapshot.cursor
        self._renewed.discard(snapshot.topic)
        yield snapshot

    def _tell(self, events: Events) -> Iterator[Item]:
        self._renewed.discard(events.topic)
        self._places[events.topic] = events.cursor
        if news := self._news(events.events):
            yield Events(events.topic, events.cursor, news)

    def _news(self, events: Iterable[LiveEvent]) -> list[LiveEvent]:
        """Events of one message may tell of the same change, so they are compared with what was told before it."""
        before: dict[str, Version] = {}
        news = []
        for event in events:
            id, told = event.operation.id, version(event.operation)
            if told > before.setdefault(id, self._versions.get(id, NOTHING)):
                news.append(event)
                self._versions[id] = max(told, self._versions.get(id, told))
        return news


def followed(source: Source, id: str | None, stop: threading.Event, after: str = "") -> Iterator[Item]:
    """What ``source`` follows; of one operation and its children every step change and outcome once, in their order.

    Only if the feed cannot prove what has happened during an interruption there is a ``Reset``, and snapshots.

    With ``after`` it begins with snapshots of how things stood at that cursor, which are ``told``, and goes on with all
    that happened behind it; if that cannot be proved, with ``Reset`` and what is stored now.
    """
    if id is None:
        yield from source.follow(None, stop)
        return
    resuming = Resuming(source, id, stop, after)
    for item in source.follow(id, stop):
        yield from resuming.take(item)
