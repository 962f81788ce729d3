"""Every error as problem+json (RFC 9457): what happened, to what, what to do; never a traceback."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from typing import Any

import msgspec
from flask import Flask, Response, g
from werkzeug.exceptions import HTTPException

from tracker.errors import (
    ArchiveUnavailable,
    BrokerUnavailable,
    EventsGone,
    InvalidArguments,
    NotFound,
    NoWorker,
    StoreUnavailable,
    TrackerError,
    UnknownJob,
)

RETRY_AFTER = "5"
"""Seconds after which a client may ask again, as a header value."""

log = logging.getLogger("tracker.web")


class Fault(msgspec.Struct, omit_defaults=True):
    """One thing wrong with a request: in its body (``pointer``, RFC 6901) or in its query (``parameter``)."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None


class Problem(Exception):
    """An answer other than the one asked for. ``kind`` names it for programs, ``title`` for people."""

    def __init__(
        self,
        status: int,
        kind: str,
        title: str,
        detail: str = "",
        errors: Sequence[Fault] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail or title)
        self.status = status
        self.kind = kind
        self.title = title
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}


class Body(msgspec.Struct, omit_defaults=True):
    """The wire form of a problem."""

    type: str
    title: str
    status: int
    request_id: str
    detail: str = ""
    errors: list[Fault] = []


KINDS: dict[type[TrackerError], tuple[int, str, str]] = {
    NotFound: (404, "not-found", "No such operation"),
    UnknownJob: (422, "unknown-job", "Unknown job"),
    NoWorker: (409, "no-worker", "No worker runs this job"),
    InvalidArguments: (422, "invalid-arguments", "The arguments do not fit the job"),
    BrokerUnavailable: (503, "broker-unavailable", "The broker does not answer"),
    ArchiveUnavailable: (503, "archive-unavailable", "The archive cannot be read"),
    EventsGone: (410, "events-gone", "These events are gone"),
    StoreUnavailable: (503, "store-unavailable", "Redis does not answer"),
}


def install(app: Flask) -> None:
    """Answer every error of ``app`` as a problem."""
    app.register_error_handler(Problem, answer)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(TrackerError, _tracker_error)
    app.register_error_handler(Exception, _unexpected)


def request_id() -> str:
    """The id of the current request: in its answer's header, in problems and in the server's log."""
    if "request_id" not in g:
        g.request_id = secrets.token_hex(8)
    return str(g.request_id)


def answer(problem: Problem) -> Response:
    """The response that tells of ``problem``."""
    body = Body(
        type=f"/problems/{problem.kind}" if problem.kind else "about:blank",
        title=problem.title,
        status=problem.status,
        request_id=request_id(),
        detail=problem.detail,
        errors=list(problem.errors),
    )
    return Response(msgspec.json.encode(body), problem.status, problem.headers, mimetype="application/problem+json")


def _http_error(error: HTTPException) -> Response:
    kept = {name: value for name, value in error.get_headers() if name.lower() in ("allow", "retry-after")}
    return answer(Problem(error.code or 500, "", error.name, error.description or "", headers=kept))


def _tracker_error(error: TrackerError) -> Response:
    status, kind, title = KINDS.get(type(error), (400, "misuse", "This cannot be done"))
    headers = {"Retry-After": RETRY_AFTER} if status == 503 else None
    return answer(Problem(status, kind, title, str(error), _faults(error), headers))


def _faults(error: TrackerError) -> list[Fault]:
    return [Fault(str(error), pointer=error.pointer)] if isinstance(error, InvalidArguments | UnknownJob) else []


def _unexpected(error: Exception) -> Response:
    log.error("request %s failed", request_id(), exc_info=error)
    detail = "Something unexpected happened in the server; its log has the cause beside the request id."
    return answer(Problem(500, "", "Internal Server Error", detail))


def invalid_query(parameter: str, detail: str) -> Problem:
    """400, naming the query parameter at fault."""
    return Problem(400, "invalid-query", "The query cannot be used", detail, [Fault(detail, parameter=parameter)])


def invalid_body(pointer: str, detail: str) -> Problem:
    """422, pointing at the field at fault."""
    return Problem(422, "invalid-body", "The body cannot be used", detail, [Fault(detail, pointer=pointer)])


def not_ready(missing: dict[str, str], found: dict[str, Any]) -> Problem:
    """503, naming what is missing and saying what was found."""
    found_text = ", ".join(f"{name}: {msgspec.json.encode(value).decode()}" for name, value in found.items())
    detail = f"{'; '.join(missing.values())} ({found_text})"
    faults = [Fault(text, pointer=f"/{name}") for name, text in missing.items()]
    return Problem(503, "not-ready", "Not ready", detail, faults, {"Retry-After": "1"})
