"""The task that hands a batch's children to the broker; it is the batch's own run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from celery import Task, shared_task

from tracker.celery.jobs import OperationTask
from tracker.celery.sending import send
from tracker.model import Parts
from tracker.settings import Settings
from tracker.step_tracker import StepTracker
from tracker.store import Store

PAGE = 200
"""Children read at once."""


@shared_task(name="tracker.dispatch", base=OperationTask, bind=True)
def dispatch(self: Task[Any, Any], batch: str) -> None:
    """Send every child of ``batch`` that is still queued."""
    settings = Settings.from_env()
    store = Store(settings.redis_url or "", settings.namespace)
    head = store.operation(batch)
    title, total = (head.queue.title, head.children.total) if head and head.queue else (batch, 0)
    with (
        StepTracker(title, steps=["Queue children"]) as tracker,
        tracker.step("Queue children") as step,
        self.app.producer_pool.acquire(block=True) as producer,
    ):
        for child in step.track(_queued(store, batch), total=total, unit="operations"):
            send(self.app, child, producer=producer)


def _queued(store: Store, batch: str) -> Iterator[Parts]:
    page: str | None = None
    while True:
        found = store.children(batch, page=page, limit=PAGE, status="queued")
        yield from found.items
        page = found.next
        if page is None:
            return
