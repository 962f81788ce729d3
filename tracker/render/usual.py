"""What steps usually take, said beside what they took.

Pure functions of values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from tracker.render.texts import fine_seconds

ENOUGH = 5
"""Successes from which something may be said."""

NOTHING = 0.2
"""Seconds more than usual that nobody calls slow."""

NOTICED = 0.1
"""Seconds below which nothing is said of a step."""


class Took(Protocol):
    """How long a step took in ``count`` successful runs, in seconds."""

    @property
    def name(self) -> str: ...
    @property
    def count(self) -> int: ...
    @property
    def p50(self) -> float: ...
    @property
    def p95(self) -> float: ...


Usual = Mapping[str, Took]
"""What is known of steps, by name."""


class Summarised(Protocol):
    """What is known of the runs of a name."""

    @property
    def steps(self) -> Iterable[Took]: ...


def usual_of(summaries: Iterable[Summarised]) -> Usual:
    """The steps of which enough is known."""
    return {step.name: step for summary in summaries for step in summary.steps if step.count >= ENOUGH}


def usually(took: Took | None, duration: float | None) -> str:
    """``usually 0.4s``; empty if that is not known, or if nobody would notice either."""
    if took is None or max(took.p50, duration or 0.0) < NOTICED:
        return ""
    return f"usually {fine_seconds(took.p50)}"


def is_slow(duration: float | None, took: Took | None) -> bool:
    """Whether a step takes clearly longer than usual: twice that, and as long as all but 5 % of the successes."""
    if duration is None or took is None:
        return False
    return duration > 2 * took.p50 and duration > took.p50 + NOTHING and duration >= 0.99 * took.p95
