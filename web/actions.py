"""What can be done to an operation over HTTP: cancel it, resume it, run it over."""

from __future__ import annotations

from contextlib import suppress

import msgspec
from flask import Blueprint, Response, request

from tracker.celery.expected import Expected, told
from tracker.errors import ArchiveUnavailable, NotFound, StoreUnavailable
from tracker.model import Operation
from web import bodies, queries
from web.api import reply
from web.limits import ACTION_BODY
from web.site import site

blueprint = Blueprint("actions", __name__)


class CancelBody(msgspec.Struct, forbid_unknown_fields=True):
    """``POST …/cancel``; with ``terminate`` also the processes that run it are told to end."""

    terminate: bool = False


class ResumeBody(msgspec.Struct, forbid_unknown_fields=True):
    """``POST …/resume``; with ``force`` also under another release."""

    force: bool = False


class NoBody(msgspec.Struct, forbid_unknown_fields=True):
    """A body in which nothing may be."""


@blueprint.post("/api/v1/operations/<id>/cancel")
def cancel(id: str) -> Response:
    """Ask an operation to end, with everything open below it; 202 with the operation."""
    queries.only()
    body = bodies.read_or(CancelBody(), ACTION_BODY)
    site().cancelling.cancel(id, _asker(), terminate=body.terminate)
    return _accepted(id)


@blueprint.post("/api/v1/operations/<id>/resume")
def resume(id: str) -> Response:
    """Queue a new attempt that reuses what steps have kept; 202 with the operation and what is expected of it."""
    queries.only()
    body = bodies.read_or(ResumeBody(), ACTION_BODY)
    expected = site().repeating.resume(id, _asker(), force=body.force)
    return _accepted(id, expected)


@blueprint.post("/api/v1/operations/<id>/rerun")
def rerun(id: str) -> Response:
    """Queue a new attempt that starts over; 202 with the operation."""
    queries.only()
    bodies.read_or(NoBody(), ACTION_BODY)
    site().repeating.rerun(id, _asker())
    return _accepted(id)


def _asker() -> str:
    """Who asks, as far as is known."""
    return f"http {request.remote_addr}" if request.remote_addr else "http"


def _accepted(id: str, expected: Expected | None = None) -> Response:
    """It is done, whatever happens now, so this must not fail."""
    found: Operation | dict[str, str] = {"id": id}
    with suppress(NotFound, StoreUnavailable, ArchiveUnavailable):
        found = told(site().history.operation(id), expected)
    return reply(found, 202, {"Location": f"{site().settings.base_path}/api/v1/operations/{id}"})
