"""One WebSocket: what its client asks for, and what it is told. Used by the thread that serves all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
from wsproto.utilities import LocalProtocolError

from tracker.clock import elapsed
from tracker.history import topics
from web import messages
from web.connection import PING, Connection
from web.limits import SOCKET_BURST, SOCKET_MESSAGES_PER_SECOND, SOCKET_MISTAKES, SOCKET_TOPICS
from web.messages import Ask, Frame
from web.outlet import BARRED, GOODBYE, Outlet

if TYPE_CHECKING:
    from web.site import Site

FAREWELL = 1.0
"""Seconds a client has to answer the closing of its connection."""

SILENCE = 25.0
"""Seconds without a word after which the connection is used, so that nobody on the way takes it for a dead one."""


class Session:
    """Serves one client until it leaves, misbehaves, or the server stops. Nothing here waits."""

    __slots__ = (
        "_allowance",
        "_counted",
        "_ends",
        "_mistakes",
        "_outlet",
        "_spoke",
        "_unread",
        "connection",
        "is_blocked",
        "is_woken",
    )

    def __init__(
        self, connection: Connection, site: Site, wake: Callable[[Session], None], admitted: Callable[[], bool]
    ) -> None:
        self.connection = connection
        self.is_woken = False
        self.is_blocked = False
        self._outlet = Outlet(site, lambda: wake(self), admitted)
        self._unread = site.limits.unread
        self._allowance = float(SOCKET_BURST)
        self._counted = elapsed()
        self._spoke = self._counted
        self._mistakes = 0
        self._ends = 0.0

    def begin(self) -> None:
        """Say hello."""
        self._send(self._outlet.hello())

    def tell(self) -> float | None:
        """Send what is due, unless the client has not taken yet what was sent before.

        When there will be more, on the monotonic clock; ``None`` while there is nothing to wait for but ``wake``.
        """
        connection = self.connection
        if connection.left or connection.closing:
            return None
        moment = elapsed()
        frames, due = self._outlet.box.take(moment)
        for frame in frames:
            connection.send(frame.wire)
        if frames:
            self._spoke = moment
        return due

    def tend(self) -> bool:
        """Look after the connection, some times a second; whether it goes on."""
        connection, moment = self.connection, elapsed()
        if connection.closing:
            return moment < self._ends
        if self._outlet.is_over:
            self._send(self._outlet.bye())
            self._hang_up(messages.RESTART, GOODBYE)
        elif self._outlet.is_barred:
            self._send(self._outlet.bye())
            self._hang_up(messages.LOGGED_OUT, BARRED)
        elif connection.stalled is not None and moment - connection.stalled > self._unread:
            self._hang_up(messages.TOO_SLOW, "too slow", self._unread)
        elif not connection.left:
            for frame in self._outlet.signs():
                self._send(frame)
            if moment - self._spoke >= SILENCE:
                self._spoke = moment
                connection.send(PING)
        return True

    def listen(self) -> None:
        """Take what the client has sent."""
        for text in self.connection.receive():
            self._count()
            if text is not None and not self.connection.closing:
                self._obey(text)
        if self.connection.closing and not self._ends:
            self._ends = elapsed() + FAREWELL

    def fail(self) -> bool:
        """End as something is wrong with the server; whether the client can be told."""
        try:
            self._hang_up(messages.FAILED, "an error in the server")
        except (OSError, LocalProtocolError):
            return False
        return True

    def end(self) -> None:
        """Let go of everything; the client is gone."""
        self._outlet.leave()
        self.connection.raw.close()

    def _send(self, frame: Frame) -> None:
        self._spoke = elapsed()
        self.connection.send(frame.wire)

    def _hang_up(self, code: int, reason: str, farewell: float = FAREWELL) -> None:
        """What waits goes out first, if the client takes it in time."""
        self._outlet.leave()
        self.connection.close(code, reason)
        self._ends = elapsed() + farewell

    def _count(self) -> None:
        moment = elapsed()
        refill = (moment - self._counted) * SOCKET_MESSAGES_PER_SECOND
        self._allowance = min(float(SOCKET_BURST), self._allowance + refill) - 1.0
        self._counted = moment
        if self._allowance < 0 and not self.connection.closing:
            self._hang_up(messages.TOO_MANY, "too many messages")

    def _obey(self, text: bytes) -> None:
        try:
            ask = messages.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self._complain('a message is a JSON object like {"type":"subscribe","topic":"operations"}')
            return
        if ask.type == "ping":
            for frame in self._outlet.heartbeat():
                self._send(frame)
        elif ask.type not in ("subscribe", "unsubscribe"):
            self._complain("the type of a message is subscribe, unsubscribe or ping")
        elif not topics.is_topic(ask.topic):
            self._complain("a topic is operations, operation:<id> or children:<id>")
        else:
            self._change(ask)

    def _change(self, ask: Ask) -> None:
        held = self._outlet.box.topics
        if ask.type == "unsubscribe":
            self._outlet.unsubscribe(ask.topic)
        elif ask.topic not in held and len(held) >= SOCKET_TOPICS:
            self._complain(f"one connection watches at most {SOCKET_TOPICS} topics")
        else:
            self._outlet.subscribe(ask.topic, ask.cursor)

    def _complain(self, detail: str) -> None:
        self._mistakes += 1
        self._send(Frame(messages.Error(detail)))
        if self._mistakes >= SOCKET_MISTAKES:
            self._hang_up(messages.POLICY, "too many messages nobody understands")
