"""Whether a job was cancelled while it waited: asked once, as it begins. If nobody answers soon, the work is done."""

from __future__ import annotations

from functools import cache

from tracker import clock
from tracker.errors import StoreUnavailable
from tracker.model import Status
from tracker.settings import Settings
from tracker.store import Store

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

    def was_cancelled(self, operation: str) -> bool:
        """Whether ``operation`` must not begin any more."""
        if clock.elapsed() < self._not_before:
            return False
        try:
            return self._store.status(operation) is Status.CANCELLED
        except StoreUnavailable:
            self._not_before = clock.elapsed() + ASK_AGAIN_AFTER
            return False


@cache
def lookout(settings: Settings) -> Lookout:
    """The one of this process."""
    return Lookout(settings)
