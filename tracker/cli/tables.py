"""The shapes in which ``ls`` and ``show`` are printed, for people and for pipes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, takewhile
from typing import TYPE_CHECKING

from tracker.cli.output import Output
from tracker.cli.source.paging import failed_children
from tracker.clock import now
from tracker.model import ENDED, Operation, Status
from tracker.render.pace import pace_lines
from tracker.render.texts import seconds
from tracker.render.transitions import (
    FAILURES,
    attempt_line,
    counts_line,
    error_lines,
    operation_line,
    step_line,
    title_of,
)
from tracker.render.usual import Usual, usually
from tracker.render.words import ago, clean, cleaned, span, status_words

if TYPE_CHECKING:
    from tracker.cli.source import Source
    from tracker.history.failures import FailureGroup

SHORTEST_ID = 8
"""Fewest characters of an id that a table shows."""


def plain_row(operation: Operation) -> str:
    """Id, status, age, duration, name and title, separated by tabs."""
    fields = [operation.id, status_words(operation), ago(operation.created, now()), seconds(operation.duration)]
    return "\t".join([*fields, clean(operation.name), title_of(operation)])


def print_operations(operations: Sequence[Operation], output: Output) -> None:
    """A table fitted to the terminal, each id as long as it must be to tell them apart."""
    from tracker.render.overview import NARROW, status_mark, took, where
    from tracker.render.pieces import Line
    from tracker.render.table import Cell, Cells, Column

    length, symbols, at = id_length([operation.id for operation in operations]), output.symbols(), now()
    named = output.width >= NARROW
    columns = (
        Column("id", 5),
        Column("status" if named else "", 9),
        Column("title", 10, least=8),
        Column("where", 4, least=14),
        Column("took", 3, right=True),
        Column("age", 2, right=True),
    )
    rows: list[Cells] = []
    for operation in operations:
        status = Cell(*status_mark(operation.status, symbols=symbols, word=named))
        head = (Cell(operation.id[:length], "bold"), status, title_of(operation), Line(where(operation)))
        rows.append([*head, took(operation, at), Cell(span(at - operation.created), "dim")])
    output.table(columns, rows)


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
    operation: Operation, attempts: Sequence[Operation], below: Sequence[str], usual: Usual, output: Output
) -> None:
    """An operation on a terminal, as the live view shows it at its end, between its earlier attempts and ``below``."""
    from rich.text import Text

    from tracker.render.operation import render_operation

    console = output.console()
    for line in facts(operation, attempts):
        console.print(Text(line, "dim"), overflow="ellipsis", no_wrap=True)
    console.print(render_operation(cleaned(operation), now(), symbols=output.symbols(), usual=usual))
    for line in [*pace_lines(operation, now()), *below]:
        console.print(Text(line))


def plain_operation(
    operation: Operation, attempts: Sequence[Operation], below: Sequence[str], usual: Usual
) -> list[str]:
    """An operation as plain lines, with one for each earlier attempt."""
    total = operation.step.total if operation.step else None
    ended = operation.status in ENDED
    steps = [
        f"  {step_line(step, total, usually=usually(usual.get(step.name), step.duration), ended=ended)}"
        for step in operation.steps or ()
    ]
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
        *below,
    ]


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


def children_lines(operation: Operation, source: Source) -> list[str]:
    """How many children stand where, and the failed ones; of many, why they failed, each reason once."""
    children = operation.children
    if not children.total:
        return []
    if children.failed > FAILURES:
        found = source.failures(operation.id)
        return [f"  {counts_line(operation)}", *map(group_line, found.items[:FAILURES])]
    failed = list(failed_children(source, operation))
    return [f"  {counts_line(operation)}", *error_lines(operation, failed)]


def group_line(group: FailureGroup) -> str:
    """``18 × at "Check encoding": NotText: …, as 0197…``: children that failed alike, and one of them."""
    at = f' at "{clean(group.step)}"' if group.step else ""
    said = f": {clean(group.message)}" if group.message else ""
    example = f", as {clean(group.examples[0])}" if group.examples else ""
    return f"  {group.count:,} ×{at}: {clean(group.type)}{said}{example}"
