"""A store of one test on the session's real server, and small makers of what goes into it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tracker.store import Store


@pytest.fixture
def store(redis_url: str, namespace: str) -> Iterator[Store]:
    """A store with a namespace of its own."""
    store = Store(redis_url, namespace)
    yield store
    store.client.disconnect()
