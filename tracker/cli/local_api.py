"""The HTTP API as the command line on the same machine uses it: ready yet, which jobs, queue a batch."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import Any

import msgspec

from tracker.errors import TrackerError
from tracker.settings import Settings

TIME_LIMIT = 10.0
"""Longest wait for an answer, in seconds."""


class Unready(TrackerError):
    """Something is missing before work can be queued; the message says what."""


def url_of(settings: Settings) -> str:
    """The dashboard's URL as a browser on this machine writes it.

    >>> url_of(Settings(bind="127.0.0.1:8420", base_path="/tracker"))
    'http://127.0.0.1:8420/tracker/'
    """
    host, port = settings.host_and_port
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}{settings.base_path}/"


class Api:
    """A running web server on this machine; never asks a proxy."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def check_ready(self) -> None:
        """Return if work can be queued; raises ``Unready``."""
        status, body = self._ask("readyz")
        if status != 200:
            raise Unready(_missing(body))

    def watching(self) -> int:
        """How many live connections, and so pages, are open."""
        _, body = self._ask("readyz")
        number = body.get("watching") if isinstance(body, dict) else None
        return number if isinstance(number, int) else 0

    def queue_batch(self, job: str, items: list[dict[str, Any]], title: str) -> str:
        """Queue a batch and answer its id; raises ``TrackerError`` with what the server said."""
        status, body = self._ask("api/v1/batches", {"job": job, "items": items, "title": title})
        if status != 202 or not isinstance(body, dict):
            raise TrackerError(f"the batch was not queued: {_missing(body)}")
        return str(body["id"])

    def _ask(self, path: str, body: object = None) -> tuple[int, Any]:
        """Status and decoded body; status 0 and a sentence if there was no answer."""
        data = None if body is None else msgspec.json.encode(body)
        request = urllib.request.Request(self._url + path, data, {"Content-Type": "application/json"})
        try:
            with self._opener.open(request, timeout=TIME_LIMIT) as response:
                return response.status, _decoded(response.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _decoded(error.read())
        except OSError as error:
            return 0, f"the web server does not answer ({error})"


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return body.decode(errors="replace")[:200]


def _missing(body: Any) -> str:
    if isinstance(body, dict):
        return str(body.get("detail") or body.get("title") or body)
    return str(body) or "the web server is not ready"
