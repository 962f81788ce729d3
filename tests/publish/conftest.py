"""A publisher on a real server of the test's own, connected to the event bus."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tracker import event_bus
from tracker.embedded import Server, ensure_server
from tracker.publish import Publisher
from tracker.store import Store


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server that the test may stop, kill or flush."""
    server = ensure_server(tmp_path / "redis")
    yield server
    server.stop()


@pytest.fixture
def store(server: Server) -> Iterator[Store]:
    store = Store(server.url)
    yield store
    store.client.disconnect()


@pytest.fixture
def publisher(server: Server) -> Iterator[Publisher]:
    """A publisher that takes this process's events while the test runs."""
    publisher = Publisher(Store(server.url))
    event_bus.connect(lambda: publisher)
    yield publisher
    publisher.flush()
    from tracker import _sink

    event_bus.connect(_sink)
