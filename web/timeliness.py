"""Whether the hub keeps up with what is stored: how old what it hears is, by Redis's own clock."""

from __future__ import annotations

from tracker.clock import elapsed
from tracker.errors import StoreUnavailable
from tracker.store import Change, Store, Tick

LATE, IN_TIME = 2.0, 0.5
"""Seconds from stored to heard beyond which the hub lags behind, and within which it has caught up."""

EVERY = 1.0
"""Seconds between two looks."""


class Timeliness:
    """Judged once a second, of what is heard then."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._looked = 0.0
        self._in_time = True

    def is_in_time(self, item: Change | Tick) -> bool:
        """Whether what is heard now is not too old; when nothing is heard, nothing waits."""
        if isinstance(item, Tick):
            self._in_time = True
        elif elapsed() - self._looked >= EVERY:
            self._looked = elapsed()
            self._in_time = self._age(item) < (LATE if self._in_time else IN_TIME)
        return self._in_time

    def _age(self, change: Change) -> float:
        try:
            return self._store.age(change.cursor)
        except StoreUnavailable:
            return 0.0
