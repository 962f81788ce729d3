"""Plain HTTP to one web server, with nothing but the standard library.

What does no harm twice is asked again for some seconds: every GET, and every POST, which has a key by which the server
knows it again. Redirects are not followed, for they could carry the token elsewhere.
"""

from __future__ import annotations

import http.client
import random
import time
import urllib.error
import urllib.request
from typing import Any, TypeVar, cast
from urllib.parse import urlencode

import msgspec

from tracker.cli.source import address
from tracker.cli.source.answers import Again, no_tracker, refused, unreachable
from tracker.clock import elapsed
from tracker.errors import ServerUnavailable
from tracker.ids import new_id
from tracker.version import __version__

TIME_LIMIT = 10.0
"""Longest wait for a sign of an answer, in seconds."""

PATIENCE = 8.0
"""Seconds after which nothing is asked again."""

UNKNOWN = 2.0
"""Seconds after which nothing is asked again where connections are refused and nobody has ever answered."""

FIRST_PAUSE = 0.2
"""Seconds before the first time; each pause is twice as long as the one before."""

LONGEST = 60.0
"""Seconds an answer may take to arrive whole."""

LARGEST = 64 * 2**20
"""Largest answer, and largest message of a live connection, in bytes."""

CHUNK = 1 << 16

Answer = TypeVar("Answer")

Query = dict[str, Any]
"""Parameters by name; those that are ``None`` or empty are not sent."""

_chance = random.SystemRandom()


class Http:
    """A web server; unless it ``insists`` it asks once. Raises ``SettingsError`` for an address that is none."""

    def __init__(self, server: str, token: str = "", *, insists: bool = True) -> None:
        self.address = address.read(server, token)
        self.where = self.address.url
        self.has_token = bool(token)
        self._insists = insists
        self._has_answered = False
        self.headers = {"User-Agent": f"tracker/{__version__}"}
        if token:
            self.headers["Authorization"] = f"Bearer {token}"
        # Without an argument: those of the environment.
        proxies = urllib.request.ProxyHandler({}) if self.address.is_here else urllib.request.ProxyHandler()
        self._opener = urllib.request.build_opener(proxies, _StayHere)

    def get(self, path: str, kind: type[Answer], query: Query | None = None) -> Answer:
        """What is at ``path`` behind the address."""
        return self._decoded(self._insist(self._request(path, query or {})), kind)

    def post(self, path: str, body: object, kind: type[Answer]) -> Answer:
        """What the server says of ``body``; it does what that asks for once, however often it is told."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": new_id()}
        return self._decoded(self._insist(self._request(path, {}, headers, msgspec.json.encode(body))), kind)

    def delete(self, path: str) -> None:
        """Have what is at ``path`` removed; where an answer was lost, there is nothing left the next time."""
        self._insist(self._request(path, {}, method="DELETE"))

    def open(self, path: str, query: Query, headers: dict[str, str], timeout: float) -> http.client.HTTPResponse:
        """An answer that has begun and that the caller reads and closes; asked for once. May raise ``Again``."""
        return self._open(self._request(path, query, headers), timeout)

    def _request(
        self,
        path: str,
        query: Query,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
        method: str | None = None,
    ) -> urllib.request.Request:
        text = urlencode({name: value for name, value in query.items() if value not in (None, "")})
        url = f"{self.where}{path}{'?' if text else ''}{text}"
        return urllib.request.Request(url, body, self.headers | (headers or {}), method=method)

    def _insist(self, request: urllib.request.Request) -> bytes:
        """The answer's body; asks again as long as there is hope."""
        begun, pause = elapsed(), FIRST_PAUSE
        while True:
            try:
                with self._open(request, TIME_LIMIT) as response:
                    return self._body(response)
            except Again as again:
                wait = max(again.after, pause * _chance.uniform(0.5, 1.0))
                if elapsed() + wait > begun + self._patience(again):
                    raise again.error from None
            time.sleep(wait)
            pause *= 2

    def _patience(self, again: Again) -> float:
        """A server that restarts is soon there again; where none has been seen, there may be none."""
        is_unknown = again.is_refused and not self._has_answered
        return (UNKNOWN if is_unknown else PATIENCE) * self._insists

    def _open(self, request: urllib.request.Request, timeout: float) -> http.client.HTTPResponse:
        try:
            response: http.client.HTTPResponse = self._opener.open(request, timeout=timeout)
            self._has_answered = True
            return response
        except urllib.error.HTTPError as error:
            self._has_answered = True
            with error:
                body = self._body(cast(http.client.HTTPResponse, error.fp))
            raise refused(self.where, error.code, error.headers, body, has_token=self.has_token) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise unreachable(self.where, error) from None

    def _body(self, response: http.client.HTTPResponse) -> bytes:
        """All of it, within bounds; half of it is none."""
        deadline, chunks, size = elapsed() + LONGEST, list[bytes](), 0
        try:
            while chunk := response.read1(CHUNK):
                chunks.append(chunk)
                size += len(chunk)
                if size > LARGEST or elapsed() > deadline:
                    raise ServerUnavailable(f"{self.where} gives an answer without end; ask for less at once")
            if response.length:
                raise http.client.IncompleteRead(b"", response.length)
        except (OSError, http.client.HTTPException) as error:
            raise unreachable(self.where, error) from None
        return b"".join(chunks)

    def _decoded(self, body: bytes, kind: type[Answer]) -> Answer:
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise no_tracker(self.where) from None


class _StayHere(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        """No other request is made; the answer is one like any other."""
