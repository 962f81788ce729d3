"""From the process to Redis, in the background."""

from __future__ import annotations

from pathlib import Path

from tracker.publish.publisher import EXIT_WAIT, Publisher
from tracker.settings import Settings
from tracker.store import Store

__all__ = ["Publisher", "connect", "flush", "settle", "spool_folder"]

_publishers: list[Publisher] = []


def connect(settings: Settings) -> Publisher:
    """A publisher for the Redis that ``settings`` name; connects, and starts its thread, at the first event.

    The client and a connection are made here, in the caller's thread: redis-py imports modules meanwhile, and a fork
    during an import in another thread leaves the child with half a module.
    """
    if settings.redis_url is None:
        raise ValueError("settings.redis_url is not set")
    store = Store.of(settings)
    pool = store.client.redis.connection_pool
    pool.connection_class(**pool.connection_kwargs)  # Not opened, and not kept.
    import encodings.idna  # noqa: F401  # What the name of the host is read with.

    _publishers[:] = [Publisher(store, spool_folder(settings))]
    return _publishers[0]


def spool_folder(settings: Settings) -> Path:
    """Where processes of this namespace keep on disk what Redis does not take."""
    return settings.state_dir / "spool" / settings.namespace


def flush(timeout: float = EXIT_WAIT) -> bool:
    """Wait until every event of this process is stored; ``False`` if that took longer than ``timeout`` seconds."""
    return all(publisher.flush(timeout) for publisher in _publishers)


def settle(timeout: float = EXIT_WAIT) -> bool:
    """This process ends: wait until every event of it is stored or, if Redis is away, on disk."""
    return all(publisher.settle(timeout) for publisher in _publishers)
