"""Revs of an operation, counted from its beginning: a store begins them at a time, which no test can foresee."""

from __future__ import annotations

from tracker.store import Change, Store
from tracker.store.follow import _readable


def feed(store: Store) -> list[Change]:
    """Everything the feed still holds, in order, but for what makes no sense."""
    read = (_readable(entry.decode(), fields[b"m"]) for entry, fields in store.client.redis.xrange(store.keys.feed))
    return [change for change in read if change is not None]


def first_rev(change: Change) -> int:
    """That of the first of its events."""
    return change.rev - len(change.events) + 1


def beginnings(store: Store) -> dict[str, int]:
    """The rev just before the first change of each operation, of those that came back the last first one."""
    return {change.operation: first_rev(change) - 1 for change in feed(store) if change.fresh}


def rev_of(store: Store, id: str) -> int:
    """Of what is stored: as many as there were changes, if not one was counted twice or left out."""
    parts = store.operation(id)
    assert parts is not None
    return parts.rev - beginnings(store)[id]
