"""A message of a tracked task, as the worker's parent process holds it.

It asks whether the task was cancelled while it waited, and tells what its own process can say no more: that this
process has died, that the message went back to the queue, that it is thrown away.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from celery.exceptions import TimeLimitExceeded, WorkerLostError
from celery.worker.request import Request

from tracker import config
from tracker.celery import reports
from tracker.celery.cancelled import lookout
from tracker.celery.headers import HEADER, Ticket, ticket_of
from tracker.clock import now
from tracker.errors import SettingsError
from tracker.model import QueuePart
from tracker.store import Store

CANCELLED = "cancelled"
"""Why a message is thrown away whose operation somebody has cancelled."""


class TrackedRequest(Request):
    """One message of a tracked task. If it ``returned`` to the queue, what becomes of it is for the next run to say.

    ``death`` is what has ended its process.
    """

    returned = False
    death: BaseException | None = None

    @property
    def ticket(self) -> Ticket:
        """For which operation it is."""
        return ticket_of(self.request_dict.get(HEADER), str(self.id))

    def revoked(self) -> bool:
        """Asked by Celery just before the task begins: whether it must not."""
        if super().revoked():
            return True
        ticket = self.ticket
        if not ticket.message or _may_begin(ticket, str(self.id), str(self.hostname)):
            return False
        self._announce_revoked(CANCELLED, False, None, False)
        return True

    def terminate(self, pool: Any, signal: Any = None) -> None:
        """Somebody has Celery end the process; it can read there by whom, as long as the signal lets it."""
        self._tell(lambda store: store.cancel(self.ticket.operation, "revoke"))
        super().terminate(pool, signal)

    def _announce_revoked(self, reason: str, terminated: bool, signum: Any, expired: bool) -> None:
        super()._announce_revoked(reason, terminated, signum, expired)  # type: ignore[misc]  # not in the stubs
        if reason != CANCELLED:
            by = "expiry" if expired else "revoke"
            self._tell(lambda store: reports.revocation(store, self.ticket.operation, by))

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> None:
        """The task has failed, or its process died."""
        self.death = _death_in(exc_info.exception)
        super().on_failure(exc_info, send_failed_event, return_ok)
        self._died()

    def on_timeout(self, soft: bool, timeout: float) -> None:
        """A limit of time is over; at the hard one the process is killed."""
        self.death = None if soft else TimeLimitExceeded(timeout)
        super().on_timeout(soft, timeout)
        self._died()

    def _died(self) -> None:
        if self.death is None or self.returned:
            return
        ticket, queue, death = self.ticket, str(self.delivery_info.get("routing_key") or ""), self.death
        part = QueuePart(self.name, ticket.created or now(), ticket.title or self.name, queue, parent=ticket.parent)
        self._tell(lambda store: reports.death(store, ticket.operation, part, death))

    def reject(self, requeue: bool = False) -> None:
        """Said before another worker can take it: the run that is over then is still the newest one."""
        self.returned = self.returned or requeue
        super().reject(requeue and not self._went_back())

    def _retry_worker_lost(self, exc: BaseException, exc_info: Any) -> bool:
        """Celery sends the task again, as it was told to do for processes that die."""
        self._went_back()
        self.returned = bool(super()._retry_worker_lost(exc, exc_info))  # type: ignore[misc]  # not in the stubs
        return self.returned

    def _went_back(self) -> bool:
        """Told as it goes back to the queue. Answers whether nobody should have it any more."""
        return bool(self._tell(lambda store: reports.went_back(store, self.ticket.operation, self.death)))

    def _tell(self, say: Callable[[Store], object]) -> object:
        """Only if the operation runs by this message: what becomes of an earlier one says nothing of it."""
        operation, message = self.ticket.operation, str(self.id)
        return _tell(lambda store: store.waits(operation)[1] in ("", message) and say(store))


def _death_in(error: Any) -> BaseException | None:
    """What has ended the process of a task, if that is why the task has failed."""
    error = getattr(error, "exc", error)
    if isinstance(error, SystemExit | KeyboardInterrupt):  # Which only a process that has ended can have raised.
        return WorkerLostError(f"its process ended with {error!r}")
    return error if isinstance(error, WorkerLostError | TimeLimitExceeded) else None


def _may_begin(ticket: Ticket, task: str, worker: str) -> bool:
    try:
        settings = config.settings()
    except SettingsError:
        return True
    return not settings.redis_url or lookout(settings).may_begin(ticket, task, worker)


def _tell(say: Callable[[Store], object]) -> object:
    try:
        settings = config.settings()
    except SettingsError:  # Which was told of when the worker began.
        return None
    return reports.if_reachable(lambda: say(Store.of(settings))) if settings.redis_url else None
