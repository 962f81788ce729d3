"""Runs that have ended and wait to be told: how much memory they take, and how they leave it."""

from __future__ import annotations

from tracker.model import StepStatus
from tracker.run import RunWriter

_RUNNING = StepStatus.RUNNING

RUN_STEPS = 10
"""What a run takes in memory besides its steps, in steps; a step takes about as much as ``STEP_BYTES`` of text."""

STEP_BYTES = 512


def weigh(run: RunWriter) -> int:
    """How much memory an ended run takes, in steps."""
    steps = [*run.steps.values()]
    size = len(run.error.message) + len(run.error.traceback) if run.error is not None else 0
    size += sum([len(step.error) for step in steps if step.error])
    size += sum([len(step.kept[1]) for step in steps if step.kept is not None])
    return RUN_STEPS + len(steps) + size // STEP_BYTES


GONE = RunWriter(name="", title="", emits=False)
"""In place of runs that their steps need no more."""
GONE.ended = GONE.created


def untie(run: RunWriter) -> None:
    """An ended run of which all was told is let go.

    A run and its steps hold each other; where there are thousands of them, Python's collector leaves them in memory for
    long. Without that circle they are gone with whoever used them last.
    """
    for step in [*run.steps.values()]:
        if step.status is not _RUNNING:
            step._run = GONE
