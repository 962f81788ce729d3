"""Cancelling tasks of somebody's app, on a real prefork worker."""

from __future__ import annotations

from pathlib import Path

from tests.installed.conftest import Shop
from tests.installed.test_ends import busy
from tracker.celery.cancelling import Cancelling
from tracker.model import Status
from tracker.settings import Settings


def cancelling(shop: Shop) -> Cancelling:
    environment = {"TRACKER_REDIS_URL": shop.store.client.url, "TRACKER_NAMESPACE": shop.namespace}
    return Cancelling(Settings.from_env(environment), shop.store, shop.history)


def test_a_task_that_waits_never_begins(shop: Shop, tmp_path: Path) -> None:
    """It would not look by itself; Celery throws its message away."""
    full = [busy(shop)[0] for _ in range(2)]
    waits = shop.script(f"print(shop.busy.delay({str(tmp_path / 'begun')!r}))")
    shop.once(waits, lambda found: found.status is Status.QUEUED)
    cancelling(shop).cancel(waits, "ada")
    assert shop.ended(waits).status is Status.CANCELLED
    for id in full:
        cancelling(shop).cancel(id, "ada")
        assert shop.ended(id).status is Status.CANCELLED
    assert shop.ended(shop.send("shop.steps")).status is Status.COMPLETE
    found = shop.history.operation(waits)
    assert (found.status, found.attempt, found.cancel and found.cancel.by) == (Status.CANCELLED, 0, "ada")


def test_a_task_that_makes_no_calls_ends_by_force(shop: Shop, tmp_path: Path) -> None:
    """Whoever sent it knew nothing of the tracker, and it is cancelled all the same."""
    id = shop.send("shop.lasts", str(tmp_path / "pipe"))
    shop.once(id, lambda found: found.status is Status.RUNNING)
    cancelling(shop).cancel(id, "ada", terminate=True)
    found = shop.ended(id)
    assert (found.status, found.cancel and found.cancel.by) == (Status.CANCELLED, "ada")
