"""What is asked across operations: how runs of a name ended and how long they took, by day, and its steps lately.

Kept up with every write, so that no question has to look at all operations. Batches are left out: their children count.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from tracker.archive import days
from tracker.archive.codec import NUMBERED_STEPS, Number
from tracker.archive.merging import runs_of
from tracker.archive.packing import pack, unpack
from tracker.archive.reading import Reader
from tracker.archive.spread import KEPT, DayRuns, Percentiles, bucket_of
from tracker.archive.tables import stats
from tracker.archive.texts import LIMIT
from tracker.compose import compose
from tracker.model import ENDED, Status, StepState, StepStatus
from tracker.record import Attempt, Record

DAY = 86_400.0
"""Seconds of a day."""

LAST_DAY = 10**6
"""The latest day that is counted as such, some 2,700 years from now: a clock may say anything."""

PART = 25
"""Successful runs whose durations one row holds."""

COUNTED = (Status.COMPLETE, Status.ERROR, Status.CANCELLED, Status.LOST)

FAILED = (Status.ERROR, Status.LOST)


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


Row = dict[str, Any]

PLACE = ("namespace", "name", "day", "part")

# Made once: SQLAlchemy needs longer for making such a statement than SQLite for executing it.
_of = {column: stats.c[column] == bindparam(f"of_{column}") for column in PLACE}
_of_name = (_of["namespace"], _of["name"])
_newest_first = (stats.c.day.desc(), stats.c.part.desc())

NEWEST_PART = select(stats).where(*_of_name, _of["day"]).order_by(stats.c.part.desc()).limit(1)
"""Of a name on a day."""

RENEW = update(stats).where(*_of.values()).values({name: bindparam(name) for name in (*COUNTED, "kept", "durations")})
EMPTY = update(stats).where(*_of.values()).values(kept=0, durations=None)

KEPT_PARTS = select(stats.c.day, stats.c.part, stats.c.kept).where(*_of_name, stats.c.kept > 0).order_by(*_newest_first)
"""Of a name, all rows with durations."""

KEPT_DURATIONS = select(stats.c.durations, stats.c.kept).where(*_of_name, stats.c.kept > 0).order_by(*_newest_first)


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

    def add(self, name: int, stored: Record | None, new: Record) -> None:
        """Count what ``new`` says of the runs of an operation and ``stored`` did not.

        Names that got no number of their own are not counted: there are too many of them.
        """
        if name > LIMIT:
            return
        before, after = _outcomes(stored) if stored else {}, _outcomes(new)
        for run, outcome in before.items():
            if after.get(run) != outcome:
                self._count(name, outcome, -1)
        attempts = {attempt.run.run: attempt for attempt in runs_of(new)}
        for run, outcome in after.items():
            if before.get(run) != outcome:
                self._count(name, outcome, 1)
                if outcome.status is Status.COMPLETE and run in attempts:
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
            self._news[name, min(max(day, 0), LAST_DAY)].counts[Status.COMPLETE] += runs

    def save(self, connection: Connection, namespace: int) -> None:
        """Write what was counted."""
        renewed: list[Row] = []
        added: list[Row] = []
        for (name, day), news in self._news.items():
            row = connection.execute(NEWEST_PART, {"of_namespace": namespace, "of_name": name, "of_day": day}).first()
            parts = _parts(row, {"namespace": namespace, "name": name, "day": day}, news)
            renewed += parts[: row is not None]
            added += parts[row is not None :]
        if renewed:
            connection.execute(RENEW, [{**_place(row), **row} for row in renewed])
        if added:
            connection.execute(insert(stats), added)
        for name in {row["name"] for row in added}:
            _drop_old_durations(connection, namespace, name)
        days.add(connection, namespace, {place: news.day for place, news in self._news.items()})

    def _durations(self, attempt: Attempt) -> Durations:
        found: Durations = []
        for step in attempt.steps[:NUMBERED_STEPS]:
            if step.status is StepStatus.COMPLETE and step.duration is not None and not step.reused:
                found += [self._number_of(step.name), round(min(step.duration * MICROSECONDS, LONGEST))]
        return found


def _outcomes(record: Record) -> dict[str, Outcome]:
    """How each run ended; under "" how an operation ended that never ran."""
    parts = record.parts
    if parts.queue is not None and parts.queue.batch:
        return {}
    shown = compose(parts, steps=False)
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


def _parts(row: Any, place: Row, news: News) -> list[Row]:
    """The newest row of a day with what is new, and further ones when that is full."""
    part = row.part if row else 0
    runs = [*(unpack(row.durations) if row and row.durations else []), *news.runs]
    found: list[Row] = []
    for begin in range(0, max(len(runs), 1), PART):
        held = runs[begin : begin + PART]
        kept = {"part": part + len(found), "kept": len(held), "durations": pack(held) if held else None}
        found.append({**place, **dict.fromkeys(map(str, COUNTED), 0), **kept})
    found[0] |= {str(status): (getattr(row, status) if row else 0) + news.counts[status] for status in COUNTED}
    return found


def _place(row: Row) -> Row:
    return {f"of_{name}": row[name] for name in PLACE}


def _drop_old_durations(connection: Connection, namespace: int, name: int) -> None:
    total = 0
    for day, part, kept in connection.execute(KEPT_PARTS, {"of_namespace": namespace, "of_name": name}).all():
        if total >= KEPT:
            place = {"of_namespace": namespace, "of_name": name, "of_day": day, "of_part": part}
            connection.execute(EMPTY, place)
        total += kept


def durations(reader: Reader, name: str, last: int) -> dict[str, Percentiles]:
    """How long the steps of the last successful runs took, by name of the step."""
    seconds: defaultdict[Number, list[float]] = defaultdict(list)
    for run in _last_runs(reader, name, last):
        for number, taken in zip(run[::2], run[1::2], strict=True):
            seconds[number].append(taken / MICROSECONDS)
    return {reader.text_of(number): _summary(sorted(found)) for number, found in seconds.items()}


def _last_runs(reader: Reader, name: str, last: int) -> Iterator[Durations]:
    mine = {"of_namespace": reader.namespace, "of_name": reader.number_of_name(name)}
    for blob, kept in reader.connection.execute(KEPT_DURATIONS, mine):
        yield from unpack(blob)[-last:] if last > 0 else ()
        last -= kept
        if last <= 0:
            return


def _summary(seconds: list[float]) -> Percentiles:
    """Percentiles by the nearest rank: each is a duration that did occur."""
    count = len(seconds)
    return Percentiles(count, *(seconds[math.ceil(count * share) - 1] for share in (0.5, 0.9, 0.95, 0.99)))


def outcomes(reader: Reader, name: str, since: float) -> dict[int, dict[Status, int]]:
    """How many runs of a name ended how, by day since 1970."""
    found: dict[int, dict[Status, int]] = {}
    mine = (stats.c.namespace == reader.namespace, stats.c.name == reader.number_of_name(name))
    query = select(stats.c.day, *(func.sum(stats.c[status]).label(status) for status in COUNTED))
    query = query.where(*mine, stats.c.day >= int(since // DAY)).group_by(stats.c.day).order_by(stats.c.day)
    for row in reader.connection.execute(query):
        found[row.day] = {status: getattr(row, status) for status in COUNTED}
    return found


def names(reader: Reader, limit: int) -> list[str]:
    """Of which names runs have ended, those of the last days first."""
    last = func.max(stats.c.day)
    query = select(stats.c.name).where(stats.c.namespace == reader.namespace).group_by(stats.c.name)
    rows = reader.connection.scalars(query.order_by(last.desc(), stats.c.name).limit(limit)).all()
    return [reader.text_of(number) for number in rows]


def forget(connection: Connection, namespace: int, before: float) -> None:
    """Remove the days that had ended by then."""
    day = int(before // DAY)
    connection.execute(delete(stats).where(stats.c.namespace == namespace, stats.c.day < day))
    days.forget(connection, namespace, day)
