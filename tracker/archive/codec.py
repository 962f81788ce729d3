"""Runs and their steps as rows of short cells, and back; ``outside`` does the same for the rest of an operation.

A cell is ``None`` where the field has its usual value, and rows end at their last other cell. Cells refer to texts
that come again by number. Fields are only ever added at the end of a row: that is what keeps old rows readable.

What puts a kind of value and what takes it stand together, and name its cells in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tracker.archive.packing import end_of, pack_id, pack_run, pack_time, trimmed, unpack_id, unpack_run, unpack_time
from tracker.model import Error, QueuePart, RunPart, Status, StepState, StepStatus, Worker

STATUSES = (Status.COMPLETE, Status.ERROR, Status.CANCELLED, Status.LOST, Status.QUEUED, Status.RUNNING)
"""By their numbers in the archive, which never change."""

STEP_STATUSES = (
    StepStatus.COMPLETE,
    StepStatus.ERROR,
    StepStatus.SKIPPED,
    StepStatus.CANCELLED,
    StepStatus.PENDING,
    StepStatus.RUNNING,
)
"""The same, for steps."""

NUMBER_OF_STATUS = {status: number for number, status in enumerate(STATUSES)}
NUMBER_OF_STEP_STATUS = {status: number for number, status in enumerate(STEP_STATUSES)}

NUMBERED_STEPS = 100
"""Steps of a run whose names get a number; where there are more, names seldom come again."""

NOTHING = (None,) * 20
"""More cells than any row has."""

Cell = Any
Number = int | str
"""Stands for a text: its number, or the text itself."""


@dataclass(slots=True)
class Book:
    """What cells are written and read with: numbers of texts, and what rows of one operation share."""

    number_of: Callable[[str], Number] = str
    known_number_of: Callable[[str], Number] = str
    text_of: Callable[[Number], str] = str
    queue: QueuePart | None = None
    parent: str = ""


def filled(row: Sequence[Cell], count: int) -> list[Cell]:
    """``count`` cells: with those missing at the end of ``row``, and without those that a newer version has added."""
    return [*row, *NOTHING][:count]


def put_error(error: Error, book: Book) -> Cell:
    """Traceback and log are large, and kept elsewhere."""
    return [book.number_of(error.type), error.message, error.path, error.step]


def take_error(cell: Cell, book: Book) -> Error:
    """The error that was put."""
    type, message, path, step = cell
    return Error(book.text_of(type), message, path, step=step)


def put_labels(labels: dict[str, str], book: Book) -> Cell:
    """Values seldom come again in other operations."""
    return {book.number_of(key): value for key, value in labels.items()}


def take_labels(cell: Cell, book: Book) -> dict[str, str]:
    """The labels that were put."""
    return {book.text_of(key): value for key, value in cell.items()}


def put_parent(parent: str, book: Book) -> Cell:
    """Mostly that of the operation, which has a column of its own."""
    return True if parent == book.parent else pack_id(parent)


def take_parent(cell: Cell, book: Book) -> str:
    """The parent's id that was put."""
    return book.parent if cell is True else unpack_id(cell)


def _put_worker(worker: Worker, book: Book) -> Cell:
    return [book.number_of(worker.host), worker.pid, *([book.number_of(worker.queue)] if worker.queue else [])]


def _take_worker(cell: Cell, book: Book) -> Worker:
    host, pid, *queue = cell
    return Worker(book.text_of(host), pid, book.text_of(queue[0]) if queue else "")


def _put_run_labels(labels: dict[str, str], book: Book) -> Cell:
    return True if book.queue is not None and labels == book.queue.labels else put_labels(labels, book)


def _take_run_labels(cell: Cell, book: Book) -> dict[str, str]:
    if cell is True:
        return dict(book.queue.labels) if book.queue is not None else {}
    return take_labels(cell, book)


def _put_run_title(title: str, book: Book) -> Cell:
    # Often the name once more, or what the queue part says already; a number of its own would be wasted on others.
    return True if book.queue is not None and title == book.queue.title else book.known_number_of(title)


def _take_run_title(cell: Cell, book: Book) -> str:
    if cell is True:
        return book.queue.title if book.queue is not None else ""
    return book.text_of(cell)


def put_run(run: RunPart, book: Book) -> list[Cell]:
    """A run's head; its times are counted from its end, except that it is usually made when it starts."""
    number_of, start = book.number_of, run.started
    base = end_of(start, run.duration, 0.0)
    return trimmed(
        [
            pack_run(run.run) if run.run else None,
            start,
            run.duration,
            pack_time(run.ended, base) if run.ended is not None else None,
            number_of(run.name) if run.name else None,
            _put_run_title(run.title, book) if run.title else None,
            run.total,
            _put_worker(run.worker, book) if run.worker is not None else None,
            pack_time(run.created, start) if run.created != start else None,
            NUMBER_OF_STATUS[run.status] or None,
            _put_run_labels(run.labels, book) if run.labels else None,
            put_parent(run.parent, book) if run.parent else None,
            number_of(run.release) if run.release else None,
            number_of(run.app) if run.app else None,
            run.warned or None,
            put_error(run.error, book) if run.error is not None else None,
            pack_time(run.next_at, base) if run.next_at is not None else None,
        ]
    )


def take_run(row: Sequence[Cell], book: Book) -> RunPart:
    """The run's head."""
    run, start, duration, ended, name, title, total, worker, *more = filled(row, 17)
    created, status, labels, parent, release, app, warned, error, next_at = more
    start = float(start)  # Every run has one: a row without it is damaged.
    text_of, base = book.text_of, end_of(start, duration, 0.0)
    return RunPart(
        unpack_run(run) if run is not None else "",
        text_of(name) if name is not None else "",
        _take_run_title(title, book) if title is not None else "",
        unpack_time(created, start) if created is not None else start,
        start,
        STATUSES[status or 0],
        total,
        unpack_time(ended, base) if ended is not None else None,
        duration,
        _take_worker(worker, book) if worker is not None else None,
        take_parent(parent, book) if parent is not None else "",
        _take_run_labels(labels, book) if labels is not None else {},
        take_error(error, book) if error is not None else None,
        unpack_time(next_at, base) if next_at is not None else None,
        text_of(release) if release is not None else "",
        text_of(app) if app is not None else "",
        warned or 0,
    )


def put_steps(steps: Sequence[StepState], start: float, book: Book) -> list[Cell]:
    """Steps in a row; a number in front of one is its index, where that does not follow from the one before.

    The first begins about at ``start``, each of the others when the one before has ended.
    """
    cells: list[Cell] = []
    base, following = start, 1
    for position, step in enumerate(steps):
        if position == NUMBERED_STEPS:
            book = replace(book, number_of=str)
        if step.index != following:
            cells.append(step.index)
        cells.append(_put_step(step, base, book))
        base, following = end_of(step.started, step.duration, base), step.index + 1
    return cells


def take_steps(cells: Sequence[Cell], start: float, book: Book) -> list[StepState]:
    """The steps that were put."""
    steps: list[StepState] = []
    base, index = start, 1
    for cell in cells:
        if isinstance(cell, int):
            index = cell
            continue
        step = _take_step(index, cell, base, book)
        steps.append(step)
        base, index = end_of(step.started, step.duration, base), index + 1
    return steps


def _put_step(step: StepState, base: float, book: Book) -> list[Cell]:
    return trimmed(
        [
            book.number_of(step.name) if step.name else None,
            pack_time(step.started, base) if step.started is not None else None,
            step.duration,
            step.current,
            step.total,
            book.number_of(step.unit) if step.unit else None,
            NUMBER_OF_STEP_STATUS[step.status] or None,
            step.detail or None,
            step.error or None,
            step.warn_after,
            step.warned or None,
            step.warning or None,
            step.reused or None,
        ]
    )


def _take_step(index: int, row: Sequence[Cell], base: float, book: Book) -> StepState:
    name, started, duration, current, total, unit, status, *more = filled(row, 13)
    detail, error, warn_after, warned, warning, reused = more
    return StepState(
        index,
        book.text_of(name) if name is not None else "",
        STEP_STATUSES[status or 0],
        unpack_time(started, base) if started is not None else None,
        duration,
        current,
        total,
        book.text_of(unit) if unit is not None else "",
        detail or "",
        error or "",
        warn_after,
        warned or 0,
        warning or "",
        reused or False,
    )
