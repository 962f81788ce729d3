"""One WebSocket's bytes: messages as they come in, and what goes out as far as the kernel takes it. Never waits."""

from __future__ import annotations

import socket
from collections import deque

from wsproto.connection import Connection as Protocol
from wsproto.connection import ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, TextMessage

from tracker.clock import elapsed
from web.limits import SEND_BUFFER, SOCKET_BYTES_PER_SECOND, SOCKET_MESSAGE
from web.messages import TOO_LARGE

READ = 16 * 1024

PING = b"\x89\x00"


class Connection:
    """A connected socket after its handshake; used by one thread.

    Reading and writing raise ``OSError`` when the client is gone, or sends more than any honest one.
    """

    __slots__ = ("_deaf", "_part", "_protocol", "_received", "_second", "closing", "left", "over", "raw", "stalled")

    def __init__(self, raw: socket.socket) -> None:
        raw.setblocking(False)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        self.raw = raw
        self.closing = False
        """Whether it was said that the connection ends."""
        self.over = False
        """Whether both sides have said so."""
        self.left: deque[memoryview] = deque()
        """What waits until the client reads."""
        self.stalled: float | None = None
        """Since when the client has taken nothing of what waits, on the monotonic clock."""
        self._protocol = Protocol(ConnectionType.SERVER)
        self._deaf = False
        self._part = b""
        self._second = 0.0
        self._received = 0

    def receive(self) -> list[bytes | None]:
        """The messages that have come, and ``None`` for everything else that took work."""
        data = self._read()
        found: list[bytes | None] = []
        if self._deaf or not data:
            return found
        self._protocol.receive_data(data)
        for event in self._protocol.events():
            if isinstance(event, CloseConnection):
                self._hear_close(event)
                break
            if not self.closing:
                found.append(self._hear(event))
        return found

    def _read(self) -> bytes:
        try:
            data = self.raw.recv(READ)
        except BlockingIOError:
            return b""
        if not data:
            raise ConnectionResetError("the client has left")
        if elapsed() - self._second >= 1.0:
            self._second, self._received = elapsed(), 0
        self._received += len(data)
        if self._received > SOCKET_BYTES_PER_SECOND:
            raise ConnectionResetError("too much received")
        return data

    def _hear(self, event: Event) -> bytes | None:
        if isinstance(event, Ping):
            self.send(self._protocol.send(event.response()))
        if not isinstance(event, TextMessage | BytesMessage):
            return None
        whole = self._part + (event.data.encode() if isinstance(event, TextMessage) else bytes(event.data))
        self._part = b"" if event.message_finished else whole
        if len(whole) > SOCKET_MESSAGE:
            self.close(TOO_LARGE, "a message is too large")
            return None
        return whole if event.message_finished else None

    def _hear_close(self, event: CloseConnection) -> None:
        """The client says goodbye or answers it, or what it sends makes no sense: then nothing more is understood."""
        if not self.closing:
            self.send(self._protocol.send(event.response()))
        self.closing = self._deaf = True
        self.over = self._protocol.state is ConnectionState.CLOSED

    def close(self, code: int, reason: str) -> None:
        """Say that the connection ends; it is ``over`` when the client has answered."""
        if not self.closing:
            self.send(self._protocol.send(CloseConnection(code, reason)))
            self.closing = True

    def send(self, data: bytes) -> None:
        """Send whole frames, behind what waits."""
        sent = 0 if self.left else self._write(data)
        if sent < len(data):
            self.stalled = elapsed() if self.stalled is None else self.stalled
            self.left.append(memoryview(data)[sent:])

    def flush(self) -> None:
        """Send what waits, as far as it goes."""
        while self.left:
            part = self.left.popleft()
            sent = self._write(part)
            if sent:
                self.stalled = elapsed()
            if sent < len(part):
                self.left.appendleft(part[sent:])
                return
        self.stalled = None

    def _write(self, data: bytes | memoryview) -> int:
        try:
            return self.raw.send(data)
        except BlockingIOError:
            return 0
