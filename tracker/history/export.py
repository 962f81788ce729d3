"""Everything that a filter finds, as a file: a CSV table or JSON lines, written a page at a time."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from io import StringIO
from typing import Literal

import msgspec

from tracker.history import OperationPage
from tracker.model import Operation
from tracker.render.words import iso_time

Format = Literal["csv", "jsonl"]

PAGE = 200
"""Operations that are read at once."""

HEADER = (
    *("id", "name", "title", "status", "created", "started", "ended", "duration", "waited", "attempt"),
    *("worker_host", "worker_pid", "worker_queue", "parent", "labels"),
    *("error_type", "error_message", "error_step", "release"),
)
"""The columns of a CSV file. New ones come at the end."""

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""

Read = Callable[[str | None], OperationPage]
"""Reads the page of that name; without one, the first."""

_encode_lines = msgspec.json.Encoder().encode_lines


def _pages(read: Read) -> Iterator[list[Operation]]:
    """All there are, no more than a page of them held at a time."""
    page = read(None)
    yield page.items
    while page.next is not None:
        page = read(page.next)
        yield page.items


def file(read: Read, format: Format) -> Iterator[bytes]:
    """All there are as a file, a page at a time; a table begins with a header."""
    if format == "jsonl":
        yield from map(_encode_lines, _pages(read))
        return
    yield table([HEADER]).encode()
    for operations in _pages(read):
        yield table(map(row, operations)).encode()


def table(rows: Iterable[tuple[object, ...]]) -> str:
    """Rows as CSV."""
    text = StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def row(operation: Operation) -> tuple[object, ...]:
    """The cells of an operation, as ``HEADER`` names them; empty where nothing is known."""
    worker, error, step = operation.worker, operation.error, operation.step
    at_step = step.name if error is not None and step is not None and step.index == error.step else ""
    waited = max(0.0, operation.started - operation.created) if operation.started is not None else None
    return (
        *map(harmless, (operation.id, operation.name, operation.title, operation.status)),
        *map(_time, (operation.created, operation.started, operation.ended)),
        *map(_seconds, (operation.duration, waited)),
        operation.attempt or None,
        harmless(worker.host if worker else ""),
        worker.pid if worker else None,
        *map(harmless, (worker.queue if worker else "", operation.parent)),
        msgspec.json.encode(operation.labels).decode(),
        *map(harmless, (error.type if error else "", error.message if error else "", at_step)),
        harmless(operation.release),
    )


def harmless(text: str) -> str:
    """A text that no spreadsheet runs as a formula.

    >>> harmless("=1+1"), harmless("a=b")
    ("'=1+1", 'a=b')
    """
    return f"'{text}" if text.startswith(FORMULA) else text


def _time(stamp: float | None) -> str:
    return "" if stamp is None else iso_time(stamp)


def _seconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)
