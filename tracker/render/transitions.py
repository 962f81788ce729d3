"""Changes as one plain line each, for pipes and logs; without time stamps, colours or cursor movements.

Pure functions of state.
"""

from __future__ import annotations

from collections.abc import Sequence

from tracker.model import ENDED, STEP_ENDED, LogLine, Operation, Status, StepState
from tracker.render.texts import label, over_time, seconds, status_word
from tracker.render.words import clean, progress_words, status_words

FAILURES = 10
"""Most failed children that are named at the end."""


def operation_line(operation: Operation) -> str:
    """``Process notes.txt: error after 2.2s at "Check encoding": UnicodeDecodeError: …``."""
    line = f"{title_of(operation)}: {_outcome(operation)}"
    if operation.status not in ENDED:
        line += f" (attempt {operation.attempt})" if operation.attempt > 1 else ""
    return line


def attempt_line(attempt: Operation) -> str:
    """``attempt 1: error after 2.2s at "Check encoding": UnicodeDecodeError: …``."""
    asked = attempt.status is Status.QUEUED
    again = f"asked to be run again{_after(False, attempt.duration)}{error_words(attempt)}"
    said = again if asked else _outcome(attempt)
    return f"attempt {attempt.attempt}: {said}"


def _outcome(operation: Operation) -> str:
    """How it stands, or how it ended and why."""
    words = status_words(operation) + _after(operation.status is Status.COMPLETE, operation.duration)
    if operation.children.total and operation.status in ENDED:
        words += f", {counts_words(operation)}"
    why = error_words(operation)
    return f"{words} (failed{why})" if why and operation.status is Status.QUEUED else words + why


def error_words(operation: Operation) -> str:
    """Where and why it failed, empty if it did not."""
    if operation.error is None:
        return ""
    at = f' at "{clean(operation.error.path[-1])}"' if len(operation.error.path) > 1 else ""
    return f"{at}: {clean(operation.error.type)}: {clean(operation.error.message)}"


def step_line(step: StepState, total: int | None, title: str = "", usually: str = "", *, ended: bool = False) -> str:
    """``[2/4] Check encoding: complete in 0.3s``; ``usually`` says what it takes otherwise.

    ``ended``: whether its operation has.
    """
    line = f"{clean(title)}  " if title else ""
    line += f"{label(step.index, total)} {clean(step.name)}: {status_word(step.status, ended)}"
    if step.status in STEP_ENDED:
        line += _after(not step.error, step.duration)
        line += f", over {seconds(step.warn_after)}" if over_time(step, None) else ""
        line += f", {usually}" if usually and step.duration is not None else ""
    said = step.error or step.detail
    return f"{line}: {clean(said)}" if said else line


def log_line(log: LogLine) -> str:
    """``| reading orders.csv``, or ``| warning: no such field``."""
    return f"| {'warning: ' if log.level else ''}{clean(log.text)}"


def progress_line(operation: Operation) -> str:
    """Where a running operation stands, empty if it has not begun a step."""
    step = operation.step
    if step is None:
        return ""
    progress = progress_words(step.current, step.of, step.unit)
    return f"{label(step.index, step.total)} {clean(step.name)} {progress}".rstrip()


def counts_line(operation: Operation) -> str:
    """``Batch of 50: 48 of 50 ended (46 complete, 2 error)``."""
    children = operation.children
    return f"{title_of(operation)}: {children.ended} of {children.total} ended ({counts_words(operation)})"


def counts_words(operation: Operation) -> str:
    """``46 complete, 2 error``: how many children stand where, those that are."""
    counts = [(getattr(operation.children, status.value), status) for status in Status]
    return ", ".join(f"{number} {status}" for number, status in counts if number)


def error_lines(operation: Operation, failed: Sequence[Operation]) -> list[str]:
    """The failures of a batch once more, at its end, where they are found."""
    shown = failed[:FAILURES]
    rest = operation.children.failed - len(shown)
    lines = [f"  {title_of(child)}: {child.status}{error_words(child)}" for child in shown]
    return [*lines, f"  and {rest} more"] if shown and rest > 0 else lines


def title_of(operation: Operation) -> str:
    """What people call the operation, cleaned."""
    return clean(operation.title or operation.name or operation.id)


def _after(good: bool, duration: float | None) -> str:
    if duration is None:
        return ""
    return f" {'in' if good else 'after'} {seconds(duration)}"
