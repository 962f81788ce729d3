"""The HTTP API: queue work, and read operations. Answers are the same values as everywhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec
from flask import Blueprint, Response

from tracker.clock import now
from tracker.errors import EventsGone, NotFound, StoreUnavailable, TrackerError, Unreadable
from tracker.history import Failures, OperationPage
from tracker.model import LogLine, Operation, Status
from tracker.store import Changes
from web import queries
from web.bodies import BatchBody, OperationBody
from web.idempotency import queue_once
from web.problems import Problem, invalid_query
from web.queries import ChildrenQuery, EventsQuery, ListQuery, LogsQuery
from web.routes import accepts, reply, route
from web.site import site

blueprint = Blueprint("api", __name__)

Item = TypeVar("Item")

READING = ("store-unavailable", "archive-unavailable")
"""Problems of everything that reads operations."""

ONE = ("not-found", "unreadable", *READING)
"""Problems of everything that reads one operation."""

QUEUEING = ("unknown-job", "no-worker", "invalid-arguments", "store-unavailable", "broker-unavailable")
"""Problems of everything that queues."""


class OnePage(msgspec.Struct, Generic[Item]):
    """A list that is always whole; ``next`` is there because every list has it."""

    items: list[Item]
    next: str | None = None


class LogPage(msgspec.Struct):
    """Part of an operation's log; ``next`` is the page after it, ``None`` at the end."""

    items: list[LogLine]
    next: str | None = None


@accepts(blueprint, path="/api/v1/operations", body=OperationBody, answer=Operation, problems=QUEUEING)
def queue_operation(body: OperationBody) -> Response:
    """Queue one operation; 202, with its address in ``Location``."""
    id, queued = queue_once(lambda id: site().queueing.queue(body.job, body.args, body.labels, id))
    return _accepted(queued or _queued(id, body))


@accepts(blueprint, path="/api/v1/batches", body=BatchBody, answer=Operation, problems=QUEUEING)
def queue_batch(body: BatchBody) -> Response:
    """Queue one operation with a child for each item; 202, with its address in ``Location``."""
    queueing = site().queueing
    id, _ = queue_once(lambda id: queueing.batch(body.job, body.items, body.labels, body.title, id, body.on_complete))
    return _accepted(_queued(id, body))


def _accepted(operation: Operation) -> Response:
    location = f"{site().settings.base_path}/api/v1/operations/{operation.id}"
    return reply(operation, 202, {"Location": location})


def _queued(id: str, body: OperationBody | BatchBody) -> Operation:
    """An operation that was queued. It is, whatever happens now, so this must not fail."""
    try:
        return site().history.operation(id)
    except (NotFound, StoreUnavailable, Unreadable):
        title = body.title if isinstance(body, BatchBody) else ""
        return Operation(id, body.job, title or body.job, Status.QUEUED, now(), labels=body.labels)


@route(blueprint, "GET", "/api/v1/operations", query=ListQuery, answer=OperationPage, problems=READING)
def operations(query: ListQuery) -> Response:
    """A page of the top-level operations, newest first."""
    found: dict[str, Any] = {"status": query.status, "name": query.name, "search": query.search()}
    return reply(_page(lambda: site().history.operations(**found, page=query.page, limit=query.limit)))


@route(blueprint, "GET", "/api/v1/operations/<id>", answer=Operation, problems=ONE)
def operation(id: str) -> Response:
    """One operation with its steps."""
    return reply(site().history.operation(id))


@route(blueprint, "DELETE", "/api/v1/operations/<id>", answer=None, status=204, problems=("not-ended", *ONE))
def erase_operation(id: str) -> Response:
    """Erase an ended operation with all below it, everywhere and for good; 204."""
    site().history.erase(id)
    return Response(status=204)


@route(blueprint, "GET", "/api/v1/operations/<id>/attempts", answer=OnePage[Operation], problems=ONE)
def attempts(id: str) -> Response:
    """The operation as it was at each of its attempts, oldest first."""
    return reply(OnePage(site().history.attempts(id)))


@route(
    blueprint,
    "GET",
    "/api/v1/operations/<id>/children",
    query=ChildrenQuery,
    answer=OperationPage,
    problems=ONE,
)
def children(id: str, query: ChildrenQuery) -> Response:
    """A page of an operation's children, in the order they were queued."""
    read = site().history.children
    return reply(_page(lambda: read(id, status=query.status, page=query.page, limit=query.limit)))


@route(blueprint, "GET", "/api/v1/operations/<id>/failures", answer=Failures, problems=ONE)
def failures(id: str) -> Response:
    """The children of an operation that have failed or were lost, grouped by what went wrong, most frequent first."""
    return reply(site().history.failures(id))


@route(blueprint, "GET", "/api/v1/operations/<id>/logs", query=LogsQuery, answer=LogPage, problems=ONE)
def logs(id: str, query: LogsQuery) -> Response:
    """A page of the lines that an operation has logged, of all its attempts, oldest first."""
    lines = site().history.logs(id)
    return reply(_page(lambda: _log_page(lines, query)))


def _log_page(lines: list[LogLine], query: LogsQuery) -> LogPage:
    after = queries.log_place(query.page)
    found = [line for line in lines if (line.attempt, line.number) > after and query.step in (None, line.step)]
    items = found[: query.limit]
    last = f"{items[-1].attempt}.{items[-1].number}" if len(found) > query.limit else None
    return LogPage(items, last)


@route(
    blueprint,
    "GET",
    "/api/v1/operations/<id>/events",
    query=EventsQuery,
    answer=Changes,
    problems=("events-gone", *ONE),
)
def events(id: str, query: EventsQuery) -> Response:
    """The changes of an operation behind a cursor, as far as they are still held.

    If some of them are gone, the problem holds the operation as it is now, and the cursor to go on from.
    """
    history = site().history
    try:
        return reply(_page(lambda: history.events(id, query.after, query.limit, below=query.below), "after"))
    except EventsGone as gone:
        cursor = history.cursor()  # Before the operation: whatever comes in between is told again.
        raise Problem("events-gone", str(gone), operation=history.operation(id), cursor=cursor) from None


Page = TypeVar("Page")


def _page(read: Callable[[], Page], parameter: str = "page") -> Page:
    """What ``read`` gives; a page that is none is the fault of the query."""
    try:
        return read()
    except TrackerError as error:
        if type(error) is not TrackerError:
            raise
        raise invalid_query(parameter, str(error)) from None
