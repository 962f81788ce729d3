"""The hub: one thread per process follows the store and puts every change into the channels of those who watch it.

It never touches a socket. Only its thread advances the view, and every advance is told to all
channels; a new subscriber joins first and gets a snapshot then, so what it misses in between does
not exist. Snapshots are read by threads of their own, once for all who wait for the same.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

import msgspec

from tracker.clock import elapsed
from tracker.compose import compose
from tracker.errors import StoreUnavailable, Unreadable
from tracker.history import topics
from tracker.history.reads import Reads
from tracker.model import ENDED, EventType, LiveEvent, Parts
from tracker.store import Change, Reset, Standing, Store, Tick, View
from web.channel import Channel, Note
from web.mailbox import Mailbox
from web.messages import Frame, Snapshot
from web.timeliness import Timeliness

CALM_TYPES = (EventType.STEP_PROGRESS, EventType.STEP_LOG, EventType.OPERATION_UPDATE)
"""Events that may wait a moment to be merged with the next of their kind."""

LINES = -1
"""The place of log lines among the steps of an operation."""

NO_ANSWER = "Redis did not answer"

LAGGING = "the server cannot keep up with all that happens"

RENEW_EVERY = 1.0
"""Seconds between two snapshots of a topic while the hub lags behind."""

COUNT_EVERY = 1.0

READERS = 2
"""Threads that read snapshots."""

log = logging.getLogger("tracker.web")

_encode = msgspec.json.Encoder().encode


class Hub:
    """Subscriptions, and the threads that serve them. ``start`` it in the process that serves requests."""

    def __init__(self, store: Store, reads: Reads) -> None:
        self.stopping = threading.Event()
        self.following = False
        self.lagging = False
        """Whether more happens than can be told: then there is a snapshot every second instead of events."""
        self.cursor = ""
        self.counts: Standing | None = None
        """How many operations are open, read every second while anybody watches the list."""
        self._store = store
        self._reads = reads
        self._offered: dict[str, Parts] = {}
        """What snapshots have shown of operations that are not held yet."""
        self._view = View(self._load)
        self._lock = threading.Lock()
        self._channels: dict[str, Channel] = {}
        self._thread: threading.Thread | None = None
        self._pool = ThreadPoolExecutor(READERS, thread_name_prefix="tracker-snapshots")
        self._timeliness = Timeliness(store)
        self._renewed = 0.0
        self._counted = 0.0
        self._owed = ""

    def start(self) -> None:
        """Start following, if that has not begun. Not before a fork: a thread does not survive it."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="tracker-hub", daemon=True)
                self._thread.start()

    def subscribe(self, box: Mailbox, topic: str, reason: str = "subscribed again", cursor: str = "") -> None:
        """Let ``box`` have the topic's snapshot and all later events; the snapshot may come once Redis answers.

        Whoever has seen everything up to a ``cursor`` needs none if nothing has happened since.
        """
        self.start()
        with self._lock:
            channel = self._channels.setdefault(topic, Channel(topic, self._want))
            reader, place = box.open(channel, reason)
            if not self.following:
                self._owed = NO_ANSWER
                return
        # All that is told from here on is behind the place.
        if cursor and cursor == self.cursor and not self._owed and not self.lagging:
            channel.resume(reader, place)
        else:
            channel.ask(reader)

    def unsubscribe(self, box: Mailbox, topic: str) -> None:
        """Let ``box`` have nothing more of the topic."""
        with self._lock:
            channel = self._channels.get(topic)
            if channel is not None and not box.close(channel):
                del self._channels[topic]

    def leave(self, box: Mailbox) -> None:
        """Let ``box`` have nothing more."""
        for topic in box.topics:
            self.unsubscribe(box, topic)

    def _want(self, channel: Channel) -> None:
        self._pool.submit(self._read, channel)

    def _read(self, channel: Channel) -> None:
        """Read a topic's snapshot; again, if a reset made it old meanwhile."""
        try:
            given = False
            while not given and not self.stopping.is_set():
                begun = channel.begin()
                given = channel.give(self._snapshot(channel.topic), begun)
        except StoreUnavailable:
            channel.fail()
            self._owed = NO_ANSWER
        except Exception:
            log.exception("the snapshot of %s could not be made", channel.topic)
            channel.fail()

    def _snapshot(self, topic: str) -> Frame:
        # What was read before a reset is offered to nobody after it.
        cursor, lagging, offered = self.cursor, self.lagging, self._offered
        counts = self._store.standing() if topic == topics.ALL else None
        found, problem = self._found(topic)
        if topic != topics.ALL:
            _offer(found, offered)
        return Frame(Snapshot(topic, cursor, topics.composed(topic, found), lagging, counts, problem))

    def _found(self, topic: str) -> tuple[list[Parts], str]:
        """What is stored of a topic, or why that cannot be read."""
        try:
            return topics.read(self._reads, topic), ""
        except Unreadable as error:
            return [], str(error)

    def _load(self, id: str) -> Parts | None:
        return self._offered.pop(id, None) or self._store.operation(id)

    def _run(self) -> None:
        while not self.stopping.is_set():
            try:
                for item in self._store.follow(stop=self.stopping):
                    self._receive(item)
            except Exception:
                log.exception("following the store failed; starting again")
                self.following = False
                self.stopping.wait(1.0)

    def _receive(self, item: Reset | Change | Tick) -> None:
        try:
            if isinstance(item, Reset):
                self._reset(item.reason, item.cursor)
            elif isinstance(item, Tick) and item.stale:
                self.following = False
            else:
                self._continue(item)
        except StoreUnavailable:
            self._owed = NO_ANSWER

    def _continue(self, item: Change | Tick) -> None:
        """Go on, after making up for what could not be read earlier."""
        self.following = True
        if isinstance(item, Change):
            self.cursor = item.cursor
        self._count()
        if self._owed:
            self._reset(self._owed, self.cursor)
        elif self.lagging or not self._timeliness.is_in_time(item):
            self._lag(item)
        elif isinstance(item, Change):
            self._change(item)
        else:
            self._tend()

    def _count(self) -> None:
        if elapsed() - self._counted >= COUNT_EVERY:
            self._counted = elapsed()
            self.counts = self._store.standing() if self._is_watched(topics.ALL) else None

    def _reset(self, reason: str, cursor: str) -> None:
        """Start every topic again with a new snapshot."""
        self._forget()
        self.cursor = cursor
        # Whoever subscribes is either among those that begin anew here, or sees that it goes on.
        with self._lock:
            self._owed = ""
            self.following = True
        for channel in self._all():
            channel.restart(reason)

    def _lag(self, item: Change | Tick) -> None:
        """Tell of nothing any more, which is the fastest way to catch up, but show everybody how it stands."""
        if self.lagging and self._timeliness.is_in_time(item):
            self.lagging = False
            self._reset("", self.cursor)
        elif not self.lagging:
            self.lagging, self._renewed = True, elapsed()
            self._reset(LAGGING, self.cursor)
        elif elapsed() - self._renewed >= RENEW_EVERY:
            self._renewed = elapsed()
            for channel in self._all():
                channel.renew()

    def _forget(self) -> None:
        self._view.clear()
        self._offered = {}

    def _all(self) -> list[Channel]:
        with self._lock:
            return list(self._channels.values())

    def _change(self, change: Change) -> None:
        if not self._channels:
            self._forget()
            return
        if change.operation in self._view.parts or self._is_watched(*topics.of_change(change)):
            self._ensure_held(change)
            news = self._view.apply(change)
        else:
            self._offered.pop(change.operation, None)
            news = self._counts(change)
        self._publish(news, change.cursor)
        for event in news:
            self._forget_ended(event)

    def _is_watched(self, *names: str) -> bool:
        return any(name in self._channels for name in names)

    def _ensure_held(self, change: Change) -> None:
        """What has been shown is held before the change is folded; and a parent, so that its counts are told too."""
        if change.children is not None and change.parent not in self._view.parts:
            self._publish(self._reread(change.parent, change.cursor), change.cursor)
        if change.operation in self._offered and change.operation not in self._view.parts:
            self._publish(self._reread(change.operation, change.cursor), change.cursor)
        self._offered.pop(change.operation, None)

    def _reread(self, operation: str, cursor: str) -> list[LiveEvent]:
        """Read an operation nobody has spoken of since it is watched, and tell all of it."""
        return self._view.apply(Change(cursor, operation, 0, 0, "", [], hole=True))

    def _counts(self, change: Change) -> list[LiveEvent]:
        """The change of a child nobody watches tells only of its parent."""
        if change.children is None:
            return []
        news = [] if change.parent in self._view.parts else self._reread(change.parent, change.cursor)
        return news + self._view.apply_counts(change)

    def _publish(self, news: list[LiveEvent], cursor: str) -> None:
        """Put each event into the channels of those who watch its operation; encoded once for all."""
        notes: dict[str, list[Note]] = defaultdict(list)
        for event in news:
            operation = event.operation
            one, many = topics.of_operation(operation.id, operation.parent)
            if not self._is_watched(one, many):
                continue
            raw, urgent = msgspec.Raw(_encode(event)), event.type not in CALM_TYPES
            notes[one].append(Note((operation.id, _place(event)), raw, urgent))
            notes[many].append(Note((operation.id, 0), raw, urgent and many == topics.ALL))
        for topic, waiting in notes.items():
            channel = self._channels.get(topic)
            if channel is not None:
                channel.put(waiting, cursor)

    def _forget_ended(self, event: LiveEvent) -> None:
        """An ended operation seldom changes; should it, it is read again and told whole."""
        if event.operation.status in ENDED:
            self._view.drop(event.operation.id)

    def _tend(self) -> None:
        """In quiet times, let go of what nobody watches or waits for any more, and look after the others."""
        if not self._channels:
            self._forget()
        for channel in self._all():
            channel.tend()


def _offer(found: list[Parts], offered: dict[str, Parts]) -> None:
    """Whoever gets this snapshot is told of every change behind it, if the operation is held as it is in there."""
    for parts in found:
        if compose(parts, steps=False).status not in ENDED:
            offered.setdefault(parts.id, parts)


def _place(event: LiveEvent) -> int:
    """Events of one place replace one another. A log line only another one, so that a hole in their numbers shows."""
    if event.step is not None:
        return event.step.index
    return LINES if event.log is not None else 0
