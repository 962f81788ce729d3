"""Makes the server's raw socket fit for a WebSocket: whole frames, bounded input, one owner.

simple-websocket writes from two threads without a lock, never limits what it reads, and closes the
socket that the server closes as well.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Any

from tracker.clock import elapsed
from web.limits import SOCKET_BYTES_PER_SECOND

KEYS = ("gunicorn.socket", "werkzeug.socket")
"""Where servers put the socket into the WSGI environment."""


class DaemonThread(threading.Thread):
    """A thread that does not keep the process alive; one reads for each WebSocket."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, "daemon": True})


class SharedSocket:
    """A connected socket that several threads may send on; closing is left to the server."""

    def __init__(self, raw: socket.socket) -> None:
        self._raw = raw
        self._sending = threading.Lock()
        self._second = 0.0
        self._received = 0

    def fileno(self) -> int:
        return self._raw.fileno()

    def send(self, data: bytes) -> int:
        """Send all of ``data``, and nothing of another thread's in between."""
        with self._sending:
            self._raw.sendall(data)
        return len(data)

    def recv(self, size: int) -> bytes:
        """Receive; raises ``ConnectionResetError`` when more comes than any honest client sends."""
        data = self._raw.recv(size)
        if elapsed() - self._second >= 1.0:
            self._second, self._received = elapsed(), 0
        self._received += len(data)
        if self._received > SOCKET_BYTES_PER_SECOND:
            raise ConnectionResetError("too much received")
        return data

    def close(self) -> None:
        """Leave closing to the server, which counts its connections."""

    def hang_up(self) -> None:
        """End both directions, so that whoever waits on the socket goes on."""
        with contextlib.suppress(OSError):
            self._raw.shutdown(socket.SHUT_RDWR)


def limit_unread(environ: dict[str, Any], unread: float) -> None:
    """Let the kernel give up on a client that reads nothing, which frees the thread that sends to it."""
    for raw in (environ[key] for key in KEYS if key in environ):
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(unread * 1000))


def prepare(environ: dict[str, Any], unread: float) -> None:
    """Put a ``SharedSocket`` where flask-sock finds the socket.

    Compression is not offered: it costs more than it saves here, and small frames could unfold to large ones.
    """
    limit_unread(environ, unread)
    for key in KEYS:
        if key in environ:
            environ[key] = SharedSocket(environ[key])
    environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
