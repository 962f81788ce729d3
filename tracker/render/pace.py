"""How fast running work goes and how long it will take, from what it has done since it started.

Pure functions of state; says nothing until there is enough to tell from.
"""

from __future__ import annotations

from tracker.compose import ENOUGH
from tracker.model import Operation, Status, StepState, StepStatus
from tracker.render.texts import number, seconds
from tracker.render.words import clean

FAST = 100
"""A rate from which on decimals say nothing."""


def pace_lines(operation: Operation, now: float) -> list[str]:
    """One line for the children of a running batch, or one for each running step with progress."""
    if operation.status is not Status.RUNNING:
        return []
    # What has steps of its own goes by them; those below may be no more than what runs inside one.
    if operation.children.total and (operation.batch or not operation.steps):
        lines = [_children_pace(operation, now)]
    else:
        running = [step for step in operation.steps or () if step.status is StepStatus.RUNNING]
        lines = [_step_pace(step, now) for step in running]
    return [line for line in lines if line]


def pace(done: float, total: float | None, started: float | None, now: float, unit: str) -> str:
    """Rate and time left.

    >>> pace(50, 200, 100.0, 110.0, "rows")
    '5 rows/s, about 30.0s left'
    """
    passed = now - started if started is not None else 0.0
    if passed < ENOUGH or done <= 0:
        return ""
    rate = done / passed
    spoken = (
        f"{number(round(rate, 1 if rate < FAST else None))} {unit}/s"
        if rate >= 1
        else f"{number(round(rate * 60, 1))} {unit}/min"
    )
    if total is None or total <= done:
        return spoken
    return f"{spoken}, about {seconds((total - done) / rate)} left"


def _children_pace(operation: Operation, now: float) -> str:
    children = operation.children
    return pace(children.ended, children.total, operation.started or operation.created, now, "operations")


def _step_pace(step: StepState, now: float) -> str:
    if step.current is None:
        return ""
    spoken = pace(step.current, step.total, step.started, now, clean(step.unit))
    return f"{clean(step.name)}: {spoken}" if spoken else ""
