"""The sentences of a display, as plain text: shared by the live picture and by plain lines.

Pure functions of an operation; knows neither Rich nor symbols' colours.
"""

from __future__ import annotations

from tracker.model import ENDED, Error, Operation, Status, StepState, StepStatus
from tracker.render.symbols import NOT_RUN, UNFINISHED, Symbols

HEADLINES = {
    Status.COMPLETE: "Operation Complete",
    Status.ERROR: "Operation Failed",
    Status.CANCELLED: "Operation Cancelled",
    Status.LOST: "Operation Lost",
}

LEFT_BEHIND = {StepStatus.PENDING: NOT_RUN, StepStatus.RUNNING: UNFINISHED}

FEW = 5
"""Completed steps that are named when the rest did not complete."""

ERROR_SHOWN = 2000
"""Longest error message in a display, in characters."""

ERROR_LINES = 10
"""Lines of an error message in a display; the traceback has them all."""

LOG_SHOWN = 145
"""Longest last log line in a display, in characters: about two lines of a terminal."""


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


def fine_seconds(duration: float | None) -> str:
    """As ``seconds``, with milliseconds for what is short: ``12ms``."""
    if duration is None or duration >= 0.0995:
        return seconds(duration)
    return f"{duration * 1000:.0f}ms" if duration >= 0.0005 else "<1ms"


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


def status_word(status: StepStatus, operation_ended: bool) -> str:
    """The word for a step's status: what an operation has left behind at its end neither waits nor runs."""
    return LEFT_BEHIND.get(status, status) if operation_ended else status


def passed(step: StepState, now: float | None) -> float | None:
    """Seconds the step took, or has been running at ``now`` (UTC seconds; ``None``: nothing runs any more).

    ``None`` before it began, and if nobody knows.
    """
    if step.status is StepStatus.RUNNING and step.started is not None and now is not None:
        return max(0.0, now - step.started)
    return step.duration


def over_time(step: StepState, now: float | None) -> bool:
    """Whether the step takes, or took, longer than the limit it was given."""
    taken = passed(step, now)
    return step.warn_after is not None and taken is not None and taken > step.warn_after


def taken(step: StepState, now: float | None) -> str:
    """How long the step takes or took: ``35.0s``, or ``35.0s, over 30.0s`` beyond its limit."""
    spoken = seconds(passed(step, now))
    return f"{spoken}, over {seconds(step.warn_after)}" if over_time(step, now) else spoken


def warning(step: StepState) -> str:
    """The last warning, and how many there were."""
    return f"warning: {step.warning}" if step.warned == 1 else f"{step.warned} warnings: {step.warning}"


def heartbeat(step: StepState, total: int | None, now: float, symbols: Symbols) -> str:
    """A line for a step that takes long: ``[2/5] Validate ⏳ still running 35.0s, over 30.0s 1,200/5,000 rows``."""
    parts = [label(step.index, total), step.name, symbols.mark(step.status), "still running", taken(step, now)]
    return " ".join(part for part in [*parts, progress(step), step.detail] if part)


def transition(step: StepState, total: int | None, symbols: Symbols) -> str:
    """One line for one change of a step: ``[2/5] Validate ✅ complete 1.2s (2 warnings)``."""
    parts = [label(step.index, total), step.name, symbols.mark(step.status), str(step.status)]
    if step.status is StepStatus.RUNNING:
        parts[-1] += symbols.ellipsis
    parts += [taken(step, None), progress(step)]
    parts += [f"({step.detail})" if step.detail else "", step.error]
    return " ".join(part for part in parts if part)


def headline(operation: Operation, symbols: Symbols) -> str:
    """``✅ Operation Complete`` and the like."""
    return f"{symbols.mark(operation.status)} {HEADLINES.get(operation.status, str(operation.status))}"


def summary(operation: Operation) -> list[str]:
    """What the last panel says of an ended operation, line by line."""
    steps = operation.steps or []
    lines = [] if operation.status is Status.COMPLETE else _place(operation, steps)
    lines += [*_counts(operation, steps), f"Duration: {seconds(operation.duration) or 'unknown'}"]
    if operation.warned:
        lines.append(f"Warnings: {operation.warned}")
    if operation.error is not None and operation.status is not Status.CANCELLED:
        lines += ["", f"Error: {_message(operation)}", *_last_words(operation.error)]
    return lines


def _place(operation: Operation, steps: list[StepState]) -> list[str]:
    """Where it stopped, the whole way there if that leads into other operations, and how far the step had come."""
    verb = {Status.CANCELLED: "Cancelled", Status.LOST: "Lost"}.get(operation.status, "Failed")
    error = operation.error
    where = error.path[-1] if error is not None and len(error.path) > 1 else ""
    step = _stopped(steps, error.step if error is not None else 0, where)
    if step is None:
        return [f"{verb} {where}"] if where else []
    index = label(step.index, total_of(operation)).strip("[]")
    lines = [f"{verb} at step {index}: {step.name}"]
    if error is not None and where not in ("", step.name):
        lines.append(f"Path: {_way(error.path)}")
    return [*lines, f"Last progress: {progress(step)}"] if progress(step) else lines


def _way(path: list[str]) -> str:
    """``Nightly › Import › Parse``; where it happened between steps, that is told after a comma."""
    *above, last = path
    between = last.startswith(("after step ", "before the first step"))
    return " › ".join(above) + (", " if between else " › ") + last


def _stopped(steps: list[StepState], index: int, where: str) -> StepState | None:
    # A step whose process died has said nothing since it began.
    unfinished = (StepStatus.ERROR, StepStatus.CANCELLED, StepStatus.RUNNING)
    stopped = [step for step in steps if step.status in unfinished]
    found = [step for step in stopped if step.index == index] or [step for step in stopped if step.name == where]
    return found[-1] if found else None


def _last_words(error: Error) -> list[str]:
    return ["", "Last log lines:", *(f"  {_bounded(line)}" for line in error.log)] if error.log else []


def _bounded(line: str) -> str:
    return line if len(line) <= LOG_SHOWN else line[:LOG_SHOWN] + "…"


def _counts(operation: Operation, steps: list[StepState]) -> list[str]:
    done = sum(step.status is StepStatus.COMPLETE for step in steps)
    if operation.status is Status.COMPLETE and done == len(steps):
        if not steps or operation.batch:
            return []
        return ["The one step completed" if done == 1 else f"All {done} steps completed"]
    total = total_of(operation)
    counted = f"Completed {done}/{total} steps" if total is not None else f"Completed {done} steps"
    if 0 < done <= FEW and operation.status is not Status.COMPLETE:
        counted += ": " + ", ".join(step.name for step in steps if step.status is StepStatus.COMPLETE)
    others = [
        f"{count} {name}"
        for name, status in (("failed", StepStatus.ERROR), ("skipped", StepStatus.SKIPPED))
        if operation.status is Status.COMPLETE and (count := sum(step.status is status for step in steps))
    ]
    return [", ".join((counted, *others))]


def _message(operation: Operation) -> str:
    error = operation.error
    assert error is not None
    lines = error.message.splitlines()
    message = "\n".join(lines[:ERROR_LINES])[:ERROR_SHOWN]
    said = f"{message} ({error.type})" if message else error.type
    more = len(lines) - ERROR_LINES
    return f"{said}\n… {more} more lines" if more > 1 else "\n".join([said, *lines[ERROR_LINES:]])


def ended(operation: Operation) -> bool:
    """Whether nothing of it runs any more."""
    return operation.status in ENDED
