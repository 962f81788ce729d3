"""Revs of an operation, counted from its beginning: a store begins them at a time, which no test can foresee."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from tracker.store import Change, Store
from tracker.store.follow import readable


def feed(store: Store) -> list[Change]:
    """Everything the feed still holds, in order, but for what makes no sense."""
    return [change for entry in store.client.redis.xrange(store.keys.feed) for change in readable(*entry)]


def beginnings(store: Store) -> dict[str, list[int]]:
    """The rev just before each first change of each operation: more than one if it came back."""
    found: dict[str, list[int]] = defaultdict(list)
    for change in feed(store):
        if change.fresh:
            found[change.operation].append(change.first_rev - 1)
    return found


def begun(store: Store, id: str) -> int:
    """The rev just before the first change of an operation, since it is in the store."""
    return beginnings(store)[id][-1]


def counted(revs: Iterable[int], beginnings: Sequence[int]) -> list[int]:
    """Each rev counted from the beginning before it."""
    return [rev - max((begun for begun in beginnings if begun < rev), default=0) for rev in revs]


def rev_of(store: Store, id: str) -> int:
    """Of what is stored: as many as there were changes, if none was counted twice or left out."""
    parts = store.operation(id)
    assert parts is not None
    return parts.rev - begun(store, id)
