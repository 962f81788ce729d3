"""What is asked across operations: how runs of a name ended and how long they took, by day, and its steps lately.

Kept up with every write, so that no question has to look at all operations. Batches are left out: their children count.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from sqlite3 import Connection
from typing import Any, NamedTuple

from tracker.archive import days
from tracker.archive.codec import NUMBERED_STEPS, Number
from tracker.archive.database import insertion
from tracker.archive.merging import runs_of
from tracker.archive.packing import pack, unpack
from tracker.archive.reading import Reader
from tracker.archive.spread import KEPT, DayRuns, Percentiles, bucket_of
from tracker.archive.texts import LIMIT
from tracker.compose import compose
from tracker.model import ENDED, Operation, Status, StepState, StepStatus
from tracker.record import Attempt, Record

DAY = 86_400.0
"""Seconds of a day."""

LAST_DAY = 10**6
"""The latest day that is counted as such, some 2,700 years from now: a clock may say anything."""

PART = 25
"""Successful runs whose durations one row holds."""

COUNTED = (Status.COMPLETE, Status.ERROR, Status.CANCELLED, Status.LOST)

FAILED = (Status.ERROR, Status.LOST)

# Looked up once: before Python 3.12 a member of an enum takes longer to find than all that is asked about it.
COMPLETE, STEP_COMPLETE = Status.COMPLETE, StepStatus.COMPLETE


class Outcome(NamedTuple):
    """The day on which a run ended, how, and the step at which it failed, if it did."""

    day: int
    status: Status
    step: str = ""


Durations = list[Any]
"""Name and microseconds of each step of a run, one after the other."""

MICROSECONDS = 1e6
LONGEST = 2.0**62
"""Microseconds that a number of the format holds."""


class Part(NamedTuple):
    """A row: runs of a name on a day."""

    namespace: int
    name: int
    day: int
    part: int = 0
    complete: int = 0
    error: int = 0
    cancelled: int = 0
    lost: int = 0
    kept: int = 0
    durations: bytes | None = None


NOTHING = dict.fromkeys(map(str, COUNTED), 0)

OF_NAME = "namespace = ? AND name = ?"

NEWEST_PART = f"SELECT {', '.join(Part._fields)} FROM stats WHERE {OF_NAME} AND day = ? ORDER BY part DESC LIMIT 1"
"""Of a name on a day."""

WRITE = insertion("stats", Part._fields, "REPLACE")

EMPTY = f"UPDATE stats SET kept = 0, durations = NULL WHERE {OF_NAME} AND day = ? AND part = ?"

KEPT_PARTS = f"SELECT day, part, kept FROM stats WHERE {OF_NAME} AND kept > 0 ORDER BY day DESC, part DESC"
"""Of a name, all rows with durations."""

KEPT_DURATIONS = f"SELECT durations, kept FROM stats WHERE {OF_NAME} AND kept > 0 ORDER BY day DESC, part DESC"

OUTCOMES = f"""
    SELECT day, {", ".join(f"SUM({status})" for status in COUNTED)} FROM stats
    WHERE {OF_NAME} AND day >= ? GROUP BY day ORDER BY day"""

NAMES = "SELECT name FROM stats WHERE namespace = ? GROUP BY name ORDER BY MAX(day) DESC, name LIMIT ?"


@dataclass(slots=True)
class News:
    """What is new of one name on one day."""

    counts: Counter[Status] = field(default_factory=Counter)
    runs: list[Durations] = field(default_factory=list)
    day: DayRuns = field(default_factory=DayRuns)


class Tally:
    """Counts what a writing transaction changes, so that each run's outcome is in the table exactly once."""

    def __init__(self, number_of: Callable[[str], Number]) -> None:
        self._number_of = number_of
        self._news: defaultdict[tuple[int, int], News] = defaultdict(News)

    def add(self, name: int, stored: Record | None, new: Record, shown: Operation) -> None:
        """Count what ``new``, shown to people as ``shown``, says of the runs of an operation and ``stored`` did not.

        Names that got no number of their own are not counted: there are too many of them.
        """
        if name > LIMIT:
            return
        before = _outcomes(stored, compose(stored.parts, steps=False)) if stored else {}
        after = _outcomes(new, shown)
        for run, outcome in before.items():
            if after.get(run) != outcome:
                self._count(name, outcome, -1)
        attempts = {attempt.run.run: attempt for attempt in runs_of(new)}
        for run, outcome in after.items():
            if before.get(run) != outcome:
                self._count(name, outcome, 1)
                if outcome.status is COMPLETE and run in attempts:
                    self._measure(name, outcome.day, attempts[run])

    def _count(self, name: int, outcome: Outcome, more: int) -> None:
        news = self._news[name, outcome.day]
        news.counts[outcome.status] += more
        if outcome.step:
            news.day.failed[self._number_of(outcome.step)] += more

    def _measure(self, name: int, day: int, attempt: Attempt) -> None:
        """An end once stored as complete stays so, so this is never taken back."""
        news = self._news[name, day]
        news.runs.append(self._durations(attempt))
        news.day.took[bucket_of(_seconds(attempt))] += 1

    def count(self, name: int, day: int, runs: int) -> None:
        """Count successful runs of which nothing else is known."""
        if name <= LIMIT:
            self._news[name, min(max(day, 0), LAST_DAY)].counts[COMPLETE] += runs

    def save(self, connection: Connection, namespace: int) -> None:
        """Write what was counted."""
        grown = set()
        for (name, day), news in self._news.items():
            row = connection.execute(NEWEST_PART, (namespace, name, day)).fetchone()
            parts = _parts(Part._make(row) if row else Part(namespace, name, day), news)
            connection.executemany(WRITE, parts)
            if not row or len(parts) > 1:
                grown.add(name)
        for name in grown:
            _drop_old_durations(connection, namespace, name)
        days.add(connection, namespace, {place: news.day for place, news in self._news.items()})

    def _durations(self, attempt: Attempt) -> Durations:
        found: Durations = []
        for step in attempt.steps[:NUMBERED_STEPS]:
            if step.status is STEP_COMPLETE and step.duration is not None and not step.reused:
                found += [self._number_of(step.name), round(min(step.duration * MICROSECONDS, LONGEST))]
        return found


def _outcomes(record: Record, shown: Operation) -> dict[str, Outcome]:
    """How each run ended; under "" how an operation ended that never ran."""
    parts = record.parts
    if parts.queue is not None and parts.queue.batch:
        return {}
    found: dict[str, Outcome] = {}
    if shown.status in ENDED:
        found[shown.run] = _outcome(shown.ended or shown.created, shown.status, parts.steps.values())
    for attempt in record.earlier:
        run = attempt.run
        if run.status in ENDED:
            found[run.run] = _outcome(run.ended or run.started, run.status, attempt.steps)
    return found


def _outcome(ended: float, status: Status, steps: Iterable[StepState]) -> Outcome:
    step = _failed_at(steps) if status in FAILED else ""
    return Outcome(int(min(max(ended / DAY, 0), LAST_DAY)), status, step)


def _failed_at(steps: Iterable[StepState]) -> str:
    """The name of the step that failed, or of the one at which everything stopped."""
    open_ones = {step.status: step.name for step in steps if step.status in (StepStatus.ERROR, StepStatus.RUNNING)}
    return open_ones.get(StepStatus.ERROR) or open_ones.get(StepStatus.RUNNING) or ""


def _seconds(attempt: Attempt) -> float:
    """How long a run took."""
    run = attempt.run
    if run.duration is not None:
        return run.duration
    return max(0.0, (run.ended or run.started) - run.started)


def _parts(newest: Part, news: News) -> list[Part]:
    """The newest row of a day with what is new, and further ones when that is full."""
    runs = [*(unpack(newest.durations) if newest.durations else []), *news.runs]
    counts = {str(status): getattr(newest, status) + news.counts[status] for status in COUNTED}
    found: list[Part] = []
    for begin in range(0, max(len(runs), 1), PART):
        held = runs[begin : begin + PART]
        kept = newest._replace(part=newest.part + len(found), kept=len(held), durations=pack(held) if held else None)
        found.append(kept._replace(**(NOTHING if found else counts)))
    return found


def _drop_old_durations(connection: Connection, namespace: int, name: int) -> None:
    total = 0
    for day, part, kept in connection.execute(KEPT_PARTS, (namespace, name)).fetchall():
        if total >= KEPT:
            connection.execute(EMPTY, (namespace, name, day, part))
        total += kept


def durations(reader: Reader, name: str, last: int) -> dict[str, Percentiles]:
    """How long the steps of the last successful runs took, by name of the step."""
    taken: defaultdict[Number, list[int]] = defaultdict(list)
    for run in _last_runs(reader, name, last):
        for number, microseconds in zip(run[::2], run[1::2], strict=True):
            taken[number].append(microseconds)
    return {reader.text_of(number): _summary(sorted(found)) for number, found in taken.items()}


def _last_runs(reader: Reader, name: str, last: int) -> Iterator[Durations]:
    for blob, kept in reader.connection.execute(KEPT_DURATIONS, (reader.namespace, reader.number_of_name(name))):
        yield from unpack(blob)[-last:] if last > 0 else ()
        last -= kept
        if last <= 0:
            return


def _summary(taken: list[int]) -> Percentiles:
    """Percentiles of microseconds by the nearest rank: each is a duration that did occur."""
    count = len(taken)
    places = [math.ceil(count * share) - 1 for share in (0.5, 0.9, 0.95, 0.99)]
    return Percentiles(count, *(taken[place] / MICROSECONDS for place in places))


def outcomes(reader: Reader, name: str, since: float) -> dict[int, dict[Status, int]]:
    """How many runs of a name ended how, by day since 1970."""
    mine = (reader.namespace, reader.number_of_name(name), int(since // DAY))
    rows = reader.connection.execute(OUTCOMES, mine)
    return {day: dict(zip(COUNTED, counts, strict=True)) for day, *counts in rows}


def names(reader: Reader, limit: int) -> list[str]:
    """Of which names runs have ended, those of the last days first."""
    rows = reader.connection.execute(NAMES, (reader.namespace, limit)).fetchall()
    return [reader.text_of(number) for (number,) in rows]


def forget(connection: Connection, namespace: int, before: float) -> None:
    """Remove the days that had ended by then."""
    day = int(before // DAY)
    connection.execute("DELETE FROM stats WHERE namespace = ? AND day < ?", (namespace, day))
    days.forget(connection, namespace, day)
