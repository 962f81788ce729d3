"""Between the server's raw socket and a WebSocket: takes the connection away from the request that opened it.

simple-websocket reads each WebSocket in a thread of its own, writes from two without a lock, and never limits what it
reads; here it only shakes hands.
"""

from __future__ import annotations

import os
import socket
from typing import Any

KEYS = ("gunicorn.socket", "werkzeug.socket")
"""Where servers put the socket into the WSGI environment."""


class NoThread:
    """In place of the thread in which simple-websocket would read."""

    def __init__(self, **options: Any) -> None:
        self.name = ""

    def start(self) -> None:
        """Nothing is read here."""


def prepare(environ: dict[str, Any]) -> None:
    """Offer no compression: it costs more than it saves here, and small frames could unfold to large ones."""
    environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)


def take_away(raw: socket.socket) -> socket.socket:
    """The same connection as another socket; in place of the server's is one that nobody uses.

    The server goes on as if the request were answered: it says that it sends no more, and closes what it takes for the
    connection.
    """
    taken = raw.dup()
    stand_in, other = socket.socketpair()
    os.dup2(stand_in.fileno(), raw.fileno(), inheritable=False)
    stand_in.close()
    other.close()
    return taken


def limit_unread(raw: socket.socket, seconds: float) -> None:
    """Let the kernel give up on a client that acknowledges nothing, or reads nothing, for so long."""
    if hasattr(socket, "TCP_USER_TIMEOUT") and raw.family != socket.AF_UNIX:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(seconds * 1000))


def limit_unread_answer(environ: dict[str, Any], seconds: float) -> None:
    """The same for the answer to a request, where the server tells its socket."""
    raw = next((environ[key] for key in KEYS if key in environ), None)
    if raw is not None:
        limit_unread(raw, seconds)
