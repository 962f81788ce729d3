"""The HTTP API: queue work, read operations and jobs. Answers are the same values as everywhere else."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgspec
from flask import Blueprint, Response

from tracker.clock import now
from tracker.errors import NotFound, StoreUnavailable, TrackerError
from tracker.history import OperationPage
from tracker.model import Operation, Status
from web import bodies, queries
from web.bodies import BatchBody, OperationBody
from web.limits import BATCH_BODY, OPERATION_BODY
from web.problems import invalid_query
from web.queries import ListQuery
from web.site import site

blueprint = Blueprint("api", __name__)


Item = TypeVar("Item")


class OnePage(msgspec.Struct, Generic[Item]):
    """A list that is always whole; ``next`` is there because every list has it."""

    items: list[Item]
    next: str | None = None


def reply(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(msgspec.json.encode(value), status, headers, mimetype="application/json")


@blueprint.post("/api/v1/operations")
def queue_operation() -> Response:
    """Queue one operation; 202, with its address in ``Location``."""
    queries.only()
    body = bodies.read(OperationBody, OPERATION_BODY)
    id = site().queueing.submit(body.job, body.args, body.labels)
    return _accepted(id, body)


@blueprint.post("/api/v1/batches")
def queue_batch() -> Response:
    """Queue one operation with a child for each item; 202, with its address in ``Location``."""
    queries.only()
    body = bodies.read(BatchBody, BATCH_BODY)
    id = site().queueing.batch(body.job, body.items, body.labels, body.title, body.on_complete)
    return _accepted(id, body)


def _accepted(id: str, body: OperationBody | BatchBody) -> Response:
    location = f"{site().settings.base_path}/api/v1/operations/{id}"
    return reply(_queued(id, body), 202, {"Location": location})


def _queued(id: str, body: OperationBody | BatchBody) -> Operation:
    """The operation just queued. It is queued, whatever happens now, so this must not fail."""
    try:
        return site().history.operation(id)
    except (NotFound, StoreUnavailable):
        title = body.title if isinstance(body, BatchBody) else ""
        return Operation(id, body.job, title or body.job, Status.QUEUED, now(), labels=body.labels)


@blueprint.get("/api/v1/operations")
def operations() -> Response:
    """A page of the top-level operations, newest first."""
    query = queries.list_query("status", "name", "page", "limit")
    return reply(_page(None, query))


@blueprint.get("/api/v1/operations/<id>")
def operation(id: str) -> Response:
    """One operation with its steps."""
    queries.only()
    return reply(site().history.operation(id))


@blueprint.get("/api/v1/operations/<id>/attempts")
def attempts(id: str) -> Response:
    """The operation as it was at each of its attempts, oldest first."""
    queries.only()
    return reply(OnePage(site().history.attempts(id)))


@blueprint.get("/api/v1/operations/<id>/children")
def children(id: str) -> Response:
    """A page of an operation's children, in the order they were queued."""
    query = queries.list_query("status", "page", "limit")
    return reply(_page(id, query))


def _page(parent: str | None, query: ListQuery) -> OperationPage:
    history = site().history
    try:
        if parent is None:
            return history.operations(status=query.status, name=query.name, page=query.page, limit=query.limit)
        return history.children(parent, status=query.status, page=query.page, limit=query.limit)
    except TrackerError as error:
        if type(error) is not TrackerError:
            raise
        raise invalid_query("page", str(error)) from None


@blueprint.get("/api/v1/jobs")
def jobs() -> Response:
    """Every job that may be queued, with its argument schema and the number of its live workers."""
    queries.only()
    return reply(OnePage(site().history.jobs()))


@blueprint.get("/api/v1/notices")
def notices() -> Response:
    """What people should know about the answers they get here; empty when all is well."""
    queries.only()
    return reply(OnePage(site().history.notices()))
