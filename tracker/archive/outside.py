"""What is said of an operation from outside of its runs as rows of short cells, and back; see ``codec``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from tracker.archive.codec import (
    NUMBER_OF_STATUS,
    STATUSES,
    Book,
    Cell,
    filled,
    put_error,
    put_labels,
    put_parent,
    take_error,
    take_labels,
    take_parent,
)
from tracker.archive.packing import pack_run, trimmed, unpack_run
from tracker.model import Again, CancelRequest, Children, QueuePart, Verdict

NO_CHILDREN = Children()


class Outside(NamedTuple):
    """What is said of an operation from outside of its runs."""

    queue: QueuePart | None
    verdict: Verdict | None
    children: Children
    cancel: CancelRequest | None


NOTHING_OUTSIDE = Outside(None, None, NO_CHILDREN, None)


def put_outside(outside: Outside, book: Book) -> list[Cell]:
    """The queue part goes without its arguments."""
    queue, verdict, children, cancel = outside
    return trimmed(
        [
            _put_queue(queue, book) if queue is not None else None,
            _put_verdict(verdict, book) if verdict is not None else None,
            _put_children(children) if children != NO_CHILDREN else None,
            _put_cancel(cancel, book) if cancel is not None else None,
        ]
    )


def take_outside(cells: Sequence[Cell], book: Book) -> Outside:
    """What was put."""
    if not cells:
        return NOTHING_OUTSIDE
    queue, verdict, children, cancel = filled(cells, 4)
    return Outside(
        _take_queue(queue, book) if queue is not None else None,
        _take_verdict(verdict, book) if verdict is not None else None,
        _take_children(children) if children is not None else NO_CHILDREN,
        _take_cancel(cancel, book) if cancel is not None else None,
    )


def _put_queue(queue: QueuePart, book: Book) -> list[Cell]:
    return trimmed(
        [
            queue.created,
            book.number_of(queue.name) if queue.name else None,
            book.known_number_of(queue.title) if queue.title else None,
            book.number_of(queue.queue) if queue.queue else None,
            queue.index or None,
            put_parent(queue.parent, book) if queue.parent else None,
            queue.batch or None,
            put_labels(queue.labels, book) if queue.labels else None,
            queue.eta,
            queue.whole or None,
            _put_again(queue.again, book) if queue.again is not None else None,
        ]
    )


def _take_queue(row: Sequence[Cell], book: Book) -> QueuePart:
    created, name, title, queue, index, parent, batch, labels, eta, whole, again = filled(row, 11)
    return QueuePart(
        book.text_of(name) if name is not None else "",
        created,
        book.text_of(title) if title is not None else "",
        book.text_of(queue) if queue is not None else "",
        eta,
        take_parent(parent, book) if parent is not None else "",
        batch or False,
        index or 0,
        None,
        take_labels(labels, book) if labels is not None else {},
        whole or False,
        _take_again(again, book) if again is not None else None,
    )


def _put_again(again: Again, book: Book) -> list[Cell]:
    return trimmed(
        [
            book.number_of(again.by) if again.by else None,
            again.at,
            again.task or None,
            pack_run(again.run) if again.run else None,
            again.resumes or None,
        ]
    )


def _take_again(row: Sequence[Cell], book: Book) -> Again:
    by, at, task, run, resumes = filled(row, 5)
    return Again(
        book.text_of(by) if by is not None else "",
        at,
        task or "",
        unpack_run(run) if run is not None else "",
        resumes or False,
    )


def _put_verdict(verdict: Verdict, book: Book) -> list[Cell]:
    return trimmed(
        [
            NUMBER_OF_STATUS[verdict.status] or None,
            verdict.at,
            book.number_of(verdict.by) if verdict.by else None,
            pack_run(verdict.run) if verdict.run else None,
            verdict.reason or None,
            put_error(verdict.error, book) if verdict.error is not None else None,
            verdict.flags or None,
        ]
    )


def _take_verdict(row: Sequence[Cell], book: Book) -> Verdict:
    status, at, by, run, reason, error, flags = filled(row, 7)
    return Verdict(
        STATUSES[status or 0],
        at,
        book.text_of(by) if by is not None else "",
        unpack_run(run) if run is not None else "",
        reason or "",
        take_error(error, book) if error is not None else None,
        flags or [],
    )


def _put_cancel(cancel: CancelRequest, book: Book) -> list[Cell]:
    by = book.number_of(cancel.by) if cancel.by else None
    return trimmed([by, cancel.at, pack_run(cancel.run) if cancel.run else None])


def _take_cancel(row: Sequence[Cell], book: Book) -> CancelRequest:
    by, at, run = filled(row, 3)
    return CancelRequest(book.text_of(by) if by is not None else "", at, unpack_run(run) if run is not None else "")


def _put_children(children: Children) -> list[Cell]:
    return trimmed([count or None for count in msgspec.structs.astuple(children)])


def _take_children(row: Sequence[Cell]) -> Children:
    return Children(*(count or 0 for count in row[: len(Children.__struct_fields__)]))
