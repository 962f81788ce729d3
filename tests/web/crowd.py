"""Many WebSocket clients at once, with no more to each than a socket."""

from __future__ import annotations

import json
import resource
import selectors
import socket
import time
from types import TracebackType

from tests.web.client import PATIENCE, Server


def connect(server: Server, topic: str = "operations", buffer: int = 0) -> socket.socket:
    """A client that has subscribed and read nothing but the handshake; with a ``buffer``, it can receive no more."""
    host, port = server.address.split(":")
    client = socket.socket()
    client.settimeout(PATIENCE)
    if buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    client.connect((host, int(port)))
    head = f"GET /api/v1/ws HTTP/1.1\r\nHost: {server.address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    client.sendall(f"{head}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {'A' * 22}==\r\n\r\n".encode())
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += client.recv(1)
    assert answer.startswith(b"HTTP/1.1 101"), answer
    ask = json.dumps({"type": "subscribe", "topic": topic}).encode()
    client.sendall(bytes([0x81, 0x80 | len(ask), 0, 0, 0, 0]) + ask)
    return client


class Crowd:
    """So many clients of a server that watch ``operations``; use as a context manager."""

    def __init__(self, server: Server, count: int) -> None:
        self._files = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (self._files[1], self._files[1]))
        self.clients: list[socket.socket] = []
        self._selector = selectors.DefaultSelector()
        for _ in range(count):
            self.clients.append(connect(server))
            self._selector.register(self.clients[-1], selectors.EVENT_READ)

    def hear(self, *what: bytes) -> None:
        """Read until every client has received all of ``what``."""
        waiting = dict.fromkeys(self.clients, b"")
        deadline = time.monotonic() + 3 * PATIENCE
        while waiting and time.monotonic() < deadline:
            for key, _ in self._selector.select(1.0):
                client = key.fileobj
                assert isinstance(client, socket.socket)
                data = client.recv(1 << 16)
                if not data:
                    self._selector.unregister(client)
                if client in waiting:
                    waiting[client] = (waiting[client] + data)[-100_000:]
                    if all(part in waiting[client] for part in what):
                        del waiting[client]
        assert not waiting, f"{len(waiting)} have not heard {what!r}; one has {next(iter(waiting.values()))[-300:]!r}"

    def __enter__(self) -> Crowd:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._selector.close()
        for client in self.clients:
            client.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, self._files)
