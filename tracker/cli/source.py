"""Finds the Redis a command works with, and opens the store and the history on it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tracker.errors import StoreUnavailable
from tracker.settings import Settings

if TYPE_CHECKING:
    from tracker.history import History
    from tracker.store import Store

NO_REDIS = "no Redis: set TRACKER_REDIS_URL or start `tracker up`"


def settings() -> Settings:
    """The environment's settings with the Redis URL completed from a running embedded server.

    Raises ``StoreUnavailable`` when there is neither.
    """
    found = Settings.from_env()
    if found.redis_url:
        return found
    from tracker.embedded import find_server

    server = find_server(found.state_dir)
    if server is None:
        raise StoreUnavailable(NO_REDIS)
    return replace(found, redis_url=server.url)


def open_store(found: Settings) -> Store:
    """A store that has answered once; raises ``StoreUnavailable``."""
    from tracker.store import Store

    store = Store.of(found)
    store.ping()
    return store


def open_both() -> tuple[Store, History]:
    """The Redis the environment names, and the read facade over it and the archive."""
    from tracker.history import History

    found = settings()
    store = open_store(found)
    return store, History.of(found, store)


def open_history() -> History:
    """The read facade over the Redis and the archive that the environment names."""
    return open_both()[1]
