"""Takes what was erased out of the feed: a copy without it takes the feed's place.

Followers prove by the entries that they have missed none, and go on from places within them. So every entry stays, with
as many changes; one of an erased operation tells nothing any more, but how the children of what it is below stand then.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import uuid4

from tracker.store.client import Client
from tracker.store.follow import numbers_of
from tracker.store.keys import Keys
from tracker.store.server import server_facts

WINDOW = 50
"""Entries read or written in one go; they are 4 kB at most, and nobody else waits for Redis."""

LAST = 20
"""Fewer than so many are copied in the moment in which the copy takes the feed's place."""

LIFE = 600
"""Seconds after which a copy is gone whose maker has died."""

ENTRY = 100
"""Bytes that an entry takes beside what it tells."""

HEAD = re.compile(
    rb'\{"op":"([^"]*)","rev":[0-9]+,"attempt":[0-9]+,"parent":"([^"]*)"(?:,"fresh":true)?(,"counts":\{[^}]*\})?'
)
"""How a change begins, as the script writes it."""

EXCHANGE = """
local feed, copy, maker, old = unpack(KEYS)
local token, last, least, life = unpack(ARGV)
if redis.call('GET', maker) ~= token or #redis.call('XRANGE', feed, last, last) == 0 then return 'lost' end
local rest = redis.call('XRANGE', feed, '(' .. last, '+', 'COUNT', least)
if #rest == tonumber(least) then return 'more' end
for _, entry in ipairs(rest) do redis.call('XADD', copy, entry[1], unpack(entry[2])) end
redis.call('PERSIST', copy)
redis.call('RENAME', feed, old)
redis.call('RENAME', copy, feed)
redis.call('EXPIRE', old, life)
redis.call('DEL', maker)
return 'done'
"""
"""Unless somebody else has begun a copy since, or the feed is not the one that was copied."""

DONE = """
for place = 1, #ARGV, 2 do
  if redis.call('HGET', KEYS[1], ARGV[place]) == ARGV[place + 1] then redis.call('HDEL', KEYS[1], ARGV[place]) end
end
"""
"""Unless it was erased once more since."""

Place = tuple[int, int]
"""An entry of the feed."""

NOT_ERASED: Place = (-1, -1)

Fields = Mapping[bytes, bytes]


class Erasing:
    """The feed of one namespace. Several may be at work at once: whoever begins last gets through."""

    def __init__(self, client: Client, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    def turn(self) -> None:
        """Do it if there is anything to be taken out, and room for a copy; raises ``StoreUnavailable``."""
        with self._client.answering() as redis:
            erased = dict(redis.hscan_iter(self._keys.erased, count=WINDOW))
            if not erased:
                return
            until = {id: numbers_of(entry.decode()) for id, entry in erased.items()}
            size = self._size(redis, until)
            if not size or (self._has_room(size) and self._exchange(redis, until)):
                pairs = [value for pair in erased.items() for value in pair]
                for start in range(0, len(pairs), 2 * WINDOW):
                    redis.eval(DONE, 1, self._keys.erased, *pairs[start : start + 2 * WINDOW])

    def _size(self, redis: Any, until: Mapping[bytes, Place]) -> int:
        """About how many bytes the feed takes; 0 if it tells nothing that was erased."""
        size, is_told = 0, False
        for entries in self._windows(redis, "-"):
            for entry, fields in entries:
                size += ENTRY + sum(map(len, fields.values()))
                is_told = is_told or without(entry, fields, until) != fields
        return size if is_told else 0

    def _has_room(self, size: int) -> bool:
        """Nobody shall want for memory because of it."""
        facts = server_facts(self._client)
        return not facts.maxmemory or facts.used is None or facts.used + 2 * size < facts.maxmemory

    def _exchange(self, redis: Any, until: Mapping[bytes, Place]) -> bool:
        token, said, last = uuid4().hex, b"more", "0-0"
        maker, copy, old = (self._keys.feed_copy(part) for part in ("", token, f"{token}:old"))
        redis.set(maker, token, ex=LIFE)
        try:
            while said == b"more":
                for entries in self._windows(redis, f"({last}"):
                    self._write(redis, copy, entries, until)
                    last = entries[-1][0].decode()
                said = redis.eval(EXCHANGE, 4, self._keys.feed, copy, maker, old, token, last, LAST, LIFE)
        finally:
            redis.unlink(copy, old)
        return bool(said == b"done")

    def _write(
        self, redis: Any, copy: str, entries: Sequence[tuple[bytes, Fields]], until: Mapping[bytes, Place]
    ) -> None:
        pipe = redis.pipeline(transaction=False)
        for entry, fields in entries:
            pipe.xadd(copy, without(entry, fields, until), id=entry)
        pipe.expire(copy, LIFE)
        pipe.execute()

    def _windows(self, redis: Any, start: str) -> Iterator[list[tuple[bytes, Fields]]]:
        """The entries of the feed, some at a time, up to where it ends by then."""
        while entries := redis.xrange(self._keys.feed, start, "+", count=WINDOW):
            yield entries
            if len(entries) < WINDOW:
                return
            start = f"({entries[-1][0].decode()}"


def without(entry: bytes, fields: Fields, until: Mapping[bytes, Place]) -> Fields:
    """An entry of the feed without what it tells of operations that were erased, each ``until`` an entry."""
    place, told = numbers_of(entry.decode()), fields.get(b"m", b"").split(b"\n")
    kept = [_emptied(change, place, until) for change in told]
    return fields if kept == told else {**fields, b"m": b"\n".join(kept)}


def _emptied(change: bytes, place: Place, until: Mapping[bytes, Place]) -> bytes:
    head = HEAD.match(change)
    if head is None or place > until.get(head[1], NOT_ERASED):
        return change
    parent, counts = head[2], head[3] or b""
    if place <= until.get(parent, NOT_ERASED):
        parent, counts = b"", b""
    return b'{"op":"","rev":0,"attempt":0,"parent":"%b"%b,"events":[]}' % (parent, counts)
