"""A store of one test on the session's real server, and followers of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.store.watching import Watch, Watching
from tracker.store import Store


@pytest.fixture
def store(redis_url: str, namespace: str) -> Iterator[Store]:
    """A store with a namespace of its own."""
    store = Store(redis_url, namespace)
    yield store
    store.client.disconnect()


@pytest.fixture
def watch(store: Store) -> Iterator[Watch]:
    """Starts followers, and stops them after the test."""
    watching: list[Watching] = []

    def start(operation: str | None = None) -> Watching:
        watching.append(Watching(store, operation))
        return watching[-1]

    yield start
    for one in watching:
        one.ask_to_stop()
    for one in watching:
        one.join()
