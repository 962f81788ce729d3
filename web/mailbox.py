"""What waits to be sent to one socket, merged so that it stays small however slowly the socket reads.

Written by the hub's thread and emptied by the socket's own; neither ever waits for the other's work.
An operation's newest state takes the place of an older one that still waits, so nothing is lost by
merging: every event carries the whole state it leads to.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from web.limits import WAITING
from web.messages import Events, Reset, frame

QUICK, CALM = 0.02, 0.1
"""Least seconds between two messages of a topic: with a step or outcome in it, and with progress or counts only."""


class Note(NamedTuple):
    """An event on its way to a socket. Notes with the same ``key`` replace one another."""

    key: tuple[str, int]
    event: msgspec.Raw
    urgent: bool


class TopicBox:
    """What waits of one topic: at most one snapshot, then events."""

    __slots__ = ("cursor", "events", "overflowed", "reason", "sent", "shown", "snapshot", "urgent", "waits")

    def __init__(self) -> None:
        self.waits = True
        """For a snapshot, which has to go first."""
        self.overflowed = False
        self.snapshot: str | None = None
        self.reason = ""
        self.shown = False
        self.events: dict[tuple[str, int], msgspec.Raw] = {}
        self.urgent = False
        self.cursor = ""
        self.sent = 0.0

    def put(self, notes: Sequence[Note], cursor: str) -> None:
        if self.overflowed:
            return
        for note in notes:
            self.events.pop(note.key, None)
            self.events[note.key] = note.event
            self.urgent |= note.urgent
        self.cursor = cursor
        if len(self.events) > WAITING:
            self.overflowed, self.events, self.urgent = True, {}, False

    def put_snapshot(self, text: str, reason: str) -> None:
        """It goes before the events that wait: those it does not contain already are newer."""
        self.snapshot, self.waits = text, False
        self.reason = reason if self.shown else ""

    def resume(self) -> None:
        """No snapshot is needed: what waits, and what comes, is all that the client has not seen."""
        self.waits, self.shown = False, True

    def restart(self) -> None:
        """Drop what waits, and hold later events back until the next snapshot."""
        self.waits, self.overflowed = True, False
        self.events, self.urgent = {}, False

    def due(self) -> float | None:
        """When the next message may go, on the monotonic clock; ``None`` while there is none."""
        if self.waits:
            return None
        if self.snapshot is not None:
            return 0.0
        if not self.events:
            return None
        return self.sent + (QUICK if self.urgent else CALM)

    def take(self, topic: str, now: float) -> list[str]:
        """The frames to send now."""
        due = self.due()
        if due is None or due > now:
            return []
        frames = self._take_snapshot(topic)
        if self.events:
            frames.append(frame(Events(topic, self.cursor, list(self.events.values()))))
            self.events, self.urgent, self.sent = {}, False, now
        return frames

    def _take_snapshot(self, topic: str) -> list[str]:
        if self.snapshot is None:
            return []
        frames = [frame(Reset(topic, self.reason))] if self.reason else []
        frames.append(self.snapshot)
        self.snapshot, self.reason, self.shown = None, "", True
        return frames


class Mailbox:
    """The topics of one socket. ``wake`` is called, from the hub's thread, when something was put in."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._lock = threading.Lock()
        self._topics: dict[str, TopicBox] = {}

    @property
    def topics(self) -> list[str]:
        """The topics watched."""
        with self._lock:
            return list(self._topics)

    def open(self, topic: str) -> None:
        """From now on keep the topic's events; they wait for its snapshot."""
        with self._lock:
            self._topics.setdefault(topic, TopicBox()).restart()

    def resume(self, topic: str) -> None:
        """Let the topic's events go without a snapshot: the client has seen all that was before."""
        with self._lock:
            box = self._topics.get(topic)
            if box is not None:
                box.resume()
        self._wake()

    def close(self, topic: str) -> None:
        """Forget the topic."""
        with self._lock:
            self._topics.pop(topic, None)

    def put(self, topic: str, notes: Sequence[Note], cursor: str) -> None:
        """Add events."""
        with self._lock:
            box = self._topics.get(topic)
            if box is not None:
                box.put(notes, cursor)
        self._wake()

    def put_snapshot(self, topic: str, text: str, reason: str, *, anew: bool = False) -> None:
        """Add a snapshot; whoever has seen an earlier one is told the ``reason`` first.

        ``anew``: the events that wait belong to a history that is gone.
        """
        with self._lock:
            box = self._topics.get(topic)
            if box is not None and anew:
                box.restart()
            if box is not None:
                box.put_snapshot(text, reason)
        self._wake()

    def overflowed(self) -> list[str]:
        """Topics of which too much waited: their events are gone, they need a new snapshot."""
        with self._lock:
            return [topic for topic, box in self._topics.items() if box.overflowed]

    def take(self, now: float) -> list[str]:
        """The frames to send now, on the monotonic clock ``now``."""
        with self._lock:
            return [text for topic, box in self._topics.items() for text in box.take(topic, now)]

    def due(self) -> float | None:
        """When the next frame may go; ``None`` while there is none."""
        with self._lock:
            dues = [due for box in self._topics.values() if (due := box.due()) is not None]
        return min(dues, default=None)
