"""Flags runs whose process lives, and whose step has told nothing for longer than such a step usually takes.

That is shown and never judged. Nothing is read for it again and again: how far each run has told stands in the leases,
and its step is looked up once per silence. The store withdraws the flag with the next word of the run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from tracker import clock
from tracker.archive import Archive, Percentiles
from tracker.compose import compose
from tracker.errors import ArchiveUnavailable
from tracker.model import Parts, StepStatus
from tracker.store import LiveRun, Quiet, Store

QUIET_AFTER = 30.0
"""Seconds without a word that say nothing of any step."""

CUT_OFF_AFTER = 15.0
"""Seconds without a sign of life after which a run has the whole time again: it may have told what did not arrive."""

KNOWN_ENOUGH = 5
"""Successes of a step that make a history."""

LOOKS = 500
"""Runs whose steps are looked up in one turn."""

LONGEST_LOOK = 1.0
"""Seconds after which a turn looks up no more."""

FRESH = 60.0
"""Seconds for which what is known of a name is not read again."""

NAMES_LIMIT = 1_000
"""Names of which that is kept."""

AT_ONCE = 100
"""Flags set in one call, so that nobody else waits for Redis."""


class _Mark(msgspec.Struct):
    """Since when a run has told no more than ``seq``, and after how many seconds that is quiet; ``None``: not known."""

    seq: int
    since: float
    heard: float
    limit: float | None = None

    @property
    def silent(self) -> float:
        return clock.elapsed() - self.since


class QuietRuns:
    """Flags the quiet runs of one namespace, by the durations in its archive."""

    def __init__(self, store: Store, archive: Archive) -> None:
        self._store = store
        self._archive = archive
        self._marks: dict[LiveRun, _Mark] = {}
        self._known: dict[str, tuple[float, dict[str, Percentiles]]] = {}

    def forget(self) -> None:
        """Nothing was observed for a while: every run has the whole time again."""
        self._marks.clear()

    def turn(self, told: Mapping[LiveRun, int]) -> None:
        """Look at the runs that have given a sign of life since the last turn, each with how far it has told.

        Raises ``StoreUnavailable``.
        """
        lately = clock.elapsed() - CUT_OFF_AFTER
        self._marks = {run: mark for run, mark in self._marks.items() if mark.heard >= lately}
        self._marks |= {run: self._mark(run, seq) for run, seq in told.items()}
        silent = [run for run in told if self._marks[run].silent >= QUIET_AFTER]
        self._look_up([run for run in silent if self._marks[run].limit is None][:LOOKS])
        due = [run for run in silent if self._marks[run].silent >= (self._marks[run].limit or math.inf)]
        for start in range(0, len(due), AT_ONCE):
            self._flag(due[start : start + AT_ONCE])

    def _mark(self, run: LiveRun, seq: int) -> _Mark:
        mark, now = self._marks.get(run), clock.elapsed()
        if mark is None or mark.seq != seq:
            return _Mark(seq, now, now)
        mark.heard = now
        return mark

    def _look_up(self, runs: list[LiveRun]) -> None:
        """What is left for the next turn is looked up then."""
        ends = clock.elapsed() + LONGEST_LOOK
        for run, parts in zip(runs, self._store.heads([run.operation for run in runs]), strict=True):
            if clock.elapsed() > ends:
                return
            self._marks[run].limit = self._limit(run, parts)

    def _limit(self, run: LiveRun, parts: Parts | None) -> float:
        """Longer than 99 of 100 such steps took, of few longer than any; without a history, never."""
        if parts is None or parts.run is None or parts.run.run != run.run:
            return math.inf
        names = [step.name for step in parts.steps.values() if step.status is StepStatus.RUNNING]
        known = self._durations(compose(parts, steps=False).name).get(names[0]) if names else None
        return max(QUIET_AFTER, known.p99) if known is not None and known.count >= KNOWN_ENOUGH else math.inf

    def _durations(self, name: str) -> dict[str, Percentiles]:
        read, found = self._known.get(name, (-math.inf, {}))
        if clock.elapsed() - read < FRESH:
            return found
        if len(self._known) >= NAMES_LIMIT:
            self._known.clear()
        try:
            found = self._archive.durations(name) if self._archive.exists else {}
        except ArchiveUnavailable:
            found = {}
        self._known[name] = (clock.elapsed(), found)
        return found

    def _flag(self, runs: list[LiveRun]) -> None:
        """Once each: what the store ignores has gone on, or will be told again by the next lease."""
        self._store.append_apart([Quiet(run.operation, run.run, self._marks[run].seq) for run in runs])
        for run in runs:
            self._marks[run].limit = math.inf
