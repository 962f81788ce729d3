"""Who works, and who did: processes by their last sign of life."""

from __future__ import annotations

from tests.store.making import by, lease, started
from tracker.history import History
from tracker.history.liveness import LOST_AFTER
from tracker.history.workers import FORGOTTEN_AFTER
from tracker.store import Store


def silent_for(store: Store, process: str, seconds: float) -> None:
    """Let the last sign of life of a process be that old."""
    key = store.keys.lease(process)
    store.client.redis.hset(key, "seen", float(store.client.redis.hget(key, "seen")) - seconds)


def test_a_process_that_was_lost_is_told_of_for_an_hour_and_counts_as_one_no_more(
    store: Store, history: History
) -> None:
    """Else a fleet whose machines come and go would be mostly those that have gone."""
    store.append([item for name in "pqr" for item in (by(name, started(name, f"r{name}")), lease(name, f"r{name}"))])
    silent_for(store, "p", FORGOTTEN_AFTER + 1)
    silent_for(store, "q", LOST_AFTER + 1)
    assert sorted(worker.name for worker in history.workers()) == ["q", "r"]
    assert history.measures().processes == 1
