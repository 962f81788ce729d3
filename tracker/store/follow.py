"""Following what is stored, live, with proof that nothing was missed.

Pub/sub is fast and may lose messages. Each message names the feed entry before it, so a follower
notices a hole and reads it from the feed; when the feed cannot prove continuity (trimmed, flushed,
rolled back) it says ``Reset``, never a partial continuation.
"""

from __future__ import annotations

import logging
import random
import re
import threading
from collections.abc import Generator, Iterator, Mapping
from typing import Any

import msgspec

from tracker.clock import elapsed
from tracker.errors import EventsGone, StoreUnavailable, TrackerError
from tracker.model import Children, Event
from tracker.store.client import Client
from tracker.store.decoding import SENSELESS, number
from tracker.store.keys import Keys

log = logging.getLogger("tracker")

TICK = 1.0
"""Seconds of silence after which a follower says ``Tick``."""

COMPARE_EVERY = 5.0
"""Seconds after which a follower compares itself with the store, whatever it hears."""

HOLE_LIMIT = 1_000
"""Most feed entries read to close one hole; beyond it a new snapshot is cheaper."""

FEED_PAGE = 100
"""Feed entries read at once in search of one operation's."""

CURSOR = re.compile(r"([0-9]{1,19}-[0-9]{1,19})(?:\.([0-9]{1,6}))?")
"""An entry of the feed, and how many of its changes are behind that place; without a number, all of them."""

LONGEST_PAUSE = 5.0
"""Longest pause between attempts to reach Redis, in seconds."""


class Reset(msgspec.Struct, frozen=True):
    """From here on the follower proves continuity again: take a new snapshot."""

    reason: str
    cursor: str


class Change(msgspec.Struct, frozen=True):
    """What was stored at once of one operation: consecutive events, the last of them at ``rev``.

    ``children`` are the new counts of ``parent``. With ``fresh`` the store knew nothing of the operation before. With
    ``hole`` the events do not tell everything: the operation must be read again.
    """

    cursor: str
    operation: str
    rev: int
    attempt: int
    parent: str
    events: list[Event]
    children: Children | None = None
    fresh: bool = False
    hole: bool = False

    @property
    def first_rev(self) -> int:
        """The rev of the first of the events."""
        return self.rev - len(self.events) + 1


class Changes(msgspec.Struct, frozen=True):
    """Some changes of one operation; ``cursor`` is where to go on from."""

    items: list[Change]
    cursor: str


class Tick(msgspec.Struct, frozen=True):
    """Nothing was heard for a while; ``stale`` means that Redis does not answer."""

    stale: bool = False


class _Message(msgspec.Struct):
    op: str
    rev: int
    attempt: int
    parent: str
    events: list[Event]
    counts: Children | None = None
    fresh: bool = False
    hole: bool = False


_decode = msgspec.json.Decoder(_Message).decode
# Not the program's own, which it may have seeded.
_chance = random.SystemRandom()


class Follower:
    """Follows the whole namespace, or with ``operation`` that one and its children."""

    def __init__(self, client: Client, keys: Keys, operation: str | None, stop: threading.Event | None) -> None:
        self._client = client
        self._keys = keys
        self._operation = operation
        self._stop = stop or threading.Event()
        self._last = "0-0"
        self._versions = (0, 0)

    def __iter__(self) -> Iterator[Reset | Change | Tick]:
        """Yield for ever (until ``stop`` is set); reconnects by itself, with growing pauses."""
        reason, failures = "start", 0
        while not self._stop.is_set():
            try:
                for item in self.connected(reason):
                    failures = 0
                    yield item
            except StoreUnavailable:
                reason, failures = "reconnected", failures + 1
                yield Tick(stale=True)
                self._stop.wait(min(LONGEST_PAUSE, 0.1 * 2**failures) * _chance.uniform(0.5, 1.0))

    def connected(self, reason: str) -> Generator[Reset | Change | Tick, None, None]:
        """Yield over one connection; raises ``StoreUnavailable`` when it is lost or refused."""
        with self._client.answering() as redis:
            pubsub = redis.pubsub()
            try:
                pubsub.subscribe(self._keys.channel(self._operation))
                _confirm(pubsub.get_message(timeout=self._client.answer_timeout))
                _hear_plainly(pubsub.connection)
                yield from self._resume(redis, reason)
                yield from self._listen(redis, pubsub)
            finally:
                pubsub.close()

    def _resume(self, redis: Any, reason: str) -> Iterator[Reset | Change]:
        """After a reconnect the namespace's follower goes on where it was, if the feed can prove it."""
        last = self._feed_last(redis)
        if reason == "start" or self._operation is not None:
            self._last, self._versions = last, self._stored_versions(redis)
            yield Reset(reason, last)
        else:
            yield from self._close_hole(redis, last)

    def _listen(self, redis: Any, pubsub: Any) -> Iterator[Reset | Change | Tick]:
        compared = elapsed()
        while not self._stop.is_set():
            message = pubsub.get_message(timeout=TICK)
            if message is not None and message["type"] == "message":
                yield from self._receive(redis, message["data"])
            else:
                yield Tick()
            if elapsed() - compared >= COMPARE_EVERY:
                compared = elapsed()
                yield from self._compare(redis)

    def _receive(self, redis: Any, data: bytes) -> Iterator[Reset | Change]:
        try:
            entry, before, body = data.split(b" ", 2)
            cursor, previous = entry.decode(), before.decode()
        except ValueError:
            return  # Another program speaks here.
        if self._operation is None and previous != self._last:
            # Else heard already, between subscribing and reading where the feed ends, or the first of a new history.
            if _later(cursor, self._last):
                yield from self._close_hole(redis, cursor)
            elif previous == "0-0":
                yield from self._close_hole(redis, self._feed_last(redis))
            return
        yield from self._read(cursor, body)

    def _close_hole(self, redis: Any, until: str) -> Iterator[Reset | Change]:
        """Read what lies between the last entry seen and ``until``; without proof of continuity, reset."""
        if until == self._last:
            return
        entries = redis.xrange(self._keys.feed, self._last, until, count=HOLE_LIMIT + 2)
        proved = self._last == "0-0" or (entries and entries[0][0].decode() == self._last)
        if not proved or len(entries) > HOLE_LIMIT + 1 or until == "0-0":
            self._last = self._feed_last(redis)
            yield Reset("the feed no longer holds what came in between", self._last)
            return
        for entry, fields in entries:
            cursor = entry.decode()
            if cursor != self._last:
                yield from self._read(cursor, fields.get(b"m", b""))

    def _read(self, cursor: str, body: bytes) -> Iterator[Reset | Change]:
        """One entry. What is in Redis is untrusted: an entry that makes no sense is a reset, not an end."""
        self._last = cursor
        try:
            changes = changes_of(cursor, body)
        except SENSELESS:
            log.warning("tracker: the feed entry %s cannot be read", cursor)
            yield Reset("an entry of the feed cannot be read", cursor)
            return
        for change in changes:
            self._note_versions(change)
            yield change

    def _compare(self, redis: Any) -> Iterator[Reset | Change]:
        """Is there anything that was stored but not heard?"""
        if self._operation is None:
            yield from self._close_hole(redis, self._feed_last(redis))
            return
        versions, known = self._stored_versions(redis), self._versions
        self._versions = versions
        if versions[0] < known[0] or versions[1] < known[1]:
            self._last = self._feed_last(redis)
            yield Reset("the operation was removed, or is told anew", self._last)
        elif versions != known:
            yield Change(self._last, self._operation, versions[0], 0, "", [], hole=True)

    def _note_versions(self, change: Change) -> None:
        """Never back: that the store went back shows when it is compared with the highest ones heard."""
        rev, children = self._versions
        if change.operation == self._operation:
            rev = max(rev, change.rev)
        if change.parent == self._operation and change.children is not None:
            children = max(children, change.children.version)
        self._versions = (rev, children)

    def _stored_versions(self, redis: Any) -> tuple[int, int]:
        """The followed operation's ``rev``, and the version of its children's counts."""
        if self._operation is None:
            return (0, 0)
        rev, children = redis.hmget(self._keys.operation(self._operation), "rev", "children_version")
        return (number(rev), number(children))

    def _feed_last(self, redis: Any) -> str:
        return feed_last(redis, self._keys)


def feed_last(redis: Any, keys: Keys) -> str:
    """The newest entry of the feed; ``0-0`` if there is none."""
    last = redis.get(keys.feed_last)
    return str(last.decode()) if last else "0-0"


def age_of(client: Client, cursor: str) -> float:
    """How many seconds ago an entry of the feed was stored, by the clock of Redis that numbered it."""
    with client.answering() as redis:
        seconds, micros = redis.time()
    return float(max(0.0, seconds + micros / 1e6 - numbers_of(cursor)[0] / 1e3))


def changes_after(
    client: Client, keys: Keys, operation: str, after: str, limit: int, *, below: bool = False
) -> Changes:
    """Changes of one operation behind a cursor, at most ``limit`` of them, as far as the feed holds them.

    A cursor is untrusted: of one that the feed cannot prove to be its own, nothing is said. ``0-0`` is the beginning
    of the operation. With ``below``, its children's are among them.
    """
    cursor = CURSOR.fullmatch(after)
    if cursor is None:
        raise TrackerError(f"{after[:100]!r} is no cursor; take one as it was given, or 0-0")
    entry, from_start = cursor[1], after == "0-0"

    def is_wanted(change: Change) -> bool:
        return change.operation == operation or (below and change.parent == operation)

    with client.answering() as redis:
        begun = [] if from_start else redis.xrange(keys.feed, entry, entry)
        if not from_start and not begun:
            raise EventsGone("the feed no longer holds what came after that cursor; read the operation as it is now")
        rest = readable(*begun[0])[int(cursor[2]) :] if cursor[2] and begun else []
        found = [change for change in rest if is_wanted(change)]
        while len(found) <= limit and (entries := redis.xrange(keys.feed, f"({entry}", "+", count=FEED_PAGE)):
            entry = entries[-1][0].decode()
            # Looking for the id is much faster than reading what is not wanted.
            told = (read for read in entries if operation.encode() in read[1].get(b"m", b""))
            found += [change for read in told for change in readable(*read) if is_wanted(change)]
    if from_start and not (found and found[0].fresh):
        raise EventsGone("the feed no longer holds how this operation began; read it as it is now")
    return Changes(found[:limit], found[limit - 1].cursor if len(found) > limit else entry)


def readable(entry: bytes, fields: Mapping[bytes, bytes]) -> list[Change]:
    """The changes of an entry as Redis gives it; none if it makes no sense."""
    try:
        return changes_of(entry.decode(), fields.get(b"m", b""))
    except SENSELESS:
        return []


def changes_of(cursor: str, body: bytes) -> list[Change]:
    """The changes of one entry of the feed, or the one that was heard with its own cursor."""
    messages = body.split(b"\n")
    places = [f"{cursor}.{number}" for number in range(1, len(messages))]
    return [_change(place, message) for place, message in zip([*places, cursor], messages, strict=True)]


def _later(cursor: str, than: str) -> bool:
    return numbers_of(cursor) > numbers_of(than)


def numbers_of(cursor: str) -> tuple[int, int]:
    """What entries of the feed are ordered by."""
    milliseconds, _, number = cursor.partition("-")
    return int(milliseconds), int(number.partition(".")[0] or 0)


def _confirm(message: dict[str, Any] | None) -> None:
    """Only a subscription that Redis has confirmed hears everything from now on."""
    if message is None or message["type"] != "subscribe":
        raise StoreUnavailable("Redis did not confirm the subscription")


def _hear_plainly(connection: Any) -> None:
    """redis-py writes every message that is pushed into a text for its log, on which it spends most of the reading."""
    parser = getattr(connection, "_parser", None)
    take_over = getattr(parser, "set_pubsub_push_handler", None)  # Only RESP3 pushes.
    if take_over is not None:
        take_over(lambda message: message)


def _change(cursor: str, body: bytes) -> Change:
    message = _decode(body)
    return Change(
        cursor=cursor,
        operation=message.op,
        rev=message.rev,
        attempt=message.attempt,
        parent=message.parent,
        events=message.events,
        children=message.counts,
        fresh=message.fresh,
        hole=message.hole,
    )
