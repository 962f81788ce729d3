"""A trial of the whole way: an event is stored by the script and heard by a follower, among keys of its own.

The keys lie below the namespace's own prefix, so that the same slot and the same permissions hold, and where no reader
looks. They are gone afterwards; should this process die meanwhile, they run out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress

from tracker.clock import elapsed, now
from tracker.errors import StoreUnavailable
from tracker.ids import new_run
from tracker.model import Event, EventType, LogLine, QueuePart, RunPart, Status
from tracker.store.append import Appender, Item, QueueItem, RunBlob
from tracker.store.client import Client
from tracker.store.follow import Change, Follower, Reset, Tick
from tracker.store.keys import Keys

LIFE = 60
"""Seconds after which keys that were left behind run out."""

PATIENCE = 1.0
"""Seconds in which what is stored has to be heard."""


class TrialKeys(Keys, frozen=True):
    """Keys of one trial, below those of its namespace."""

    token: str

    @property
    def prefix(self) -> str:
        return f"tracker:{{{self.namespace}}}:trial:{self.token}:"

    def all(self, id: str) -> list[str]:
        """Every key that the life of one operation may leave."""
        named = [self.feed, self.feed_last, self.index, self.live, self.operation(id), self.log(id), self.results(id)]
        return [*named, self.ended, self.bytes, self.open("queued"), self.open("running")]


def trial(client: Client, namespace: str) -> float:
    """Seconds from storing an event to hearing of it; raises ``StoreUnavailable``."""
    keys = TrialKeys(namespace, new_run())
    listener = Client(client.url, client.answer_timeout)
    try:
        with closing(Follower(listener, keys, None, None).connected("start")) as heard:
            next(heard)  # From here on it listens.
            return _store_and_hear(client, keys, heard)
    finally:
        listener.disconnect()


def _store_and_hear(client: Client, keys: TrialKeys, heard: Iterator[Reset | Change | Tick]) -> float:
    begun = elapsed()
    try:
        with client.answering():
            Appender(client, keys)(_story("trial"))
        _clear(client, keys, later=True)
        for item in heard:
            if isinstance(item, Change):
                return elapsed() - begun
            if elapsed() - begun > PATIENCE:
                break
        raise StoreUnavailable("An event was stored, but its message did not arrive; check that Redis passes pub/sub")
    finally:
        _clear(client, keys, later=False)


def _clear(client: Client, keys: TrialKeys, *, later: bool) -> None:
    """Whoever may not remove keys may still be able to let them run out."""
    with suppress(StoreUnavailable), client.answering() as redis:
        pipe = redis.pipeline(transaction=False)
        for key in keys.all("trial"):
            pipe.expire(key, LIFE)
        if not later:
            pipe.unlink(*keys.all("trial"))
        pipe.execute(raise_on_error=False)


def _story(id: str) -> list[Item]:
    """An operation that is queued, says a line and ends: most of what the script does."""
    at = now()
    head = RunPart(id, "tracker.trial", "Trial", at, at, Status.COMPLETE, ended=at, duration=0.0)
    events = [
        Event(EventType.STEP_LOG, id, at, id, 1, log=LogLine(1, at, "trial")),
        Event(EventType.OPERATION_COMPLETE, id, at, id, 2, head=head),
    ]
    return [QueueItem(id, QueuePart("tracker.trial", at)), RunBlob(id, id, events, "", at, head)]
