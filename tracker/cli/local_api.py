"""What the command line asks of the web server it has started on this machine: is it ready yet, is anybody there."""

from __future__ import annotations

import msgspec

from tracker.cli.source.http import Http
from tracker.errors import TrackerError
from tracker.settings import Settings


class Unready(TrackerError):
    """Something is missing before work can be queued; the message says what."""


class _Readiness(msgspec.Struct):
    watching: int


def url_of(settings: Settings) -> str:
    """The dashboard's URL as a browser on this machine writes it.

    >>> url_of(Settings(bind="127.0.0.1:8420", base_path="/tracker"))
    'http://127.0.0.1:8420/tracker/'
    """
    host, port = settings.host_and_port
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}{settings.base_path}/"


class Api:
    """A running web server on this machine, asked once at a time."""

    def __init__(self, url: str) -> None:
        self._http = Http(url, insists=False)

    def check_ready(self) -> None:
        """Return if work can be queued; raises ``Unready``."""
        try:
            self._http.get("/readyz", _Readiness)
        except TrackerError as error:
            raise Unready(str(error)) from None

    def watching(self) -> int:
        """How many live connections, and so pages, are open."""
        try:
            return self._http.get("/readyz", _Readiness).watching
        except TrackerError:
            return 0
