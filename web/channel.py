"""One topic's events on their way to everybody who watches it: kept once, and encoded once for all who are as far.

A reader is no more than a place in them, so a slow one takes no memory of its own, and merging is the same for all:
newer progress takes the place of older that waits, for every event carries the whole state it leads to. Steps that
begin or end, and outcomes, are never merged. Whoever is too far behind starts again with a snapshot.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from tracker.clock import elapsed
from web.limits import WAITING, WAITING_BYTES, WAITING_SECONDS
from web.messages import Events, Frame, Reset

QUICK, CALM = 0.02, 0.1
"""Least seconds between two messages of a topic: with a step or outcome in it, and with progress or counts only."""

TIMED = 0.5
"""Seconds between two moments of which it is known how far the notes were then."""

TOO_MUCH = "too much happened at once"


class Note(NamedTuple):
    """An event on its way. One that is not ``urgent`` is replaced by the next with the same ``key``."""

    key: tuple[str, int]
    event: msgspec.Raw
    urgent: bool


class Reader:
    """How far one client is in one channel. ``wake`` is called when a message for it is due sooner than it was."""

    __slots__ = ("place", "reason", "sent", "shown", "snapshot", "wake")

    def __init__(self, wake: Callable[[], None]) -> None:
        self.wake = wake
        self.place: int | None = None
        """Number of the last note it has; ``None`` while it waits for a snapshot."""
        self.snapshot: Frame | None = None
        self.shown = False
        self.reason = ""
        self.sent = 0.0

    def restart(self, reason: str) -> None:
        """Wait for a snapshot; with a reason, whoever has seen an earlier one is told of it."""
        self.place, self.snapshot = None, None
        self.reason = reason or self.reason


class Channel:
    """The notes of one topic, numbered from 1. ``want`` is called when a snapshot is to be read, and not twice for one.

    Written by the hub's threads, read by those that send; none of them waits for another's work.
    """

    def __init__(self, topic: str, want: Callable[[Channel], object]) -> None:
        self.topic = topic
        self._want = want
        self._lock = threading.Lock()
        self._readers: set[Reader] = set()
        self._notes: dict[int, Note] = {}
        self._calm: dict[tuple[str, int], int] = {}
        self._times: deque[tuple[float, int]] = deque()
        """When all notes up to a number were there."""
        self._bytes = 0
        self._number = 0
        self._lost = 0
        self._urgent = 0
        self._cursor = ""
        self._frames: dict[int, Frame] = {}
        self._reading = False
        self._generation = 0

    # ---- readers

    def join(self, reader: Reader, reason: str) -> int:
        """Take a reader in, or let it begin anew; it gets all notes behind the number answered once it may begin."""
        with self._lock:
            self._readers.add(reader)
            reader.restart(reason)
            return self._number

    def leave(self, reader: Reader) -> bool:
        """Let a reader go; whether others are left."""
        with self._lock:
            self._readers.discard(reader)
            return bool(self._readers)

    def resume(self, reader: Reader, place: int) -> None:
        """Let a reader that has seen everything up to a number go on behind it without a snapshot."""
        with self._lock:
            reader.place, reader.shown = place, True
        reader.wake()

    def take(self, reader: Reader, now: float) -> tuple[list[Frame], float | None]:
        """What is to be sent to a reader ``now``, on the monotonic clock, and when there will be more.

        That is ``None`` while there is nothing to wait for but ``wake``.
        """
        with self._lock:
            if reader.place is not None and reader.place < self._lost:
                reader.restart(TOO_MUCH)
                self._ask()
            due = self._due(reader)
            if due is None or due > now:
                return [], due
            return self._take(reader, now), None

    def due(self, reader: Reader) -> float | None:
        """When the next message of a reader may go."""
        with self._lock:
            return self._due(reader)

    def _due(self, reader: Reader) -> float | None:
        place = reader.place
        if place is None:
            return None
        if reader.snapshot is not None or place < self._lost:
            return 0.0
        if place == self._number:
            return None
        return reader.sent + (QUICK if place < self._urgent else CALM)

    def _take(self, reader: Reader, now: float) -> list[Frame]:
        frames = self._take_snapshot(reader)
        if reader.place is not None and reader.place < self._number:
            frames.append(self._frames.get(reader.place) or self._frame_after(reader.place))
            reader.place, reader.sent = self._number, now
        return frames

    def _take_snapshot(self, reader: Reader) -> list[Frame]:
        if reader.snapshot is None:
            return []
        reset = [Frame(Reset(self.topic, reader.reason))] if reader.reason and reader.shown else []
        frames = [*reset, reader.snapshot]
        reader.snapshot, reader.reason, reader.shown = None, "", True
        return frames

    def _frame_after(self, place: int) -> Frame:
        """All notes behind a number in one message, the same for all who are there."""
        events = [note.event for number, note in self._notes.items() if number > place]
        found = self._frames[place] = Frame(Events(self.topic, self._cursor, events))
        return found

    # ---- notes

    def put(self, notes: Sequence[Note], cursor: str) -> None:
        """Add events, the last of which is at ``cursor``."""
        with self._lock:
            before, urgent_before = self._number, self._urgent
            self._prune()
            for note in notes:
                self._add(note)
            self._cursor = cursor
            self._frames.clear()
            self._lose_beyond_bounds()
            sooner = [r for r in self._readers if r.place == before or self._is_sooner(r.place, urgent_before)]
        for reader in sooner:
            reader.wake()

    def _add(self, note: Note) -> None:
        self._number += 1
        if note.key in self._calm:
            self._drop(self._calm.pop(note.key))
        if note.urgent:
            self._urgent = self._number
        else:
            self._calm[note.key] = self._number
        self._notes[self._number] = note
        self._bytes += len(bytes(note.event))

    def _is_sooner(self, place: int | None, urgent_before: int) -> bool:
        return place is not None and urgent_before <= place < self._urgent

    def _drop(self, number: int) -> None:
        note = self._notes.pop(number, None)
        if note is not None:
            self._bytes -= len(bytes(note.event))

    def tend(self) -> None:
        """Let go of what has waited for too long, and see to it that nobody waits for a snapshot in vain."""
        with self._lock:
            self._prune()
            if any(reader.place is None for reader in self._readers):
                self._ask()

    def _prune(self) -> None:
        now = elapsed()
        if not self._times or self._times[-1][0] < now - TIMED:
            self._times.append((now, self._number))
        while self._times[0][0] < now - WAITING_SECONDS:
            self._lose(self._times.popleft()[1])

    def _lose_beyond_bounds(self) -> None:
        while len(self._notes) > WAITING or self._bytes > WAITING_BYTES:
            self._lose(next(iter(self._notes)))

    def _lose(self, until: int) -> None:
        self._lost = max(self._lost, until)
        while self._notes and (number := next(iter(self._notes))) <= until:
            key = self._notes[number].key
            if self._calm.get(key) == number:
                del self._calm[key]
            self._drop(number)

    # ---- snapshots

    def ask(self, reader: Reader) -> None:
        """A reader that has joined wants a snapshot."""
        with self._lock:
            if reader.place is None and reader.snapshot is None:
                self._ask()

    def restart(self, reason: str) -> None:
        """All readers wait for a new snapshot; what waits, and one that is being read, belong to what is over."""
        with self._lock:
            self._generation += 1
            self._lose(self._number)
            self._frames.clear()
            self._renew(reason)

    def renew(self) -> None:
        """All readers wait for a new snapshot, or for the one that is being read."""
        with self._lock:
            self._renew("")

    def _renew(self, reason: str) -> None:
        for reader in self._readers:
            reader.restart(reason)
        self._ask()

    def _ask(self) -> None:
        if not self._reading:
            self._reading = True
            self._want(self)

    def begin(self) -> tuple[int, int]:
        """What a snapshot that is read from now on contains at least, for ``give``."""
        with self._lock:
            return self._generation, self._number

    def give(self, snapshot: Frame, begun: tuple[int, int]) -> bool:
        """Hand a snapshot to all who wait for one; ``False`` if it is to be read again."""
        generation, number = begun
        with self._lock:
            if generation != self._generation:
                return False
            self._reading = False
            waiting = [reader for reader in self._readers if reader.place is None]
            for reader in waiting:
                reader.snapshot, reader.place = snapshot, number
        for reader in waiting:
            reader.wake()
        return True

    def fail(self) -> None:
        """The snapshot could not be read; whoever waits is served when it is asked for again."""
        with self._lock:
            self._reading = False
