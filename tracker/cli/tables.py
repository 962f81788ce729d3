"""The shapes in which ``ls``, ``show`` and ``jobs`` are printed, for people and for pipes."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from itertools import pairwise, takewhile
from typing import Any

from tracker.cli.output import Output
from tracker.clock import now
from tracker.model import ENDED, Operation, Status, StepState, StepStatus
from tracker.render.pace import pace_lines
from tracker.render.symbols import NOT_RUN
from tracker.render.texts import seconds
from tracker.render.transitions import attempt_line, counts_line, error_lines, operation_line, step_line, title_of
from tracker.render.words import ago, clean, cleaned, status_words

SHORTEST_ID = 8
"""Fewest characters of an id that a table shows."""


def plain_row(operation: Operation) -> str:
    """Id, status, age, duration, name and title, separated by tabs."""
    fields = [operation.id, status_words(operation), ago(operation.created, now()), seconds(operation.duration)]
    return "\t".join([*fields, clean(operation.name), title_of(operation)])


def print_operations(operations: Sequence[Operation], *, more: bool, output: Output) -> None:
    """A table fitted to the terminal, each id as long as it must be to tell them apart."""
    from rich.text import Text

    from tracker.render.overview import fitted, rows

    console, width = output.console(), shutil.get_terminal_size().columns
    length = id_length([operation.id for operation in operations]) if width >= 40 else 0
    wide = width >= 100
    room = max(1, width - (length + 2 if length else 0) - (12 if wide else 0))
    lines = rows(operations, now=now(), width=room, height=len(operations), symbols=output.symbols())
    for operation, line in zip(operations, lines, strict=True):
        head = Text(f"{operation.id[:length]}  ", "bold") if length else Text()
        age = Text(f"{ago(operation.created, now()):>12}", "dim") if wide else Text()
        console.print(fitted(Text.assemble(head, line, age), width))
    if not operations:
        output.note("no operations")
    if more:
        output.note(f"and more; see them with --limit {len(operations) * 2}")


def id_length(ids: Sequence[str]) -> int:
    """How many characters tell all ``ids`` apart.

    >>> id_length(["0197aaaa-1", "0197aaaa-2"])
    10
    """
    return max([SHORTEST_ID, *(_same(one, other) + 1 for one, other in pairwise(sorted(ids)))])


def _same(one: str, other: str) -> int:
    """How many characters two texts have in common at their beginning."""
    differing = (place for place, (left, right) in enumerate(zip(one, other, strict=False)) if left != right)
    return next(differing, min(len(one), len(other)))


def print_operation(
    operation: Operation, attempts: Sequence[Operation], failed: Sequence[Operation], output: Output
) -> None:
    """An operation on a terminal, as the live view shows it at its end, after its earlier attempts."""
    from rich.text import Text

    from tracker.render.operation import render_operation

    console = output.console()
    for line in facts(operation, attempts):
        console.print(Text(line, "dim"), overflow="ellipsis", no_wrap=True)
    console.print(render_operation(cleaned(operation), now(), symbols=output.symbols()))
    for line in [*pace_lines(operation, now()), *_children(operation, failed)]:
        console.print(Text(line))


def plain_operation(operation: Operation, attempts: Sequence[Operation], failed: Sequence[Operation]) -> list[str]:
    """An operation as plain lines, with one for each earlier attempt."""
    total = operation.step.total if operation.step else None
    steps = [f"  {_step(operation, step, total)}" for step in operation.steps or ()]
    # Where an operation was when somebody ended it, its steps say.
    error = operation.error if operation.status is not Status.CANCELLED else None
    trace = clean_lines(error.traceback) if error else []
    pace = pace_lines(operation, now())
    return [
        operation_line(operation),
        *facts(operation, attempts),
        *steps,
        *pace,
        *trace,
        *_children(operation, failed),
    ]


def _step(operation: Operation, step: StepState, total: int | None) -> str:
    """What will not be run any more does not wait."""
    said = step_line(step, total)
    not_run = operation.status in ENDED and step.status is StepStatus.PENDING
    return f"{said.removesuffix(step.status)}{NOT_RUN}" if not_run else said


def facts(operation: Operation, attempts: Sequence[Operation]) -> list[str]:
    """What else is known of an operation, with a line for each of its ``attempts`` before the one that is shown."""
    earlier = takewhile(lambda attempt: attempt.run != operation.run, attempts)
    found = {
        "id": operation.id,
        "name": operation.name,
        "attempt": str(operation.attempt) if len(attempts) > 1 else "",
        "labels": " ".join(f"{key}={value}" for key, value in operation.labels.items()),
        "worker": f"{operation.worker.host}, process {operation.worker.pid}" if operation.worker else "",
        "parent": operation.parent,
        "created": ago(operation.created, now()),
    }
    named = [f"  {name:<8} {clean(value)}" for name, value in found.items() if value]
    return named + [f"  {attempt_line(attempt)}" for attempt in earlier]


def clean_lines(text: str) -> list[str]:
    """Text of several lines, each cleaned and indented."""
    return [f"    {clean(line)}" for line in text.splitlines()]


def job_row(name: str, schema: dict[str, Any], workers: int, description: str) -> str:
    """``files.process  path (string)  2 workers  …``; optional arguments stand in brackets."""
    required = schema.get("required", [])
    arguments = [f"{clean(key)}" if key in required else f"[{clean(key)}]" for key in schema.get("properties", {})]
    live = "no live worker" if workers == 0 else f"{workers} worker{'s' if workers > 1 else ''}"
    return "\t".join([clean(name), " ".join(arguments) or "-", live, clean(description)]).rstrip()


def _children(operation: Operation, failed: Sequence[Operation]) -> list[str]:
    if not operation.children.total:
        return []
    return [f"  {counts_line(operation)}", *error_lines(operation, failed)]
