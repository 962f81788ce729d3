"""What waits in memory to be sent: one lane per run, each with its turn, all of them within bounds."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from itertools import islice

from tracker.model import Event, EventType
from tracker.publish.ended import untie
from tracker.publish.lane import BLOB_BYTES, BLOB_EVENTS, Lane
from tracker.run import RunWriter
from tracker.step import Step
from tracker.store import Passed, QueueItem, RunBlob

Note = QueueItem | Passed | RunBlob
"""What is told of an operation that is not run here: that it was sent away, or that it was run and need not be kept."""

NOTES_LIMIT = 5_000
"""Notes that may wait; beyond it the oldest are lost: an operation sent away then shows when it begins."""

LINES_LIMIT = 2_000
"""Log lines that may wait, of all runs together; beyond it they are left out, and counted."""

EVENTS_LIMIT = 4_000
"""Events that may wait, of all runs together; beyond it the runs with the most are told by their whole state."""

STEPS_LIMIT = 4_000
"""Weight of ended runs that may be kept for it, in steps; beyond it only their heads are kept."""

RESULTS_LIMIT = 2**20
"""Bytes of kept results that may wait, of all runs together; beyond it they are let go, and those steps run again."""

log = logging.getLogger("tracker")


class Waiting:
    """Lanes in the order of their turns."""

    def __init__(self) -> None:
        self._lanes: dict[str, Lane] = {}
        self.notes: deque[Note] = deque(maxlen=NOTES_LIMIT)
        """What is told of operations that are not run here, in order."""

    def __bool__(self) -> bool:
        """Whether there is anything to send that may not be lost."""
        return any(not lane.empty for lane in self._lanes.values())

    @property
    def lanes(self) -> Collection[Lane]:
        """All of them: each run that goes on has one."""
        return self._lanes.values()

    def take(self, taken: tuple[RunWriter, Event] | Step | Note) -> None:
        """Take an event, or note that a step has changed, or something of an operation that is not run here."""
        if isinstance(taken, Step):
            self._add(taken._run, taken)
        elif isinstance(taken, tuple):
            self._add(*taken)
        else:
            self.notes.append(taken)

    def noted(self, limit: int) -> list[Note]:
        """The first of the notes."""
        return list(islice(self.notes, limit))

    def _add(self, run: RunWriter, item: Event | Step) -> None:
        lane = self._lanes.get(run.run)
        if lane is None:
            if run.ended is not None and not _opens(item):
                return  # All of the run was told: its whole state, or another thread is late.
            lane = self._lanes[run.run] = Lane(run)
        lane.add(item)

    def rebase(self, run: RunWriter) -> None:
        """Events of a run were dropped on the way here."""
        self._lanes.setdefault(run.run, Lane(run)).rebase()

    def lose(self, run: str) -> None:
        """There is no room for anything more of a run that has ended."""
        self._lanes.pop(run, None)

    def cancelled(self, runs: Mapping[str, str]) -> None:
        """Somebody wants these runs to end; what they track learns it at its next call."""
        for run, by in runs.items():
            if run in self._lanes:
                self._lanes[run].run.cancelled_by = by

    def forgotten(self, runs: Iterable[str]) -> None:
        """The store has less of these runs than it had, or than it should."""
        for run in runs:
            if run in self._lanes:
                self._lanes[run].rebase()

    def cut(self, limit: int) -> list[tuple[Lane, list[RunBlob]]]:
        """The next blobs of each lane, about ``limit`` in all, or fewer if they are large.

        A lane of which none can be made is given up.
        """
        found: list[tuple[Lane, list[RunBlob]]] = []
        room = limit
        for lane in [lane for lane in self._lanes.values() if not lane.empty]:
            if room <= 0:
                break
            blobs = _cut(lane)
            room -= sum(map(_size, blobs))
            if blobs:
                found.append((lane, blobs))
            else:  # What waited was told before.
                self.told(lane)
        return found

    def told(self, lane: Lane) -> None:
        """Others have their turn now; a run of which all is told leaves."""
        self._lanes.pop(lane.run.run, None)
        if lane.done:
            untie(lane.run)
        else:
            self._lanes[lane.run.run] = lane

    def drained(self) -> None:
        """The store has everything that was in the spool."""
        for lane in list(self._lanes.values()):
            lane.drained()
            if lane.done:
                self.told(lane)

    @property
    def crowded(self) -> bool:
        """Whether more waits than should be kept in memory."""
        lanes = self._lanes.values()
        if sum(lane.waiting for lane in lanes) > EVENTS_LIMIT or sum(lane.kept for lane in lanes) > RESULTS_LIMIT:
            return True
        return bool(_too_many(list(lanes)))

    def squeeze(self) -> list[RunBlob]:
        """Come within bounds: leave out lines, kept results, single events, then steps of ended runs, oldest first.

        Answers the last words of those, which are all there is of them from then on.
        """
        lanes = list(self._lanes.values())
        if sum(lane.lines for lane in lanes) > LINES_LIMIT:
            for lane in lanes:
                lane.drop_lines()
        if sum(lane.kept for lane in lanes) > RESULTS_LIMIT:
            room = RESULTS_LIMIT
            for lane in lanes:
                room = lane.let_go(room)
        waiting = sum(lane.waiting for lane in lanes)
        for lane in sorted(lanes, key=lambda lane: lane.waiting, reverse=True):
            if waiting <= EVENTS_LIMIT:
                break
            waiting -= lane.waiting
            lane.rebase()
        return [self._last_word(lane) for lane in _too_many(lanes)]

    def _last_word(self, lane: Lane) -> RunBlob:
        del self._lanes[lane.run.run]
        word = lane.last_word()
        untie(lane.run)
        return word


def _cut(lane: Lane) -> list[RunBlob]:
    try:
        return list(lane.cut())
    except Exception:
        log.warning("tracker: events of a run cannot be sent; the work goes on", exc_info=True)
        lane.give_up()
        return []


def _size(blob: RunBlob) -> int:
    """Of how many usual blobs it has the size."""
    return 1 + len(blob.steps) // BLOB_EVENTS + sum(len(result) for _, result in blob.results) // BLOB_BYTES


def _too_many(lanes: list[Lane]) -> list[Lane]:
    """Ended runs whose steps find no room, the oldest first."""
    ended = sorted((lane.run.ended, number) for number, lane in enumerate(lanes) if lane.run.ended is not None)
    room, found = STEPS_LIMIT, []
    for _, number in reversed(ended):
        room -= lanes[number].weight
        if room < 0:
            found.append(lanes[number])
    return found[::-1]


def _opens(item: Event | Step) -> bool:
    """Whether it may be the first thing taken of a run that has ended: its start, or its end."""
    if isinstance(item, Step) or item.head is None:
        return False
    return item.type == EventType.OPERATION_START or item.head.ended is not None
