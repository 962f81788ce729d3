"""What a worker's parent process says of operations whose own process can say nothing any more."""

from __future__ import annotations

import logging
from collections.abc import Callable

from tracker.clock import now
from tracker.compose import compose
from tracker.errors import StoreUnavailable
from tracker.history.batches import give_up
from tracker.model import Error, Parts, QueuePart, Status, Verdict
from tracker.redact import line
from tracker.store import QueueItem, Store, VerdictItem

log = logging.getLogger("tracker")


def if_reachable(call: Callable[[], object]) -> None:
    """Tell the store something; when it does not answer, a log line must do."""
    try:
        call()
    except StoreUnavailable as error:
        log.warning("tracker: the worker could not tell Redis: %s", error)


def death(store: Store, operation: str, queue: QueuePart, error: BaseException) -> None:
    """The process running ``operation`` has died: its run, still open, is lost.

    If nothing was told of it before, ``queue`` is. With a batch's dispatch, the children it had not sent are lost too.
    """
    parts = store.operation(operation)
    if parts is None:
        parts = Parts(operation, queue=queue)
        store.append([QueueItem(operation, queue)])
    run = parts.run.run if parts.run is not None else ""
    expected = Status.RUNNING if run else Status.QUEUED
    why = _why(parts, error)
    store.append([VerdictItem(operation, expected, Verdict(Status.LOST, now(), "worker", run=run, error=why))])
    if parts.queue is not None and parts.queue.batch:
        give_up(store, operation, store.messages.sent(operation), why)


def went_back(store: Store, operation: str, error: BaseException | None) -> None:
    """The message of ``operation`` goes back to the queue: its run, still open, is over, and ``error`` says why.

    A batch does not wait meanwhile: its children run, and settle it.
    """
    parts = store.operation(operation)
    if parts is None or parts.run is None:
        return
    status = Status.RUNNING if parts.queue is not None and parts.queue.batch else Status.QUEUED
    why = _why(parts, error) if error is not None else None
    verdict = Verdict(status, now(), "worker", parts.run.run, "its process died; it is run again", why)
    store.append([VerdictItem(operation, Status.RUNNING, verdict)])


def revocation(store: Store, operation: str, by: str) -> None:
    """Celery throws the message of ``operation`` away, or has ended its process; ``by`` says who made it do so."""
    parts = store.operation(operation)
    if parts is None:
        return
    status = compose(parts, steps=False).status
    if status is Status.QUEUED:
        store.cancel(operation, by)
    elif status is Status.RUNNING and parts.run is not None:
        asked = parts.cancel.by if parts.cancel is not None else by
        verdict = Verdict(Status.CANCELLED, now(), asked, run=parts.run.run)
        store.append([VerdictItem(operation, Status.RUNNING, verdict)])


def _why(parts: Parts, error: BaseException) -> Error:
    return Error(type(error).__name__, line(str(error)), _path(parts))


def _path(parts: Parts) -> list[str]:
    """The operation and the step it was at, by its last word."""
    operation = compose(parts)
    return [operation.title, operation.step.name] if operation.step is not None else [operation.title]
