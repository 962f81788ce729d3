"""A store, an archive and the recorder between them, of one test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tracker.archive import Archive
from tracker.history import History, archiving
from tracker.history.recorder import Recorder
from tracker.store import Store


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ended operations are archived without waiting for late events."""
    monkeypatch.setattr(archiving, "QUIET", 0.0)


@pytest.fixture
def store(redis_url: str, namespace: str) -> Iterator[Store]:
    """A store with a namespace of its own."""
    store = Store(redis_url, namespace)
    yield store
    store.client.disconnect()


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """An archive of its own, which does not exist yet."""
    archive = Archive(f"sqlite:///{tmp_path}/archive.sqlite3")
    yield archive
    archive.close()


@pytest.fixture
def recorder(store: Store, archive: Archive) -> Recorder:
    return Recorder(store, archive)


@pytest.fixture
def history(store: Store, archive: Archive) -> History:
    return History(store, archive)
