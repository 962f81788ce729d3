"""Cancelling: what waits ends at once, what runs is asked; with ``terminate`` also by force.

The store is told first, so that who and when are known whatever Celery does. What goes through Celery's remote control
is best effort: nobody answers, and a worker that is cut off does not hear of it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence

from tracker.compose import status_of
from tracker.errors import AlreadyEnded
from tracker.history import History
from tracker.history.batches import all_children
from tracker.model import Parts, Status
from tracker.settings import Settings
from tracker.store import Store

BROKER_WITHIN = 3.0
"""Seconds that a caller waits for the broker; later it may still be told."""

SIGNAL = "SIGTERM"
"""With which processes are told to end, so that they can still say what became of their work."""

log = logging.getLogger("tracker")


class Cancelling:
    """Cancels operations of one namespace."""

    def __init__(self, settings: Settings, store: Store, history: History) -> None:
        self._settings = settings
        self._store = store
        self._history = history

    def cancel(self, id: str, by: str, *, terminate: bool = False) -> None:
        """Ask an operation to end, with everything open below it; ``by`` says who asks.

        With ``terminate`` the processes that run it are also told to end, whatever they are in the midst of. Asking
        again changes nothing. Raises ``NotFound``, ``AlreadyEnded``, ``StoreUnavailable``; that the broker does not
        answer is only logged.
        """
        root = self._store.operation(id)
        opened = list(self._open(root, {id})) if root is not None else []
        if not self._store.cancel(id, by):
            operation = self._history.operation(id)
            raise AlreadyEnded(f"{id} has ended already ({operation.status}), and nothing below it is open")
        self._revoke([message_of(parts) for parts in opened if _waits_unasked(parts)], terminate=False)
        if terminate:
            self._revoke([message_of(parts) for parts in opened if _runs_in_worker(parts)], terminate=True)

    def _open(self, parts: Parts, seen: set[str]) -> Iterator[Parts]:
        """An operation and all below it, as far as they are open; seen are those that were come by already."""
        if _status(parts) in (Status.QUEUED, Status.RUNNING):
            yield parts
        # What waits below a batch are jobs, and they may be many.
        is_batch = parts.queue is not None and parts.queue.batch
        for status in (Status.RUNNING,) if is_batch else (Status.RUNNING, Status.QUEUED):
            for child in all_children(self._store, parts.id, status):
                if child.id not in seen:
                    seen.add(child.id)
                    yield from self._open(child, seen)

    def _revoke(self, tasks: Sequence[str], *, terminate: bool) -> None:
        """Have Celery's workers throw messages away, or end the processes that work on them; within bounded time."""
        if not tasks:
            return
        sending = threading.Thread(target=self._broadcast, args=(tasks, terminate), name="tracker-revoke", daemon=True)
        sending.start()
        sending.join(BROKER_WITHIN)
        if sending.is_alive():
            log.warning("tracker: the broker does not answer; whether workers hear of the cancellation is not known")

    def _broadcast(self, tasks: Sequence[str], terminate: bool) -> None:
        from tracker.celery.app import make_app

        try:
            with make_app(self._settings, sender=True) as app:
                app.control.revoke(list(tasks), terminate=terminate, signal=SIGNAL)
        except Exception as error:  # Whatever a broker and its client come up with.
            log.warning("tracker: workers could not be told of the cancellation: %s", error)


def _status(parts: Parts) -> Status:
    return status_of(parts.queue, parts.run, parts.verdict)


def _waits_unasked(parts: Parts) -> bool:
    """Whether an operation waits and would not look, as a job does, whether it was cancelled."""
    return _status(parts) is Status.QUEUED and parts.queue is not None and not parts.queue.whole


def _runs_in_worker(parts: Parts) -> bool:
    worker = parts.run.worker if parts.run is not None else None
    return _status(parts) is Status.RUNNING and worker is not None and bool(worker.queue)


def message_of(parts: Parts) -> str:
    """The id of the message by which an operation runs."""
    again = parts.queue.again if parts.queue is not None else None
    return again.task if again is not None else parts.id
