"""Who looks after a namespace, what waits for that, and how many operations are open."""

from __future__ import annotations

from tracker.model import Value
from tracker.store.client import Client
from tracker.store.decoding import number
from tracker.store.keys import Keys


class Upkeep(Value, frozen=True, omit_defaults=False):
    """``recorder``: whether one is active; ``late``: replayed blobs that wait for it; ``dropped``: had no room.

    ``bytes`` is what ended operations take here; ``trimmed`` how many were removed, as they were too old or too many.
    ``oldest`` is how many seconds ago the one ended that has waited longest to leave, 0 if none waits.
    """

    recorder: bool
    late: int
    dropped: int
    bytes: int
    trimmed: int
    oldest: float = 0.0


class Standing(Value, frozen=True, omit_defaults=False):
    """How many top-level operations wait, and how many run."""

    queued: int
    running: int


def standing(client: Client, keys: Keys) -> Standing:
    """Count them, however many there are, in the same time; raises ``StoreUnavailable``."""
    with client.answering() as redis:
        pipe = redis.pipeline(transaction=False)
        pipe.scard(keys.open("queued"))
        pipe.scard(keys.open("running"))
        return Standing(*map(int, pipe.execute()))


def upkeep(client: Client, keys: Keys) -> Upkeep:
    """Read it; raises ``StoreUnavailable``."""
    with client.answering() as redis:
        pipe = redis.pipeline(transaction=False)
        pipe.exists(keys.recorder)
        pipe.llen(keys.late)
        pipe.get(keys.late_dropped)
        pipe.get(keys.bytes)
        pipe.get(keys.trimmed)
        pipe.zrange(keys.ended, 0, 0, withscores=True)
        pipe.time()
        recorder, late, *numbers, ended, (seconds, micros) = pipe.execute()
    dropped, taken, trimmed = map(number, numbers)
    oldest = max(0.0, seconds + micros / 1e6 - ended[0][1]) if ended else 0.0
    return Upkeep(bool(recorder), int(late), dropped, taken, trimmed, oldest)
