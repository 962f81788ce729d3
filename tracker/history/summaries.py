"""How the finished runs of a name ended, and how long their steps took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from tracker.archive import StepDurations
from tracker.model import Status, Value


class StepSummary(Value, frozen=True):
    """How long a step took in ``count`` successful runs: seconds within which half, 90, 95 and 99 % of them ended."""

    name: str
    count: int
    p50: float
    p90: float
    p95: float
    p99: float


class Summary(Value, frozen=True, omit_defaults=False):
    """How many runs of a name ended how, and their steps. ``success`` is the share of complete ones, from 0 to 1."""

    name: str
    complete: int
    error: int
    cancelled: int
    lost: int
    success: float | None
    steps: list[StepSummary]


def summary(name: str, outcomes: Mapping[int, Mapping[Status, int]], steps: Mapping[str, StepDurations]) -> Summary:
    """Of one name, over all days that are kept."""
    ended: Counter[Status] = Counter()
    for day in outcomes.values():
        ended.update(day)
    total = ended.total()
    return Summary(
        name,
        ended[Status.COMPLETE],
        ended[Status.ERROR],
        ended[Status.CANCELLED],
        ended[Status.LOST],
        ended[Status.COMPLETE] / total if total else None,
        [StepSummary(step, took.count, took.p50, took.p90, took.p95, took.p99) for step, took in steps.items()],
    )
