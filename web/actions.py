"""What can be done to an operation over HTTP: cancel it, resume it, run it over."""

from __future__ import annotations

from contextlib import suppress

import msgspec
from flask import Blueprint, Response

from tracker.errors import ArchiveUnavailable, NotFound, StoreUnavailable, Unreadable
from tracker.model import Operation
from tracker.queued import Expected, Resumed, told
from web.access import asker
from web.api import ONE
from web.routes import accepts, reply, route
from web.site import site

blueprint = Blueprint("actions", __name__)

OPEN = ("already-ended", *ONE)
"""What may be in the way of a cancellation."""

AGAIN = ("cannot-run-again", "no-worker", "unknown-job", "broker-unavailable", *ONE)
"""What may be in the way of a new attempt."""


class CancelBody(msgspec.Struct, forbid_unknown_fields=True):
    """``POST …/cancel``; with ``terminate`` also the processes that run it are told to end."""

    terminate: bool = False


class ResumeBody(msgspec.Struct, forbid_unknown_fields=True):
    """``POST …/resume``; with ``force`` also under another release."""

    force: bool = False


class Preview(msgspec.Struct):
    """What resuming would do now."""

    expected: Expected


class NoBody(msgspec.Struct, forbid_unknown_fields=True):
    """A body in which nothing may be."""


@accepts(
    blueprint,
    path="/api/v1/operations/<id>/cancel",
    body=CancelBody,
    answer=Operation,
    problems=OPEN,
)
def cancel(id: str, body: CancelBody) -> Response:
    """Ask an operation to end, with everything open below it; 202 with the operation."""
    site().cancelling.cancel(id, asker(), terminate=body.terminate)
    return _accepted(id)


@accepts(blueprint, path="/api/v1/operations/<id>/resume", body=ResumeBody, answer=Resumed, problems=AGAIN)
def resume(id: str, body: ResumeBody) -> Response:
    """Queue a new attempt that reuses what steps have kept; 202 with the operation and what is expected of it."""
    expected = site().repeating.resume(id, asker(), force=body.force)
    return _accepted(id, expected)


@route(
    blueprint,
    "GET",
    "/api/v1/operations/<id>/resume",
    answer=Preview,
    problems=("cannot-run-again", "no-worker", "unknown-job", *ONE),
)
def preview(id: str) -> Response:
    """What a POST to the same address would do now, or the problem it would give; nothing is changed."""
    return reply(Preview(site().repeating.expected(id)))


@accepts(blueprint, path="/api/v1/operations/<id>/rerun", body=NoBody, answer=Operation, problems=AGAIN)
def rerun(id: str, body: NoBody) -> Response:
    """Queue a new attempt that starts over; 202 with the operation."""
    site().repeating.rerun(id, asker())
    return _accepted(id)


def _accepted(id: str, expected: Expected | None = None) -> Response:
    """It is done, whatever happens now, so this must not fail."""
    found: Operation | dict[str, str] = {"id": id}
    with suppress(NotFound, StoreUnavailable, ArchiveUnavailable, Unreadable):
        found = told(site().history.operation(id), expected)
    return reply(found, 202, {"Location": f"{site().settings.base_path}/api/v1/operations/{id}"})
