"""Executions that were counted and not kept, by day and name, on their way to the archive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from uuid import uuid4

import msgspec

from tracker.store.client import Client
from tracker.store.decoding import named
from tracker.store.keys import Keys

Counts = Counter[tuple[int, str]]
"""How many succeeded, by day since 1970 and name."""

TOKEN = "token"
"""Field beside the counts taken; theirs have a blank in their names."""


class Brief(msgspec.Struct, frozen=True):
    """The counts of one namespace."""

    client: Client
    keys: Keys

    def waiting(self) -> Counts:
        """All that are not known to be in the archive."""
        with self.client.answering() as redis:
            taken, new = redis.hgetall(self.keys.brief_taken), redis.hgetall(self.keys.brief)
        return _counts(taken.items()) + _counts(new.items())

    def take(self) -> tuple[str, Counts] | None:
        """Those that are to be archived next, under a token by which the archive knows them again.

        They are the same until they are ``done``, whoever asks and however often.
        """
        with self.client.answering() as redis:
            if not redis.exists(self.keys.brief_taken):
                if not redis.exists(self.keys.brief):
                    return None
                redis.renamenx(self.keys.brief, self.keys.brief_taken)
            redis.hsetnx(self.keys.brief_taken, TOKEN, uuid4().hex)
            taken = redis.hgetall(self.keys.brief_taken)
        return taken[TOKEN.encode()].decode(), _counts(taken.items())

    def done(self) -> None:
        """What was taken is in the archive."""
        with self.client.answering() as redis:
            redis.unlink(self.keys.brief_taken)


def _counts(fields: Iterable[tuple[bytes, bytes]]) -> Counts:
    found: Counts = Counter()
    for field, count in fields:
        day, _, name = named(field).partition(" ")
        if day.isdecimal() and count.isdigit():  # Beside them stands the token.
            found[int(day), name] += int(count)
    return found
