"""The sentences of a display, as plain text: shared by the live picture and by plain lines.

Pure functions of an operation; knows neither Rich nor symbols' colours.
"""

from __future__ import annotations

from tracker.model import ENDED, Operation, Status, StepState, StepStatus
from tracker.render.symbols import NOT_RUN, Symbols

HEADLINES = {
    Status.COMPLETE: "Operation Complete",
    Status.ERROR: "Operation Failed",
    Status.CANCELLED: "Operation Cancelled",
    Status.LOST: "Operation Lost",
}

ERROR_SHOWN = 2000
"""Longest error message in a display, in characters."""


def seconds(duration: float | None) -> str:
    """A duration for people: ``0.4s``, ``8.3s``, ``2m 05s``, ``3h 07m``; empty if unknown.

    >>> seconds(125)
    '2m 05s'
    """
    if duration is None:
        return ""
    if duration < 59.95:
        return f"{max(0.0, duration):.1f}s"
    minutes, rest = divmod(round(duration), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02}m" if hours else f"{minutes}m {rest:02}s"


def number(value: float) -> str:
    """A count for people: whole numbers with separators, others with one decimal."""
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def progress(step: StepState) -> str:
    """``1,200/5,000 rows``, or ``1,200 rows`` while the total is unknown; empty without progress."""
    if step.current is None:
        return ""
    counted = number(step.current) if step.total is None else f"{number(step.current)}/{number(step.total)}"
    return f"{counted} {step.unit}".rstrip()


def total_of(operation: Operation) -> int | None:
    """How many steps the operation has; ``None`` while unknown."""
    if operation.step is not None:
        return operation.step.total
    return len(operation.steps or ()) or None


def label(index: int, total: int | None) -> str:
    """``[2/5]``, or ``[2]`` while the total is unknown."""
    return f"[{index}/{total}]" if total is not None else f"[{index}]"


def word(step: StepState, operation_ended: bool) -> str:
    """The word for a step's status."""
    if step.status is StepStatus.PENDING and operation_ended:
        return NOT_RUN
    return step.status


def transition(step: StepState, total: int | None, symbols: Symbols) -> str:
    """One line for one change of a step: ``[2/5] Validate ✅ complete 1.2s (2 warnings)``."""
    parts = [label(step.index, total), step.name, symbols.mark(step.status), str(step.status)]
    if step.status is StepStatus.RUNNING:
        parts[-1] += symbols.ellipsis
    parts += [seconds(step.duration), progress(step), f"({step.detail})" if step.detail else "", step.error]
    return " ".join(part for part in parts if part)


def headline(operation: Operation, symbols: Symbols) -> str:
    """``✅ Operation Complete`` and the like."""
    return f"{symbols.mark(operation.status)} {HEADLINES.get(operation.status, str(operation.status))}"


def summary(operation: Operation) -> list[str]:
    """What the last panel says of an ended operation, line by line."""
    steps = operation.steps or []
    lines = [] if operation.status is Status.COMPLETE else _place(operation, steps)
    lines += [*_counts(operation, steps), f"Duration: {seconds(operation.duration) or 'unknown'}"]
    if operation.error is not None and operation.status is not Status.CANCELLED:
        lines += ["", f"Error: {_message(operation)}"]
    return lines


def _place(operation: Operation, steps: list[StepState]) -> list[str]:
    verb = {Status.CANCELLED: "Cancelled", Status.LOST: "Lost"}.get(operation.status, "Failed")
    where = operation.error.path[-1] if operation.error is not None and len(operation.error.path) > 1 else ""
    # A step whose process died has said nothing since it began.
    unfinished = (StepStatus.ERROR, StepStatus.CANCELLED, StepStatus.RUNNING)
    stopped = [step for step in steps if step.status in unfinished and step.name == where]
    if stopped:
        index = label(stopped[-1].index, total_of(operation)).strip("[]")
        return [f"{verb} at step {index}: {where}"]
    return [f"{verb} {where}"] if where else []


def _counts(operation: Operation, steps: list[StepState]) -> list[str]:
    done = sum(step.status is StepStatus.COMPLETE for step in steps)
    if operation.status is Status.COMPLETE and done == len(steps):
        return [] if not steps else ["The one step completed" if done == 1 else f"All {done} steps completed"]
    total = total_of(operation)
    counted = f"Completed {done}/{total} steps" if total is not None else f"Completed {done} steps"
    others = [
        f"{count} {name}"
        for name, status in (("failed", StepStatus.ERROR), ("skipped", StepStatus.SKIPPED))
        if operation.status is Status.COMPLETE and (count := sum(step.status is status for step in steps))
    ]
    return [", ".join((counted, *others))]


def _message(operation: Operation) -> str:
    error = operation.error
    assert error is not None
    message = error.message[:ERROR_SHOWN]
    return f"{message} ({error.type})" if message else error.type


def ended(operation: Operation) -> bool:
    """Whether nothing of it runs any more."""
    return operation.status in ENDED
