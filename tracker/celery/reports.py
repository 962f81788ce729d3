"""What a worker's parent process says of operations whose own process can say nothing any more."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from tracker.archive import runs_of
from tracker.clock import now
from tracker.compose import compose, has_died
from tracker.errors import DispatchDied, StoreUnavailable, Unreadable
from tracker.history.batches import check_dispatch, give_up, untold_run
from tracker.model import ENDED, Error, Parts, QueuePart, Status, Verdict
from tracker.record import Record
from tracker.redact import line
from tracker.store import QueueItem, Store, VerdictItem

log = logging.getLogger("tracker")

Answer = TypeVar("Answer")


def if_reachable(call: Callable[[], Answer]) -> Answer | None:
    """Tell the store something; when it does not answer, a log line must do."""
    try:
        return call()
    except (StoreUnavailable, Unreadable) as error:
        log.warning("tracker: the worker could not tell Redis: %s", error)
        return None


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


def went_back(store: Store, operation: str, error: BaseException | None) -> bool:
    """The message of ``operation`` goes back to the queue: its run, still open, is over, and ``error`` says why.

    A batch does not wait meanwhile: its children run, and settle it. Answers whether its dispatch is given up instead.
    """
    record = store.runs(operation)
    if record is None:
        return False
    parts, queue = record.parts, record.parts.queue
    why = _why(parts, error) if error is not None else None
    if why is not None and queue is not None and queue.batch and _died_untold(record):
        return _lost_dispatch(store, parts, queue, why)
    if parts.run is not None:
        status = Status.RUNNING if queue is not None and queue.batch else Status.QUEUED
        store.append([_again(operation, parts.run.run, status, why)])
    return False


def _died_untold(record: Record) -> bool:
    """Whether the process has died before anything of its run was stored: then the newest one is an earlier one."""
    return record.parts.run is None or has_died(runs_of(record)[-1])


def _lost_dispatch(store: Store, parts: Parts, queue: QueuePart, why: Error) -> bool:
    """A dispatch's run that nobody knows is told here, so that it counts. Answers whether no other one is to follow."""
    if compose(parts, steps=False).status in ENDED:
        return True
    id, began = parts.id, untold_run(parts.id, queue)
    store.append([began, _again(id, began.run, Status.RUNNING, why)])
    record, sent = store.runs(id), store.messages.sent(id)
    try:
        check_dispatch(record or Record(parts), sent, "")
    except DispatchDied as error:
        give_up(store, id, sent, Error(type(error).__name__, str(error)))
        return True
    return False


def _again(operation: str, run: str, status: Status, why: Error | None) -> VerdictItem:
    """A run is over, and the operation stands so until the next one begins."""
    verdict = Verdict(status, now(), "worker", run, "its process died; it is run again", why)
    return VerdictItem(operation, Status.RUNNING, verdict)


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
