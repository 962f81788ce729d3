"""Who looks after a namespace, and what waits for that."""

from __future__ import annotations

from tracker.model import Value
from tracker.store.client import Client
from tracker.store.keys import Keys


class Upkeep(Value, frozen=True, omit_defaults=False):
    """``recorder``: whether one is active; ``late``: replayed blobs that wait for it; ``dropped``: had no room."""

    recorder: bool
    late: int
    dropped: int


def upkeep(client: Client, keys: Keys) -> Upkeep:
    """Read it; raises ``StoreUnavailable``."""
    with client.answering() as redis:
        pipe = redis.pipeline(transaction=False)
        pipe.exists(keys.recorder)
        pipe.llen(keys.late)
        pipe.get(keys.late_dropped)
        recorder, late, dropped = pipe.execute()
    return Upkeep(bool(recorder), int(late), int(dropped or 0))
