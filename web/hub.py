"""The hub: one thread per process follows the store and hands every change to the sockets that watch it.

It never touches a socket. Only its thread advances the view, and every advance is told to all
subscribers; a new subscriber is registered first and takes its snapshot then, so what it misses in
between does not exist.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict

import msgspec

from tracker.errors import StoreUnavailable
from tracker.history.reads import Reads
from tracker.model import ENDED, EventType, LiveEvent
from tracker.store import Change, Reset, Store, Tick, View
from web import topics
from web.mailbox import Mailbox, Note
from web.messages import Snapshot, frame

CALM_TYPES = (EventType.STEP_PROGRESS, EventType.STEP_LOG, EventType.OPERATION_UPDATE)
"""Events that may wait a moment to be merged with the next of their kind."""

LINES = -1
"""The place of log lines among the steps of an operation."""

NO_ANSWER = "Redis did not answer"

log = logging.getLogger("tracker.web")

_encode = msgspec.json.Encoder().encode


class Hub:
    """Subscriptions, and the thread that serves them. ``start`` it in the process that serves requests."""

    def __init__(self, store: Store, reads: Reads) -> None:
        self.stopping = threading.Event()
        self.following = False
        self.cursor = ""
        self._store = store
        self._reads = reads
        self._view = View(store.operation)
        self._lock = threading.Lock()
        self._readers: dict[str, set[Mailbox]] = {}
        self._thread: threading.Thread | None = None
        self._generation = 0
        self._owed = ""

    def start(self) -> None:
        """Start following, if that has not begun. Not before a fork: a thread does not survive it."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="tracker-hub", daemon=True)
                self._thread.start()

    def subscribe(self, box: Mailbox, topic: str, reason: str = "subscribed again", cursor: str = "") -> None:
        """Put the topic's snapshot and all later events into ``box``; the snapshot may come once Redis answers.

        Whoever has seen everything up to a ``cursor`` needs none if nothing has happened since.
        """
        box.open(topic)
        with self._lock:
            self._readers.setdefault(topic, set()).add(box)
        self.start()
        if not self.following:
            self._owed = NO_ANSWER
        # All that is told from here on is in the box.
        elif cursor and cursor == self.cursor and not self._owed:
            box.resume(topic)
        else:
            self._catch_up(box, topic, reason)

    def unsubscribe(self, box: Mailbox, topic: str) -> None:
        """Put nothing more of the topic into ``box``."""
        box.close(topic)
        with self._lock:
            readers = self._readers.get(topic, set())
            readers.discard(box)
            if not readers:
                self._readers.pop(topic, None)

    def leave(self, box: Mailbox) -> None:
        """Put nothing more into ``box``."""
        for topic in box.topics:
            self.unsubscribe(box, topic)

    def _catch_up(self, box: Mailbox, topic: str, reason: str) -> None:
        """Take one reader's snapshot on its own thread; again, if a reset made it old meanwhile."""
        while not self.stopping.is_set():
            generation = self._generation
            try:
                text = self._snapshot(topic)
            except StoreUnavailable:
                self._owed = NO_ANSWER
                return
            with self._lock:
                if generation == self._generation:
                    box.put_snapshot(topic, text, reason)
                    return

    def _snapshot(self, topic: str) -> str:
        cursor = self.cursor
        return frame(Snapshot(topic, cursor, topics.snapshot(self._reads, topic)))

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
        if self._owed:
            self._reset(self._owed, self.cursor)
        elif isinstance(item, Change):
            self._change(item)
        else:
            self._prune()

    def _reset(self, reason: str, cursor: str) -> None:
        """Start every topic again with a new snapshot."""
        self._owed = reason
        self._view.parts.clear()
        self.cursor = cursor
        with self._lock:
            self._generation += 1
            self.following = True
            readers = {topic: tuple(boxes) for topic, boxes in self._readers.items()}
        for topic, boxes in readers.items():
            text = self._snapshot(topic)
            for box in boxes:
                box.put_snapshot(topic, text, reason, anew=True)
        self._owed = ""

    def _change(self, change: Change) -> None:
        if not self._readers:
            self._view.parts.clear()
            return
        if change.operation in self._view.parts or self._is_watched(*topics.of_change(change)):
            self._ensure_held(change)
            news = self._view.apply(change)
        else:
            news = self._counts(change)
        self._publish(news, change.cursor)
        for event in news:
            self._forget_ended(event)

    def _is_watched(self, *names: str) -> bool:
        return any(name in self._readers for name in names)

    def _ensure_held(self, change: Change) -> None:
        """A parent is held before its child's change is folded, so that its counts are told too."""
        if change.children is not None and change.parent not in self._view.parts:
            self._publish(self._reread(change.parent, change.cursor), change.cursor)

    def _reread(self, operation: str, cursor: str) -> list[LiveEvent]:
        """Read an operation nobody has spoken of since it is watched, and tell all of it."""
        return self._view.apply(Change(cursor, operation, 0, 0, "", [], hole=True))

    def _counts(self, change: Change) -> list[LiveEvent]:
        """The change of a child nobody watches tells only of its parent."""
        if change.children is None:
            return []
        if change.parent not in self._view.parts:
            return self._reread(change.parent, change.cursor)
        return self._view.apply_counts(change)

    def _publish(self, news: list[LiveEvent], cursor: str) -> None:
        """Put each event into the mailboxes of those who watch its operation; encoded once for all."""
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
            for box in self._readers_of(topic):
                box.put(topic, waiting, cursor)

    def _readers_of(self, topic: str) -> tuple[Mailbox, ...]:
        with self._lock:
            return tuple(self._readers.get(topic, ()))

    def _forget_ended(self, event: LiveEvent) -> None:
        """An ended operation seldom changes; should it, it is read again and told whole."""
        if event.operation.status in ENDED:
            self._view.drop(event.operation.id)

    def _prune(self) -> None:
        """In quiet times, let go of what nobody watches any more."""
        if not self._readers:
            self._view.parts.clear()


def _place(event: LiveEvent) -> int:
    """Events of one place replace one another. A log line only another one, so that a hole in their numbers shows."""
    if event.step is not None:
        return event.step.index
    return LINES if event.log is not None else 0
