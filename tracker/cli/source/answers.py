"""What a web server answers other than what was asked for: as the library's own errors, in its own words."""

from __future__ import annotations

import http.client
import socket
import ssl
import urllib.error
from typing import Protocol
from urllib.parse import urlsplit

import msgspec

from tracker.errors import KINDS, InvalidArguments, NotAllowed, ServerUnavailable, TrackerError, UnknownJob

BUSY = (429, 502, 503, 504)
"""Status of what may be asked again in a moment."""

IN_PROGRESS = "idempotency-in-progress"

ERRORS: dict[str, type[TrackerError]] = {kind: error for error, kind in KINDS.items()} | {
    "invalid-body": InvalidArguments,
    "too-large": InvalidArguments,
}
"""What becomes of a problem of each kind; of any other a plain ``TrackerError``."""


class Headers(Protocol):
    """Of an answer, by names in any case."""

    def get(self, name: str, default: str, /) -> str: ...


class Again(Exception):
    """No answer this time: ``error`` says so, if it is not asked again, after so many seconds at least.

    ``is_refused``: nobody takes connections there.
    """

    def __init__(self, error: TrackerError, after: float = 0.0, *, is_refused: bool = False) -> None:
        super().__init__(str(error))
        self.error = error
        self.after = after
        self.is_refused = is_refused


class _Fault(msgspec.Struct):
    pointer: str = ""


class _Problem(msgspec.Struct):
    type: str
    title: str
    detail: str = ""
    errors: list[_Fault] = []

    @property
    def kind(self) -> str:
        return self.type.removeprefix("/problems/") if self.type.startswith("/problems/") else ""

    @property
    def error(self) -> TrackerError:
        known, text = ERRORS.get(self.kind, TrackerError), self.detail or self.title
        pointer = self.errors[0].pointer if self.errors else ""
        return known(text, pointer) if issubclass(known, InvalidArguments | UnknownJob) else known(text)


def refused(where: str, status: int, headers: Headers, body: bytes, *, has_token: bool) -> Exception:
    """What an answer that is no success means: an error of the library, or ``Again``."""
    problem = _problem(headers, body)
    if 300 <= status < 400:
        return ServerUnavailable(_elsewhere(where, headers.get("Location", "")))
    if status in (401, 403):
        return NotAllowed(_not_allowed(where, status, problem, has_token))
    if problem is None:
        found = ServerUnavailable(f"{where} answers {status}; check that `tracker web` runs behind it")
        return Again(found, _seconds(headers)) if status in BUSY else no_tracker(where)
    if not problem.kind and status in (404, 405):
        return ServerUnavailable(f"{where} does not know what was asked; it is of another version than this command")
    if status in BUSY or problem.kind == IN_PROGRESS:
        return Again(problem.error, _seconds(headers))
    return problem.error


def no_tracker(where: str) -> ServerUnavailable:
    """What answers speaks otherwise."""
    return ServerUnavailable(
        f"what answers at {where} is no tracker, or one of another version; check the address, "
        "with its base path if it has one"
    )


def unreachable(where: str, error: Exception) -> Exception:
    """Why there was no answer: ``Again``, unless it would be the same the next time."""
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, ssl.SSLCertVerificationError):
        return ServerUnavailable(
            f"{where} cannot be trusted: {reason.verify_message}; check the address, or have this machine trust "
            "that certificate (SSL_CERT_FILE)"
        )
    if isinstance(reason, socket.gaierror):
        return ServerUnavailable(f"{where} is a host that nobody knows; check the address")
    return Again(
        ServerUnavailable(
            f"{where} cannot be reached: {_words(reason)}; check the address, and that `tracker web` runs there"
        ),
        is_refused=isinstance(reason, ConnectionRefusedError),
    )


def _words(reason: object) -> str:
    if isinstance(reason, TimeoutError):
        return "no answer in time"
    if isinstance(reason, ConnectionRefusedError):
        return "the connection was refused"
    if isinstance(reason, ConnectionError | http.client.HTTPException):
        return "the connection was cut"
    text = (reason.strerror if isinstance(reason, OSError) else "") or str(reason) or type(reason).__name__
    return text[:200]


def _problem(headers: Headers, body: bytes) -> _Problem | None:
    if not headers.get("Content-Type", "").startswith("application/problem+json"):
        return None
    try:
        return msgspec.json.decode(body, type=_Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _not_allowed(where: str, status: int, problem: _Problem | None, has_token: bool) -> str:
    if problem is not None and status == 403:
        return f"{where} does not allow this: {problem.detail or problem.title}"
    if status == 403:
        return f"{where} does not allow this; ask whoever runs it"
    if has_token:
        return f"{where} does not take the token of TRACKER_TOKEN; ask whoever runs it for another"
    return f"{where} wants a token; set TRACKER_TOKEN"


def _elsewhere(where: str, location: str) -> str:
    """A redirect is not followed: where it leads to should not get the token unless somebody says so."""
    host, target = urlsplit(where).netloc, location[:200]
    base, _, _ = target.partition("/api/v1/")
    if target.startswith("/"):
        return f"{where} leads to {target!r} on {host}; check the base path, or log in there another way"
    return f"{where} leads to {target!r}; if that is right, use {base!r} as the server's address"


def _seconds(headers: Headers) -> float:
    text = headers.get("Retry-After", "")
    return float(text) if text.isdecimal() and len(text) < 6 else 0.0
