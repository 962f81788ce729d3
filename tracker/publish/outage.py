"""A time in which the store takes nothing: since when, why, and when it is worth another attempt."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

from tracker.clock import elapsed
from tracker.errors import StoreUnavailable
from tracker.store import Store
from tracker.store.client import Holding, Refused, Rejected

LONGEST_PAUSE = 5.0
"""Longest pause between two attempts, in seconds."""

REFUSED_PAUSE = 60.0
"""Seconds until a store that refused is asked again: somebody has to change a password or a permission first."""

PATIENCE = 1.0
"""Seconds for which events wait in memory before they go to the spool."""


# Not the program's own, which it may have seeded.
_chance = random.SystemRandom()


def pause_after(failures: int) -> float:
    """Seconds to wait after so many failures: growing, and never the same for two processes ("full jitter")."""
    return _chance.uniform(0.05, min(LONGEST_PAUSE, 0.1 * 2.0 ** min(failures, 10)))


class Outage:
    """Begins with the first failure. A store that does not answer is asked by a thread of its own.

    For whoever waits for such an answer can do nothing else meanwhile. A store that answers, and takes nothing, costs
    no time to ask. ``wake`` is called when another attempt is due.
    """

    def __init__(self, store: Store, wake: Callable[[], object]) -> None:
        self.since = elapsed()
        self.failures = 0
        self.hopeless = False
        """Whether only a person can end it."""
        self._store = store
        self._wake = wake
        self._next = 0.0
        self._asking = False
        self._hurry = threading.Event()

    def failed(self, error: StoreUnavailable) -> None:
        """Another attempt has failed."""
        self.failures += 1
        self.hopeless = isinstance(error, Refused)
        self._next = elapsed() + (REFUSED_PAUSE if self.hopeless else pause_after(self.failures))
        if not isinstance(error, Refused | Holding | Rejected):
            self._ask()

    @property
    def due(self) -> float:
        """Seconds until another attempt is worth it; 0: now."""
        return REFUSED_PAUSE if self._asking else max(0.0, self._next - elapsed())

    @property
    def impatient(self) -> float:
        """Seconds until what waits should be put by; 0: now."""
        return max(0.0, self.since + PATIENCE - elapsed())

    def hurry(self) -> None:
        """Somebody waits for the end of it: ask at once."""
        self._hurry.set()
        if not self._asking and not self.hopeless:
            self._next = 0.0

    def _ask(self) -> None:
        self._asking = True
        try:
            threading.Thread(target=self._until_answered, name="tracker-waits-for-redis", daemon=True).start()
        except RuntimeError:  # No more threads: then whoever sends has to find out.
            self._asking = False

    def _until_answered(self) -> None:
        try:
            store = Store(self._store.client.url, self._store.keys.namespace)
            store.client.answer_timeout = self._store.client.answer_timeout
            self._hurry.wait(pause_after(self.failures))
            while not _answers(store):
                self.failures += 1
                self._hurry.clear()
                self._hurry.wait(pause_after(self.failures))
        finally:  # Should anything go wrong here, whoever sends has to find out.
            self._asking, self._next = False, 0.0
            self._wake()


def _answers(store: Store) -> bool:
    """Whether there is anybody; what it has to say, the next attempt will hear."""
    try:
        store.ping()
    except (Refused, Holding, Rejected):
        return True
    except StoreUnavailable:
        return False
    finally:
        store.client.disconnect()
    return True
