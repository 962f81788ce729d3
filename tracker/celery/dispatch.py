"""The task that hands a batch's children to the broker; it is the batch's own run."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from celery import Celery, Task, shared_task

from tracker import config
from tracker.celery.jobs import OperationTask
from tracker.celery.sending import send
from tracker.context import enclosing_run
from tracker.errors import OperationCancelled, StoreUnavailable
from tracker.history.batches import give_up, queued_children
from tracker.model import Error
from tracker.outcome import message_of
from tracker.step_tracker import StepTracker
from tracker.store import Store


@shared_task(name="tracker.dispatch", base=OperationTask, bind=True)
def dispatch(self: Task[Any, Any], batch: str, hidden: dict[str, dict[str, Any]]) -> None:
    """Send every child of ``batch`` that is still queued; those that cannot be sent are given up.

    ``hidden`` are the arguments of children for which they are not stored as they were given. If the batch is
    cancelled meanwhile, none is sent any more; how the batch ends is for its children to say.
    """
    store, run = Store.of(config.settings()), enclosing_run()
    try:
        _send_children(self.app, store, batch, hidden)
    except OperationCancelled:
        # Whoever asked for it may have stopped half-way, and then nobody else would end what was not sent.
        with suppress(StoreUnavailable):
            store.cancel(batch, (run and run.cancelled_by) or "")


def _send_children(app: Celery, store: Store, batch: str, hidden: dict[str, dict[str, Any]]) -> None:
    head = store.operation(batch)
    title, total = (head.queue.title, head.children.total) if head and head.queue else (batch, 0)
    sent = 0
    with (
        StepTracker(title, steps=["Queue children"]) as tracker,
        tracker.step("Queue children") as step,
        app.producer_pool.acquire(block=True) as producer,
    ):
        try:
            for child in step.track(queued_children(store, batch), total=total, unit="operations"):
                if child.queue is not None:
                    args = hidden.get(child.id, child.queue.args or {})
                    send(app, child, child.queue.name, args, [title], producer=producer)
                sent += 1
        except Exception as error:
            give_up(store, batch, sent, Error(type(error).__name__, message_of(error)))
            raise
