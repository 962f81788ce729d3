"""One operation as the rows that hold it, and back."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

import msgspec

from tracker.archive.codec import NUMBER_OF_STATUS, Book, Number, put_run, put_steps, take_run, take_steps
from tracker.archive.merging import runs_of
from tracker.archive.outside import Outside, put_outside, take_outside
from tracker.archive.packing import pack, pack_id, trimmed, unpack, unpack_id
from tracker.archive.tables import AttemptRow, ExtraRow, OperationRow
from tracker.archive.texts import Numbering
from tracker.compose import compose
from tracker.model import Error, LogLine, Operation, Parts, QueuePart, RunPart, StepState, Verdict
from tracker.record import Attempt, Record

Judged = TypeVar("Judged", RunPart, Verdict | None)

_by_index = attrgetter("index")

OPERATION = 0
"""The number under which ``extras`` holds what belongs to the operation and not to one of its runs."""


class Rows(NamedTuple):
    """The rows of one operation, by table, and what they were made from."""

    operation: OperationRow
    attempts: list[AttemptRow]
    extras: list[ExtraRow]
    shown: Operation
    """The operation as people see it, without its steps."""


class Details(NamedTuple):
    """What is large, and wanted even in lists: arguments as JSON, and what an error left behind.

    Of an earlier run also what was judged of it, as JSON.
    """

    args: str | None = None
    traceback: str = ""
    log: Sequence[str] = ()
    verdict: str | None = None


NO_DETAILS = Details()


def rows_of(record: Record, op: int, namespace: int, number_of: Numbering) -> Rows:
    """The rows of a record; ``op`` is to be the operation's number."""
    parts = record.parts
    shown = compose(parts, steps=False)
    book = Book(number_of, number_of.known, queue=parts.queue, parent=shown.parent)
    runs = runs_of(record)
    newest = runs[-1] if parts.run else None
    outside = put_outside(Outside(parts.queue, parts.verdict, parts.children, parts.cancel), book)
    operation = OperationRow(
        op,
        namespace,
        pack_id(parts.id),
        pack_id(shown.parent) if shown.parent else None,
        NUMBER_OF_STATUS[shown.status],
        number_of.of_name(shown.name),
        _score(parts, shown),
        float(math.ceil(shown.ended)) if shown.ended is not None else None,
        parts.rev,
        newest.number if newest else _after(runs),
        pack(outside) if outside else None,
    )
    current = shown.step.index if shown.step else None
    attempts = [_attempt_row(op, run, book, current if run is newest else None) for run in runs]
    return Rows(operation, attempts, _extra_rows(op, record, runs), shown)


def _after(runs: list[Attempt]) -> int:
    """The number of the attempt that an operation waited for after its ``runs``: no row has it. Without runs 0."""
    return runs[-1].number + 1 if runs else 0


def _score(parts: Parts, shown: Operation) -> float:
    """The place in its list: of queued children their index, of all others the time of their making."""
    index = parts.queue.index if parts.queue and shown.parent else 0
    return float(index) if index else shown.created


def _attempt_row(op: int, attempt: Attempt, book: Book, current: int | None) -> AttemptRow:
    head = put_run(attempt.run, book)
    shown = [step for step in attempt.steps if step.index == current]
    others = [step for step in attempt.steps if step.index != current]
    return AttemptRow(
        op,
        attempt.number,
        pack(head),
        pack(put_steps(shown, attempt.run.started, book)) if shown else None,
        pack(put_steps(others, attempt.run.started, book)) if others else None,
    )


def _extra_rows(op: int, record: Record, runs: list[Attempt]) -> list[ExtraRow]:
    queue, verdict = record.parts.queue, record.parts.verdict
    details = {run.number: _put_details(None, run.run.error) for run in runs}
    details |= {run.number: _put_details(None, run.run.error, run.verdict) for run in record.earlier}
    details[OPERATION] = _put_details(queue.args if queue else None, verdict.error if verdict else None)
    lines: dict[int, list[Any]] = {}
    for line in record.logs:
        lines.setdefault(line.attempt, []).append([line.number, line.ts, line.text, line.step, line.level])
    results = {OPERATION: record.results} if record.results else {}
    told = {number for number, cells in details.items() if cells}
    return [
        ExtraRow(
            op,
            number,
            pack(details[number]) if number in told else None,
            pack(lines[number]) if number in lines else None,
            pack(results[number]) if number in results else None,
        )
        for number in sorted(told | lines.keys() | results.keys())
    ]


def _put_details(args: dict[str, Any] | None, error: Error | None, verdict: Verdict | None = None) -> list[Any]:
    if args is None and error is None and verdict is None:
        return []
    # Arguments are JSON, whose numbers know no limits; msgpack's do.
    given = msgspec.json.encode(args).decode() if args is not None else None
    judged = msgspec.json.encode(verdict).decode() if verdict is not None else None
    left = [(error.traceback or None) if error else None, (error.log or None) if error else None]
    return trimmed([given, *left, judged])


def take_details(blob: bytes | None) -> Details:
    """What the column ``details`` holds."""
    if blob is None:
        return NO_DETAILS
    args, traceback, log, verdict = [*unpack(blob), None, None, None, None][:4]
    return Details(args, traceback or "", log or (), verdict)


def take_logs(number: int, blob: bytes) -> list[LogLine]:
    """What the column ``logs`` holds."""
    return [LogLine(line, ts, text, step, level, number) for line, ts, text, step, level in unpack(blob)]


def take_parts(row: Any, text_of: Callable[[Number], str], details: Mapping[int, Details]) -> Parts:
    """An operation; of the steps those whose columns were read."""
    parent, outside, head, number = row.parent, row.outside, row.head, row.attempt
    book = Book(text_of=text_of, parent=unpack_id(parent) if parent else "")
    queue, verdict, children, cancel = take_outside(unpack(outside) if outside else (), book)
    about = details.get(OPERATION, NO_DETAILS)
    if head is not None:
        book.queue = queue
        attempt = take_attempt(number, row, book, details)
        run, steps = attempt.run, {step.index: step for step in attempt.steps}
    else:
        number, run, steps = max(number - 1, 0), None, {}
    queue, verdict = _with_args(queue, about), _with_error(verdict, about)
    return Parts(unpack_id(row.key), row.rev, number, queue, run, verdict, steps, children, cancel=cancel)


def take_attempt(number: int, row: Any, book: Book, details: Mapping[int, Details]) -> Attempt:
    """A run, from its columns ``head``, ``current`` and ``steps``."""
    run, about = take_run(unpack(row.head), book), details.get(number, NO_DETAILS)
    verdict = msgspec.json.decode(about.verdict, type=Verdict) if about.verdict is not None else None
    return Attempt(number, _with_error(run, about), _steps(row, run.started, book), verdict)


def _steps(row: Any, start: float, book: Book) -> list[StepState]:
    current, others = row.current, row.steps
    steps = take_steps(unpack(current), start, book) if current is not None else []
    if others is None:
        return steps
    return sorted([*steps, *take_steps(unpack(others), start, book)], key=_by_index)


def _with_args(queue: QueuePart | None, details: Details) -> QueuePart | None:
    if queue is None or details.args is None:
        return queue
    return msgspec.structs.replace(queue, args=msgspec.json.decode(details.args))


def _with_error(judged: Judged, details: Details) -> Judged:
    if judged is None or judged.error is None or not (details.traceback or details.log):
        return judged
    error = msgspec.structs.replace(judged.error, traceback=details.traceback, log=list(details.log))
    return msgspec.structs.replace(judged, error=error)
