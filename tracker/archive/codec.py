"""Each value of the model as a row of short cells, and back.

A cell is ``None`` where the field has its usual value, and rows end at their last other cell. Cells refer to texts
that come again by number. Fields are only ever added at the end of a row: that is what keeps old rows readable.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple

from tracker.archive.packing import end_of, pack_id, pack_run, pack_time, trimmed, unpack_id, unpack_run, unpack_time
from tracker.model import (
    Again,
    CancelRequest,
    Children,
    Error,
    QueuePart,
    RunPart,
    Status,
    StepState,
    StepStatus,
    Verdict,
    Worker,
)

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

NUMBERED_STEPS = 100
"""Steps of a run whose names get a number; where there are more, names seldom come again."""

Cell = Any
Number = int | str
"""Stands for a text: its number, or the text itself."""


@dataclass(slots=True)
class Book:
    """What cells are written and read with: numbers of texts, and what rows of one operation share."""

    number_of: Callable[[str], Number] = str
    known_number_of: Callable[[str], Number] = str
    text_of: Callable[[Number], str] = str
    start: float = 0.0
    base: float = 0.0
    queue: QueuePart | None = None
    parent: str = ""


class Field(NamedTuple):
    """One field of a value: its usual value, and how others are put into a cell and taken out of it."""

    name: str
    usual: Any
    put: Callable[[Any, Book], Cell]
    take: Callable[[Cell, Book], Any]


class Fields:
    """The fields of a kind of value, in the order of their cells."""

    def __init__(self, *fields: Field) -> None:
        self.fields = fields
        self.values_of = attrgetter(*(field.name for field in fields))
        # The model's own usual values need not be given, and those that can be changed must not be shared.
        self.usual = {field.name: field.usual for field in fields if not isinstance(field.usual, dict | list)}


def _as_is(value: Any, book: Book) -> Any:
    return value


def plain(name: str, usual: Any = None) -> Field:
    """A field whose value is its cell."""
    return Field(name, usual, _as_is, _as_is)


def text(name: str) -> Field:
    """A text that comes again in other operations."""
    return Field(name, "", lambda value, book: book.number_of(value), lambda cell, book: book.text_of(cell))


def time(name: str) -> Field:
    """UTC seconds, counted from the book's base."""
    return Field(
        name,
        None,
        lambda value, book: pack_time(value, book.base),
        lambda cell, book: unpack_time(cell, book.base),
    )


def row_of(fields: Fields, value: Any, book: Book) -> list[Cell]:
    """The cells of a value, without what is missing at their end."""
    row: list[Cell] = []
    size = 0
    for held, (_, usual, put, _) in zip(fields.values_of(value), fields.fields, strict=True):
        cell = None if held == usual else held if put is _as_is else put(held, book)
        row.append(cell)
        if cell is not None:
            size = len(row)
    del row[size:]
    return row


def taken(fields: Fields, row: Sequence[Cell], book: Book) -> dict[str, Any]:
    """The fields of a value, by name; cells that a newer version has added are left alone."""
    found = fields.usual.copy()
    for (name, _, _, take), cell in zip(fields.fields, row, strict=False):
        if cell is not None:
            found[name] = cell if take is _as_is else take(cell, book)
    return found


def _put_worker(worker: Worker, book: Book) -> Cell:
    return [book.number_of(worker.host), worker.pid, *([book.number_of(worker.queue)] if worker.queue else [])]


def _take_worker(cell: Cell, book: Book) -> Worker:
    host, pid, *queue = cell
    return Worker(book.text_of(host), pid, book.text_of(queue[0]) if queue else "")


def _put_error(error: Error, book: Book) -> Cell:
    # Traceback and log are large, and kept elsewhere.
    return [book.number_of(error.type), error.message, error.path, error.step]


def _take_error(cell: Cell, book: Book) -> Error:
    type, message, path, step = cell
    return Error(book.text_of(type), message, path, step=step)


def _put_labels(labels: dict[str, str], book: Book) -> Cell:
    if book.queue is not None and labels == book.queue.labels:
        return True
    return {book.number_of(key): value for key, value in labels.items()}


def _take_labels(cell: Cell, book: Book) -> dict[str, str]:
    if cell is True:
        return dict(book.queue.labels) if book.queue else {}
    return {book.text_of(key): value for key, value in cell.items()}


def _put_title(title: str, book: Book) -> Cell:
    # Often the name once more, or what the queue part says already; a number of its own would be wasted on others.
    return True if book.queue is not None and title == book.queue.title else book.known_number_of(title)


def _take_title(cell: Cell, book: Book) -> str:
    if cell is True:
        return book.queue.title if book.queue else ""
    return book.text_of(cell)


def _put_parent(parent: str, book: Book) -> Cell:
    return True if parent == book.parent else pack_id(parent)


def _take_parent(cell: Cell, book: Book) -> str:
    return book.parent if cell is True else unpack_id(cell)


ERROR = Field("error", None, _put_error, _take_error)
LABELS = Field("labels", {}, _put_labels, _take_labels)
CREATED = Field(
    "created",
    None,
    lambda value, book: None if value == book.start else pack_time(value, book.start),
    lambda cell, book: unpack_time(cell, book.start),
)
TITLE = Field("title", "", _put_title, _take_title)
PARENT = Field("parent", "", _put_parent, _take_parent)
STATUS = Field("status", Status.COMPLETE, lambda value, book: STATUSES.index(value), lambda cell, book: STATUSES[cell])
STEP_STATUS = Field(
    "status",
    StepStatus.COMPLETE,
    lambda value, book: STEP_STATUSES.index(value),
    lambda cell, book: STEP_STATUSES[cell],
)

RUN_FIELDS = Fields(
    Field("run", "", lambda value, book: pack_run(value), lambda cell, book: unpack_run(cell)),
    plain("started"),
    plain("duration"),
    time("ended"),
    text("name"),
    TITLE,
    plain("total"),
    Field("worker", None, _put_worker, _take_worker),
    CREATED,
    STATUS,
    LABELS,
    PARENT,
    text("release"),
    text("app"),
    plain("warned", 0),
    ERROR,
    time("next_at"),
)
STEP_FIELDS = Fields(
    text("name"),
    time("started"),
    plain("duration"),
    plain("current"),
    plain("total"),
    text("unit"),
    STEP_STATUS,
    plain("detail", ""),
    plain("error", ""),
    plain("warn_after"),
    plain("warned", 0),
    plain("warning", ""),
    plain("reused", False),
)
AGAIN_FIELDS = Fields(
    text("by"),
    plain("at"),
    plain("task", ""),
    Field("run", "", lambda value, book: pack_run(value), lambda cell, book: unpack_run(cell)),
    plain("resumes", False),
)
QUEUE_FIELDS = Fields(
    plain("created"),
    text("name"),
    Field("title", "", lambda value, book: book.known_number_of(value), lambda cell, book: book.text_of(cell)),
    text("queue"),
    plain("index", 0),
    PARENT,
    plain("batch", False),
    Field("labels", {}, lambda value, book: {book.number_of(k): v for k, v in value.items()}, _take_labels),
    plain("eta"),
    plain("whole", False),
    Field("again", None, partial(row_of, AGAIN_FIELDS), lambda cell, book: Again(**taken(AGAIN_FIELDS, cell, book))),
)
VERDICT_FIELDS = Fields(
    STATUS,
    plain("at"),
    text("by"),
    Field("run", "", lambda value, book: pack_run(value), lambda cell, book: unpack_run(cell)),
    plain("reason", ""),
    ERROR,
    plain("flags", []),
)
CANCEL_FIELDS = Fields(
    text("by"),
    plain("at"),
    Field("run", "", lambda value, book: pack_run(value), lambda cell, book: unpack_run(cell)),
)
CHILDREN_FIELDS = Fields(*(plain(name, 0) for name in Children.__struct_fields__))


def put_run(run: RunPart, book: Book) -> list[Cell]:
    """A run's head; its times are counted from its end, except that it is usually made when it starts."""
    book.start = run.started
    book.base = end_of(run.started, run.duration, 0.0)
    return row_of(RUN_FIELDS, run, book)


def take_run(row: Sequence[Cell], book: Book) -> RunPart:
    """The run's head."""
    started, duration = [*row, None, None][1:3]
    book.start = started
    book.base = end_of(started, duration, 0.0)
    fields = taken(RUN_FIELDS, row, book)
    if fields["created"] is None:
        fields["created"] = started
    return RunPart(**fields)


def put_steps(steps: Sequence[StepState], start: float, book: Book) -> list[Cell]:
    """Steps in a row; a number in front of one is its index, where that does not follow from the one before.

    The first begins about at ``start``, each of the others when the one before has ended.
    """
    cells: list[Cell] = []
    book.base, following = start, 1
    for position, step in enumerate(steps):
        if position == NUMBERED_STEPS:
            book = replace(book, number_of=str)
        if step.index != following:
            cells.append(step.index)
        cells.append(row_of(STEP_FIELDS, step, book))
        book.base, following = end_of(step.started, step.duration, book.base), step.index + 1
    return cells


def take_steps(cells: Sequence[Cell], start: float, book: Book) -> list[StepState]:
    """The steps that were put."""
    steps: list[StepState] = []
    book.base, index = start, 1
    for cell in cells:
        if isinstance(cell, int):
            index = cell
            continue
        step = StepState(index, **taken(STEP_FIELDS, cell, book))
        steps.append(step)
        book.base, index = end_of(step.started, step.duration, book.base), index + 1
    return steps


class Outside(NamedTuple):
    """What is said of an operation from outside of its runs."""

    queue: QueuePart | None
    verdict: Verdict | None
    children: Children
    cancel: CancelRequest | None


def put_outside(outside: Outside, book: Book) -> list[Cell]:
    """The queue part goes without its arguments."""
    queue, verdict, children, cancel = outside
    return trimmed(
        [
            row_of(QUEUE_FIELDS, queue, book) if queue else None,
            row_of(VERDICT_FIELDS, verdict, book) if verdict else None,
            row_of(CHILDREN_FIELDS, children, book) or None,
            row_of(CANCEL_FIELDS, cancel, book) if cancel else None,
        ]
    )


def take_outside(cells: Sequence[Cell], book: Book) -> Outside:
    """What was put."""
    queue, verdict, counts, cancel = [*cells, None, None, None, None][:4]
    return Outside(
        QueuePart(**taken(QUEUE_FIELDS, queue, book)) if queue is not None else None,
        Verdict(**taken(VERDICT_FIELDS, verdict, book)) if verdict is not None else None,
        Children(**taken(CHILDREN_FIELDS, counts, book)) if counts is not None else Children(),
        CancelRequest(**taken(CANCEL_FIELDS, cancel, book)) if cancel is not None else None,
    )
