"""What one live client is to be sent, and when; a WebSocket and a stream of server-sent events send the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from tracker.clock import elapsed, now
from web import messages
from web.mailbox import Mailbox
from web.messages import Frame

if TYPE_CHECKING:
    from web.site import Site

LOOK_UP = 0.25
"""Longest time without a look at whether the server stops, in seconds: a signal handler may not wake threads."""

STALE = "Redis does not answer; what is shown may be out of date"

GOODBYE = "the server restarts"

BARRED = "the token is no longer good"

RETURN_AFTER = 1.0
"""Seconds after which clients of a stopping server should come back."""


class Outlet:
    """Subscriptions of one client, and the messages they lead to. ``wake`` is called when there may be some.

    ``admitted`` says whether the client may still look.
    """

    __slots__ = ("_admitted", "_beat", "_hub", "_interval", "_stale", "_version", "box")

    def __init__(self, site: Site, wake: Callable[[], None], admitted: Callable[[], bool]) -> None:
        self.box = Mailbox(wake)
        self._admitted = admitted
        self._hub = site.hub
        self._version = site.assets
        self._interval = site.limits.heartbeat
        self._beat = elapsed() + self._interval
        self._stale = False
        self._hub.start()

    @property
    def is_over(self) -> bool:
        """Whether the server stops."""
        return self._hub.stopping.is_set()

    @property
    def is_barred(self) -> bool:
        """Whether the client may look no longer."""
        return not self._admitted()

    def hello(self) -> Frame:
        """The first message."""
        return Frame(messages.Hello(self._version, now()))

    def bye(self) -> Frame:
        """The last message."""
        return Frame(messages.Bye(GOODBYE if self.is_over else BARRED, RETURN_AFTER))

    def subscribe(self, topic: str, cursor: str = "") -> None:
        """Begin with a topic, or anew; without a snapshot if by ``cursor`` the client has all there is."""
        self._hub.subscribe(self.box, topic, cursor=cursor)

    def unsubscribe(self, topic: str) -> None:
        """End with a topic."""
        self._hub.unsubscribe(self.box, topic)

    def due(self) -> Iterator[Frame]:
        """The frames to send now."""
        yield from self.box.take(elapsed())[0]
        yield from self.signs()

    def signs(self) -> Iterator[Frame]:
        """Of them those that are due by the time alone."""
        stale = bool(self._hub.cursor) and not self._hub.following
        if stale and not self._stale:
            yield Frame(messages.Error(STALE))
        self._stale = stale
        if elapsed() >= self._beat:
            yield from self.heartbeat()

    def heartbeat(self) -> Iterator[Frame]:
        """None while Redis does not answer: clients see from the silence that what they show gets old."""
        self._beat = elapsed() + self._interval
        if self._hub.following:
            yield Frame(messages.Heartbeat(self._hub.cursor, now(), self._hub.counts))

    def pause(self) -> float:
        """Seconds until something is due, unless ``wake`` is called before."""
        due = self.box.due()
        moment = min(self._beat, due) if due is not None else self._beat
        return min(max(0.0, moment - elapsed()), LOOK_UP)

    def leave(self) -> None:
        """End with everything."""
        self._hub.leave(self.box)
