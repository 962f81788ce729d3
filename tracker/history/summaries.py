"""How the finished runs of a name ended, how long they and their steps took, and what that was like day by day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime

from tracker.archive import Archive, DayRuns, Percentiles, percentiles
from tracker.clock import now
from tracker.model import Status, Value

DAY = 86_400
"""Seconds of a day."""

FAILURES = 10
"""Steps at which runs failed that are named: those where most did."""


class StepSummary(Value, frozen=True):
    """How long a step took in ``count`` successful runs: seconds within which half, 90, 95 and 99 % of them ended."""

    name: str
    count: int
    p50: float
    p90: float
    p95: float
    p99: float


class StepFailures(Value, frozen=True):
    """At which step ``count`` runs failed or were lost."""

    name: str
    count: int


class DaySummary(Value, frozen=True, omit_defaults=False):
    """How many runs ended how on a ``day`` (as ``2026-11-28``, UTC), and seconds within which half and 95 % of the
    successful ones ended; ``None`` where that was not kept."""

    day: str
    complete: int
    error: int
    cancelled: int
    lost: int
    p50: float | None
    p95: float | None


class Summary(Value, frozen=True, omit_defaults=False):
    """How many runs of a name ended how, and their steps. ``success`` is the share of complete ones, from 0 to 1.

    ``days`` are those of the last days on which runs ended, oldest first, and ``took`` and ``failures`` are of all of
    these together: how long whole successful runs took, at most 2.2 % off, and at which steps others failed, most
    first.
    """

    name: str
    complete: int
    error: int
    cancelled: int
    lost: int
    success: float | None
    steps: list[StepSummary]
    took: Percentiles | None
    failures: list[StepFailures]
    days: list[DaySummary]


def summary(archive: Archive, name: str, days: int) -> Summary:
    """Of one name: over all days that are kept, with the last ``days`` one by one."""
    first = int(now() // DAY) + 1 - days
    outcomes, runs = archive.outcomes(name), archive.days(name, first)
    ended = _sum(outcomes)
    total = ended.total()
    took = sum((day.took for day in runs.values()), Counter[int]())
    failed = sum((day.failed for day in runs.values()), Counter[int | str]())
    return Summary(
        name,
        ended[Status.COMPLETE],
        ended[Status.ERROR],
        ended[Status.CANCELLED],
        ended[Status.LOST],
        ended[Status.COMPLETE] / total if total else None,
        [_step(step, found) for step, found in archive.durations(name).items()],
        percentiles(took),
        [StepFailures(str(step), count) for step, count in failed.most_common(FAILURES)],
        [_day(day, counts, runs.get(day, DayRuns())) for day, counts in outcomes.items() if day >= first],
    )


def _sum(outcomes: Mapping[int, Mapping[Status, int]]) -> Counter[Status]:
    ended: Counter[Status] = Counter()
    for day in outcomes.values():
        ended.update(day)
    return ended


def _step(name: str, took: Percentiles) -> StepSummary:
    return StepSummary(name, took.count, took.p50, took.p90, took.p95, took.p99)


def _day(day: int, counts: Mapping[Status, int], runs: DayRuns) -> DaySummary:
    took = percentiles(runs.took)
    return DaySummary(
        _date(day),
        counts[Status.COMPLETE],
        counts[Status.ERROR],
        counts[Status.CANCELLED],
        counts[Status.LOST],
        took.p50 if took else None,
        took.p95 if took else None,
    )


def _date(day: int) -> str:
    """A day since 1970 as people write it; a clock may have said anything."""
    try:
        return datetime.fromtimestamp(day * DAY, UTC).date().isoformat()
    except (OverflowError, ValueError, OSError):
        return f"day {day}"
