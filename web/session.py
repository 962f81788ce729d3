"""One WebSocket: listens to its client, and sends what its mailbox holds. Only this thread sends messages."""

from __future__ import annotations

from typing import Any

import msgspec

from tracker.clock import elapsed
from web import messages, topics
from web.limits import SOCKET_BURST, SOCKET_MESSAGES_PER_SECOND, SOCKET_MISTAKES, SOCKET_TOPICS
from web.messages import Ask, Message
from web.outlet import GOODBYE, Outlet
from web.site import Site


class Hangup(Exception):
    """The client leaves no choice but to close the connection."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Session:
    """Serves one client until it leaves, misbehaves, or the server stops."""

    def __init__(self, ws: Any, site: Site) -> None:
        self._ws = ws
        self._outlet = Outlet(site, ws.event.set)
        self._allowance = float(SOCKET_BURST)
        self._counted = elapsed()
        self._mistakes = 0

    def run(self) -> tuple[int, str]:
        """Serve; the close code and reason to end with. Raises what the socket raises when the client is gone."""
        try:
            self._send(self._outlet.hello())
            while not self._outlet.is_over:
                self._turn()
            self._send(self._outlet.bye())
            return messages.RESTART, GOODBYE
        except Hangup as hangup:
            return hangup.code, hangup.reason
        finally:
            self._outlet.leave()

    def _turn(self) -> None:
        """Clear the event first: what comes in after that wakes the wait at the end."""
        self._ws.event.clear()
        self._listen()
        for text in self._outlet.due():
            self._ws.send(text)
        self._ws.event.wait(self._outlet.pause())

    def _send(self, message: Message) -> None:
        self._ws.send(messages.frame(message))

    def _listen(self) -> None:
        while (text := self._ws.receive(timeout=0)) is not None:
            self._count()
            self._obey(text)

    def _count(self) -> None:
        moment = elapsed()
        refill = (moment - self._counted) * SOCKET_MESSAGES_PER_SECOND
        self._allowance = min(float(SOCKET_BURST), self._allowance + refill) - 1.0
        self._counted = moment
        if self._allowance < 0:
            raise Hangup(messages.TOO_MANY, "too many messages")

    def _obey(self, text: str | bytes) -> None:
        try:
            ask = messages.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self._complain('a message is a JSON object like {"type":"subscribe","topic":"operations"}')
            return
        if ask.type == "ping":
            for text in self._outlet.heartbeat():
                self._ws.send(text)
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
        self._send(messages.Error(detail))
        if self._mistakes >= SOCKET_MISTAKES:
            raise Hangup(messages.POLICY, "too many messages nobody understands")
