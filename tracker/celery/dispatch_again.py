"""The task that queues children of a batch again; it is the batch's own run, as its first dispatch was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from celery import Celery, Task, shared_task
from msgspec.structs import replace

from tracker import config
from tracker.celery.again import DISPATCH_AGAIN
from tracker.celery.dispatch import AT_ONCE, stored
from tracker.celery.jobs import OperationTask
from tracker.celery.sending import send
from tracker.compose import status_of
from tracker.context import enclosing_run
from tracker.errors import OperationCancelled, StoreUnavailable
from tracker.history.batches import FAILED, all_children, check_dispatch, give_up, task_of_child
from tracker.ids import new_id
from tracker.model import Again, Error, Parts, Status
from tracker.outcome import message_of
from tracker.publish import flush
from tracker.record import Record
from tracker.step_tracker import StepTracker
from tracker.store import QueueAgain, Seal, Sent, Store


@shared_task(name=DISPATCH_AGAIN, base=OperationTask, bind=True)
def dispatch_again(self: Task[Any, Any], batch: str) -> None:
    """Queue every child of ``batch`` again that has failed, was cancelled or lost, and whose arguments are known.

    Each at most once for one request, however often this is delivered. When all are queued, the last of them to end
    settles the batch.
    """
    store, run = Store.of(config.settings()), enclosing_run()
    record, sent = stored(store, batch)
    queue = record.parts.queue if record is not None else None
    if record is None or queue is None or queue.again is None:
        return
    try:
        _queue_children(self.app, store, record, queue.again, sent, run.run if run is not None else "")
    except OperationCancelled:
        # Whoever asked for it may have been a moment too early for the last that was queued.
        with suppress(StoreUnavailable):
            store.cancel(batch, (run and run.cancelled_by) or "")
    finally:
        store.append([Seal(batch, record.parts.children.total)])


def _queue_children(app: Celery, store: Store, record: Record, again: Again, noted: int, run: str) -> None:
    batch = record.parts
    title = batch.queue.title if batch.queue is not None else batch.id
    with (
        StepTracker(title, steps=["Queue children"]) as tracker,
        tracker.step("Queue children") as step,
        app.producer_pool.acquire(block=True) as producer,
    ):
        step.set_total(batch.children.total)
        step.advance(noted)
        flush()
        passed = noted
        try:
            at_once = 1 if check_dispatch(record, noted, run) else AT_ONCE
            for child in _to_be_sent(store, batch.id, again, noted):
                if child.queue is None:
                    continue
                send(app, child, child.queue.name, child.queue.args or {}, [title], new_id(), producer=producer)
                step.advance(child.queue.index - passed)
                passed = child.queue.index
                if passed - noted >= at_once:
                    store.append([Sent(batch.id, passed)])
                    noted = passed
        except Exception as error:
            give_up(store, batch.id, passed, Error(type(error).__name__, message_of(error)))
            raise
        step.advance(batch.children.total - passed)


def _to_be_sent(store: Store, batch: str, again: Again, sent: int) -> Iterator[Parts]:
    """The children that run again, each once it is queued; also what an earlier delivery has queued and still waits.

    None of the first ``sent``.
    """
    for child in all_children(store, batch):
        queue, run = child.queue, child.run
        if queue is None or not queue.whole or queue.index <= sent:
            continue
        status = status_of(queue, run, child.verdict)
        task = task_of_child(again, queue.index)
        if status in FAILED and (queue.again is None or queue.again.task != task):
            queue = replace(queue, again=replace(again, task=task, run=run.run if run is not None else ""))
            (answer,) = store.append([QueueAgain(child.id, status, queue)])
            if answer.kind == "stored":
                yield Parts(child.id, queue=queue)
        elif status is Status.QUEUED and queue.again is not None and queue.again.task == task:
            yield child
