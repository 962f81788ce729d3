"""The Redis of this machine's environment, for commands that run here: the one that is named, or the embedded one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tracker.errors import StoreUnavailable
from tracker.settings import Settings

if TYPE_CHECKING:
    from tracker.store import Store

NO_REDIS = "no Redis: set TRACKER_REDIS_URL or start `tracker up`"


def settings() -> Settings:
    """The environment's settings, completed; raises ``StoreUnavailable``."""
    return completed(Settings.from_env())


def completed(found: Settings) -> Settings:
    """Settings with the Redis URL of a running embedded server, if they name none.

    Raises ``StoreUnavailable`` when there is neither.
    """
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
