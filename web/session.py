"""One WebSocket: listens to its client, and sends what its mailbox holds. Only this thread sends messages."""

from __future__ import annotations

from typing import Any

import msgspec

from tracker.clock import elapsed, now
from web import messages, topics
from web.limits import SOCKET_BURST, SOCKET_MESSAGES_PER_SECOND, SOCKET_MISTAKES, SOCKET_TOPICS
from web.mailbox import Mailbox
from web.messages import Ask, Message
from web.site import Site

LOOK_UP = 0.25
"""Longest time without a look at whether the server stops, in seconds: a signal handler may not wake threads."""

STALE = "Redis does not answer; what is shown may be out of date"

RETURN_AFTER = 1.0
"""Seconds after which clients of a stopping server should come back."""


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
        self._hub = site.hub
        self._version = site.assets
        self._interval = site.limits.heartbeat
        self._box = Mailbox(ws.event.set)
        self._beat = elapsed() + self._interval
        self._allowance = float(SOCKET_BURST)
        self._counted = elapsed()
        self._mistakes = 0
        self._stale = False

    def run(self) -> tuple[int, str]:
        """Serve; the close code and reason to end with. Raises what the socket raises when the client is gone."""
        self._hub.start()
        try:
            self._send(messages.Hello(self._version, now()))
            while not self._hub.stopping.is_set():
                self._turn()
            self._send(messages.Bye("the server restarts", RETURN_AFTER))
            return messages.RESTART, "the server restarts"
        except Hangup as hangup:
            return hangup.code, hangup.reason
        finally:
            self._hub.leave(self._box)

    def _turn(self) -> None:
        """Clear the event first: what comes in after that wakes the wait at the end."""
        self._ws.event.clear()
        self._listen()
        for topic in self._box.overflowed():
            self._hub.subscribe(self._box, topic, "too much happened at once")
        for text in self._box.take(elapsed()):
            self._ws.send(text)
        self._tell_staleness()
        if elapsed() >= self._beat:
            self._heartbeat()
        self._ws.event.wait(self._pause())

    def _pause(self) -> float:
        due = self._box.due()
        moment = min(self._beat, due) if due is not None else self._beat
        return min(max(0.0, moment - elapsed()), LOOK_UP)

    def _send(self, message: Message) -> None:
        self._ws.send(messages.frame(message))

    def _heartbeat(self) -> None:
        """Not while Redis does not answer: clients see from the silence that what they show gets old."""
        self._beat = elapsed() + self._interval
        if self._hub.following:
            self._send(messages.Heartbeat(self._hub.cursor, now()))

    def _tell_staleness(self) -> None:
        stale = bool(self._hub.cursor) and not self._hub.following
        if stale and not self._stale:
            self._send(messages.Error(STALE))
        self._stale = stale

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
            self._heartbeat()
        elif ask.type not in ("subscribe", "unsubscribe"):
            self._complain("the type of a message is subscribe, unsubscribe or ping")
        elif not topics.is_topic(ask.topic):
            self._complain("a topic is operations, operation:<id> or children:<id>")
        else:
            self._change(ask)

    def _change(self, ask: Ask) -> None:
        held = self._box.topics
        if ask.type == "unsubscribe":
            self._hub.unsubscribe(self._box, ask.topic)
        elif ask.topic not in held and len(held) >= SOCKET_TOPICS:
            self._complain(f"one connection watches at most {SOCKET_TOPICS} topics")
        else:
            self._hub.subscribe(self._box, ask.topic)

    def _complain(self, detail: str) -> None:
        self._mistakes += 1
        self._send(messages.Error(detail))
        if self._mistakes >= SOCKET_MISTAKES:
            raise Hangup(messages.POLICY, "too many messages nobody understands")
