"""Who looks after a namespace, and what waits for that."""

from __future__ import annotations

from tracker.model import Value
from tracker.store.client import Client
from tracker.store.keys import Keys


class Upkeep(Value, frozen=True, omit_defaults=False):
    """``recorder``: whether one is active; ``late``: replayed blobs that wait for it; ``dropped``: had no room.

    ``bytes`` is what ended operations take here; ``trimmed`` how many were removed, as they were too old or too many.
    """

    recorder: bool
    late: int
    dropped: int
    bytes: int
    trimmed: int


def upkeep(client: Client, keys: Keys) -> Upkeep:
    """Read it; raises ``StoreUnavailable``."""
    with client.answering() as redis:
        pipe = redis.pipeline(transaction=False)
        pipe.exists(keys.recorder)
        pipe.llen(keys.late)
        pipe.get(keys.late_dropped)
        pipe.get(keys.bytes)
        pipe.get(keys.trimmed)
        recorder, late, dropped, taken, trimmed = pipe.execute()
    return Upkeep(bool(recorder), int(late), int(dropped or 0), int(taken or 0), int(trimmed or 0))
