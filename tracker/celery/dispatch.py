"""The task that hands a batch's children to the broker; it is the batch's own run.

Whoever runs it notes how far it came, so that whoever runs it next goes on there. Those children that were being sent
when a process died are sent twice; each message has an id of its own, and the second one to be taken begins nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any

from celery import Celery, Task, shared_task
from kombu.exceptions import OperationalError

from tracker import config
from tracker.celery.jobs import OperationTask
from tracker.celery.sending import send
from tracker.clock import elapsed
from tracker.context import enclosing_run
from tracker.errors import DispatchDied, OperationCancelled, StoreUnavailable
from tracker.history.batches import check_dispatch, give_up, lose, queued_children
from tracker.ids import new_id
from tracker.model import Error, Parts
from tracker.outcome import message_of
from tracker.publish import flush
from tracker.record import Record
from tracker.step import Step
from tracker.step_tracker import StepTracker
from tracker.store import Sent, Store

AT_ONCE = 100
"""Children sent before it is noted how far that is."""

PATIENCE = 600.0
"""Seconds for which store or broker may be away before the children that were not sent are given up."""

AGAIN_AFTER = 1.0
"""Seconds between two attempts meanwhile."""

WITHHELD = Error("ArgumentsGone", "its arguments are not stored as they were given, and its message is gone")

_moment = threading.Event()


@shared_task(name="tracker.dispatch", base=OperationTask, bind=True, acks_late=True, reject_on_worker_lost=True)
def dispatch(self: Task[Any, Any], batch: str, hidden: dict[str, dict[str, Any]]) -> None:
    """Send every child of ``batch`` that is still queued; those that cannot be sent are given up.

    ``hidden`` are the arguments of children for which they are not stored as they were given. If the batch is
    cancelled meanwhile, none is sent any more; how the batch ends is for its children to say.
    """
    store, run = Store.of(config.settings()), enclosing_run()
    known, sent = stored(store, batch)
    record = known or Record(Parts(batch))
    head, total = record.parts, record.parts.children.total
    title = head.queue.title if head.queue else batch
    dispatching = _Dispatching(self.app, store, batch, hidden, title, sent)
    try:
        with StepTracker(title, steps=["Queue children"]) as tracker, tracker.step("Queue children") as step:
            step.unit = "operations"
            step.set_total(total)
            step.advance(dispatching.sent)
            dispatching.begin(record, run.run if run is not None else "")
            dispatching.rest(step)
            step.advance(total - dispatching.sent)
    except OperationCancelled:
        # Whoever asked for it may have stopped half-way, and then nobody else would end what was not sent.
        with suppress(StoreUnavailable):
            store.cancel(batch, (run and run.cancelled_by) or "")


def stored(store: Store, batch: str) -> tuple[Record | None, int]:
    """What is known of the batch, and how many of its children were sent; while the store is away, wait."""
    since = elapsed()
    while True:
        try:
            return store.runs(batch), store.messages.sent(batch)
        except StoreUnavailable:
            if elapsed() - since > PATIENCE:
                raise
            _moment.wait(AGAIN_AFTER)


@dataclass(slots=True)
class _Dispatching:
    """``sent`` is the index of the last child that was, of those that are noted ``at_once``."""

    app: Celery
    store: Store
    batch: str
    hidden: dict[str, dict[str, Any]]
    title: str
    sent: int
    at_once: int = AT_ONCE

    def begin(self, record: Record, run: str) -> None:
        """Go on with what is known of the batch, only if that has not ended too many before this ``run``.

        Should it end this one as well, how far that came is stored by then. And after a death each child is noted by
        itself, so that one more shows.
        """
        flush()
        try:
            deaths = check_dispatch(record, self.sent, run)
        except DispatchDied as error:
            self._give_up(error)
            raise
        self.at_once = 1 if deaths else AT_ONCE

    def rest(self, step: Step) -> None:
        """Send what was not sent; while nobody answers, wait."""
        progress, since = self.sent, elapsed()
        while True:
            try:
                return self._send_all(step)
            except (StoreUnavailable, OperationalError, OSError) as error:
                if self.sent > progress:
                    progress, since = self.sent, elapsed()
                if elapsed() - since > PATIENCE:
                    self._give_up(error)
                    raise
                _moment.wait(AGAIN_AFTER)
                step.advance(0)
            except Exception as error:
                self._give_up(error)
                raise

    def _send_all(self, step: Step) -> None:
        children = queued_children(self.store, self.batch)
        unsent = (child for child in children if child.queue is not None and child.queue.index > self.sent)
        while chunk := list(islice(unsent, self.at_once)):
            self._send(chunk)
            before, self.sent = self.sent, _index(chunk[-1])
            self.store.append([Sent(self.batch, self.sent)])
            step.advance(self.sent - before)

    def _send(self, children: Sequence[Parts]) -> None:
        """What a message knew that is gone, nobody knows any more."""
        withheld = []
        with self.app.producer_pool.acquire(block=True) as producer:
            for child in children:
                args = self._args(child)
                if child.queue is not None and args is not None:
                    send(self.app, child, child.queue.name, args, [self.title], new_id(), producer=producer)
                else:
                    withheld.append(child.id)
        lose(self.store, withheld, WITHHELD)

    def _args(self, child: Parts) -> dict[str, Any] | None:
        stored = child.queue.args if child.queue is not None and child.queue.whole else None
        return self.hidden.get(child.id, stored)

    def _give_up(self, error: Exception) -> None:
        give_up(self.store, self.batch, self.sent, Error(type(error).__name__, message_of(error)))


def _index(child: Parts) -> int:
    return child.queue.index if child.queue is not None else 0
