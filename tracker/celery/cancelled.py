"""Whether a job must not begin any more: it was cancelled while it waited, or another message for it counts.

Asked once, as it is about to begin. If nobody answers soon, the work is done.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TypeVar

from tracker import clock
from tracker.celery.headers import Ticket
from tracker.errors import StoreUnavailable, Unreadable
from tracker.settings import Settings
from tracker.store import Store, Take

Answer = TypeVar("Answer")

ANSWER_WITHIN = 0.2
"""Seconds that a job waits for the answer."""

ASK_AGAIN_AFTER = 5.0
"""Seconds for which nobody is asked who did not answer, so that an outage does not slow down every job."""


class Lookout:
    """Asks for the jobs of one process; keeps its connection open."""

    def __init__(self, settings: Settings) -> None:
        self._store = Store.of(settings)
        self._store.client.answer_timeout = ANSWER_WITHIN
        self._not_before = 0.0

    def may_begin(self, ticket: Ticket, task: str, worker: str) -> bool:
        """Whether an operation may begin by a message (Celery's id of it) that ``worker`` holds.

        Not if it was cancelled, waits for a later message, or has begun for another one of those that count as one.
        """
        taken = self._answer(lambda: self._store.append([Take(ticket.operation, ticket.message, task, worker)]))
        return taken is None or taken[0].kind != "ignored"

    def asked_by(self, operation: str) -> str | None:
        """Who wants ``operation`` to end, as it runs; ``None`` if nobody does."""
        found = self._answer(lambda: self._store.operation(operation))
        return found.cancel.by if found is not None and found.cancel is not None else None

    def _answer(self, ask: Callable[[], Answer | None]) -> Answer | None:
        if clock.elapsed() < self._not_before:
            return None
        try:
            return ask()
        except Unreadable:
            return None
        except StoreUnavailable:
            self._not_before = clock.elapsed() + ASK_AGAIN_AFTER
            return None


@cache
def lookout(settings: Settings) -> Lookout:
    """The one of this process."""
    return Lookout(settings)
