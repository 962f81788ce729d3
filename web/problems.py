"""Every error as problem+json (RFC 9457): what happened, to what, what to do; never a traceback."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from typing import Any

import msgspec
from flask import Flask, Response, g
from werkzeug.exceptions import HTTPException

from tracker.errors import KINDS, InvalidArguments, TrackerError, UnknownJob
from tracker.model import Operation

RETRY_AFTER = "5"
"""Seconds after which a client may ask again, as a header value."""

log = logging.getLogger("tracker.web")


class Fault(msgspec.Struct, omit_defaults=True):
    """One thing wrong with a request: in its body (``pointer``, RFC 6901) or in its query (``parameter``)."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None


class Problem(Exception):
    """An answer other than the one asked for. ``kind`` is one of ``PROBLEMS``; "" is an error HTTP itself names.

    ``operation`` and ``cursor`` are what a client goes on from whose events are gone.
    """

    def __init__(
        self,
        kind: str,
        detail: str = "",
        errors: Sequence[Fault] = (),
        headers: dict[str, str] | None = None,
        *,
        status: int = 500,
        title: str = "",
        operation: Operation | None = None,
        cursor: str = "",
    ) -> None:
        self.status, self.title = PROBLEMS.get(kind, (status, title))
        super().__init__(detail or self.title)
        self.kind = kind
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}
        self.operation = operation
        self.cursor = cursor


class ProblemBody(msgspec.Struct, omit_defaults=True):
    """The wire form of a problem (RFC 9457)."""

    type: str
    title: str
    status: int
    request_id: str
    detail: str = ""
    errors: list[Fault] = []
    operation: Operation | None = None
    cursor: str = ""


PROBLEMS: dict[str, tuple[int, str]] = {
    "malformed-json": (400, "The body is no JSON"),
    "invalid-query": (400, "The query cannot be used"),
    "invalid-header": (400, "A header cannot be used"),
    "misuse": (400, "This cannot be done"),
    "not-logged-in": (401, "Not logged in"),
    "cross-site": (403, "Refused"),
    "not-allowed": (403, "Not allowed"),
    "not-found": (404, "No such operation"),
    "no-worker": (409, "No worker runs this job"),
    "already-ended": (409, "It has ended already"),
    "cannot-run-again": (409, "It cannot run again"),
    "unreadable": (409, "The record cannot be read"),
    "not-ended": (409, "The operation has not ended"),
    "idempotency-in-progress": (409, "The first request with this key is still being answered"),
    "events-gone": (410, "These events are gone"),
    "too-large": (413, "The body is too large"),
    "not-json": (415, "Not JSON"),
    "wrong-host": (421, "Wrong host"),
    "invalid-body": (422, "The body cannot be used"),
    "unknown-job": (422, "Unknown job"),
    "invalid-arguments": (422, "The arguments do not fit the job"),
    "idempotency-mismatch": (422, "This key belongs to another request"),
    "upgrade-required": (426, "This address speaks WebSocket"),
    "archive-unavailable": (503, "The archive cannot be read"),
    "broker-unavailable": (503, "The broker does not answer"),
    "store-unavailable": (503, "Redis does not answer"),
    "not-ready": (503, "Not ready"),
    "stopping": (503, "The server restarts"),
    "busy": (503, "The server is busy"),
}
"""Every problem by its kind: the status of its answer, and its title."""


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
    body = ProblemBody(
        type=f"/problems/{problem.kind}" if problem.kind else "about:blank",
        title=problem.title,
        status=problem.status,
        request_id=request_id(),
        detail=problem.detail,
        errors=list(problem.errors),
        operation=problem.operation,
        cursor=problem.cursor,
    )
    return Response(msgspec.json.encode(body), problem.status, problem.headers, mimetype="application/problem+json")


def _http_error(error: HTTPException) -> Response:
    kept = {name: value for name, value in error.get_headers() if name.lower() in ("allow", "retry-after")}
    return answer(Problem("", error.description or "", headers=kept, status=error.code or 500, title=error.name))


def _tracker_error(error: TrackerError) -> Response:
    kind = next((KINDS[known] for known in type(error).__mro__ if known in KINDS), "misuse")
    headers = {"Retry-After": RETRY_AFTER} if PROBLEMS[kind][0] == 503 else None
    return answer(Problem(kind, str(error), _faults(error), headers))


def _faults(error: TrackerError) -> list[Fault]:
    return [Fault(str(error), pointer=error.pointer)] if isinstance(error, InvalidArguments | UnknownJob) else []


def _unexpected(error: Exception) -> Response:
    log.error("request %s failed", request_id(), exc_info=error)
    detail = "Something unexpected happened in the server; its log has the cause beside the request id."
    return answer(Problem("", detail, status=500, title="Internal Server Error"))


def invalid_query(parameter: str, detail: str) -> Problem:
    """400, naming the query parameter at fault."""
    return Problem("invalid-query", detail, [Fault(detail, parameter=parameter)])


def invalid_body(pointer: str, detail: str) -> Problem:
    """422, pointing at the field at fault."""
    return Problem("invalid-body", detail, [Fault(detail, pointer=pointer)])


def not_ready(missing: dict[str, str], found: dict[str, Any]) -> Problem:
    """503, naming what is missing and saying what was found."""
    found_text = ", ".join(f"{name}: {msgspec.json.encode(value).decode()}" for name, value in found.items())
    detail = f"{'; '.join(missing.values())} ({found_text})"
    faults = [Fault(text, pointer=f"/{name}") for name, text in missing.items()]
    return Problem("not-ready", detail, faults, {"Retry-After": "1"})
