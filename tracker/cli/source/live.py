"""Follows a web server: one live connection, which comes back for ever and goes on from where it was."""

from __future__ import annotations

import random
import threading
from collections.abc import Generator, Iterator

import msgspec

from tracker.cli.source import connections
from tracker.cli.source.answers import no_tracker
from tracker.cli.source.connections import Connection, Ended, EventStream, WebSocket, other_version
from tracker.cli.source.http import Http
from tracker.cli.source.items import Events, Item, Reset, Snapshot, Tick
from tracker.cli.source.messages import Bye, Hello, Message, Trouble, read
from tracker.clock import elapsed
from tracker.history import topics

LOOK = 0.5
"""Seconds of silence after which a follower says that it is there, and looks whether it is to stop."""

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds before the next connection: twice as many after each that failed."""

LOST = "the connection was lost"

_chance = random.SystemRandom()


class Live:
    """One subject behind a server: an operation with its children, or all top-level operations."""

    def __init__(self, http: Http, id: str | None, stop: threading.Event) -> None:
        self._http = http
        self._stop = stop
        self._cursors = dict.fromkeys(topics.of_subject(id), "")
        self._way: type[Connection] = WebSocket
        self._proven: type[Connection] = WebSocket
        self._failures = 0
        self._pause = 0.0
        self._is_troubled = False
        self._begun: set[str] = set()
        self._reset: set[str] = set()
        """Topics of which was told that their next snapshot takes the place of what went before."""

    def __iter__(self) -> Iterator[Item]:
        while not self._stop.is_set():
            connection = self._way(self._http, self._cursors)
            try:
                end = yield from self._hear(connection)
            finally:
                connection.close()
            if end.error is not None:
                raise end.error
            yield from self._rest(end)

    def _hear(self, connection: Connection) -> Generator[Item, None, Ended]:
        """What one connection brings; how it ended."""
        heard, has_spoken = elapsed(), False
        while not self._stop.is_set():
            text = connection.next(LOOK)
            if isinstance(text, Ended):
                return text
            if text is not None:
                message = self._read(text)
                if not (has_spoken or isinstance(message, Hello)):
                    return Ended(blocked=True)
                heard, has_spoken = elapsed(), True
                yield from self._told(message)
            elif elapsed() - heard > (connections.SILENCE if has_spoken else connections.OPENING):
                return Ended(blocked=not has_spoken)
            else:
                yield Tick(self._is_stale())
                if self._is_troubled:
                    connection.ask()
        return Ended()

    def _read(self, text: str | bytes) -> Message | None:
        try:
            return read(text)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise no_tracker(self._http.where) from None

    def _told(self, message: Message | None) -> Iterator[Item]:
        self._is_troubled = isinstance(message, Trouble)
        if isinstance(message, Hello):
            self._greet(message)
        elif isinstance(message, Bye):
            self._pause = message.retry_after
        elif isinstance(message, Reset):
            self._reset.add(message.topic)
            yield message
        elif isinstance(message, Snapshot):
            yield from self._begin(message)
        elif isinstance(message, Events):
            self._cursors[message.topic] = message.cursor
            yield message
        else:
            yield Tick(self._is_stale())

    def _greet(self, hello: Hello) -> None:
        if hello.v != topics.PROTOCOL:
            raise other_version(self._http.where, hello.v)
        self._failures, self._pause, self._proven = 0, 0.0, self._way

    def _begin(self, snapshot: Snapshot) -> Iterator[Item]:
        """A new connection begins with a snapshot if anything has happened: what, nobody has told."""
        topic = snapshot.topic
        if topic in self._begun and topic not in self._reset:
            yield Reset(LOST, topic)
        self._begun.add(topic)
        self._reset.discard(topic)
        self._cursors[topic] = snapshot.cursor
        yield snapshot

    def _is_stale(self) -> bool:
        return self._is_troubled or self._failures > 0

    def _rest(self, end: Ended) -> Iterator[Item]:
        """Choose the way of the next connection, and wait a while, so that many do not come back at the same moment."""
        self._is_troubled = False
        if end.blocked and self._way is WebSocket and not self._failures:
            self._way = EventStream
            return
        self._failures += 1
        is_other = end.blocked or self._failures % 3 == 0
        self._way = _other(self._way if end.blocked else self._proven) if is_other else self._proven
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self._failures - 1, 10))
        until = elapsed() + max(end.pause, self._pause, longest * _chance.uniform(0.5, 1.0))
        self._pause = 0.0
        while elapsed() < until and not self._stop.is_set():
            yield Tick(stale=True)
            self._stop.wait(min(LOOK, max(0.0, until - elapsed())))


def _other(way: type[Connection]) -> type[Connection]:
    return EventStream if way is WebSocket else WebSocket


def follow(http: Http, id: str | None, stop: threading.Event) -> Iterator[Item]:
    """What happens to ``id`` and its children, or to all, from now on until ``stop``."""
    return iter(Live(http, id, stop))
