"""Where in a run something happened: in words for a note, as a path for an error.

Functions of a run; they change nothing in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tracker.fault import Below
from tracker.model import STEP_ENDED, Error
from tracker.outcome import error_of

if TYPE_CHECKING:
    from tracker.run import RunWriter
    from tracker.step import Step


def place_of(run: RunWriter, exc: BaseException | None) -> str:
    """Where ``exc`` happened: ``at step 3/5: Validate``, ``after step 3: Validate`` or ``before the first step``."""
    fault = run.faults.of(exc)
    if fault is not None:
        return _at(run, fault.step)
    begun = [step for step in run.in_order() if step.status in STEP_ENDED]
    return f"after step {begun[-1].index}: {begun[-1].name}" if begun else "before the first step"


def failure(run: RunWriter, exc: BaseException) -> Error:
    """The exception as stored, with the path to the step it happened in and the last that was logged there."""
    fault, below = run.faults.of(exc), run.faults.below(exc)
    path = [*(fault.trail if fault is not None else ()), *(below.path if below is not None else ())]
    log = below.log if below is not None else fault.log if fault is not None else run.lines.last(0)
    index = fault.step.index if fault is not None else 0
    return error_of(exc, [*run.above, run.title, *(path or [place_of(run, exc)])], index, log)


def tell_outer(run: RunWriter, outer: RunWriter, exc: BaseException) -> None:
    """Say to the operation around ``run`` where in there ``exc`` happened."""
    error = failure(run, exc)
    outer.faults.add_below(Below(exc, replace(error, path=error.path[len(run.above) :]), outer.open.all()))


def terminated(run: RunWriter) -> Error:
    """What is stored of a run whose process is told to end."""
    steps = run.open.all()
    index, where = (steps[0].index, steps[0].name) if steps else (0, place_of(run, None))
    return Error("Terminated", "SIGTERM", [*run.above, run.title, where], step=index)


def _at(run: RunWriter, step: Step) -> str:
    index = f"{step.index}/{run.total}" if run.total is not None else f"{step.index}"
    return f"at step {index}: {step.name}"
