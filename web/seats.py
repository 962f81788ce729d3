"""How many WebSockets are open: each takes a seat before its connection is upgraded."""

from __future__ import annotations

import threading


class Seats:
    """A bounded number of seats; never waits for one to become free."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._taken = 0
        self._changed = threading.Condition()

    @property
    def taken(self) -> int:
        """Seats in use."""
        return self._taken

    def take(self) -> bool:
        """Take a seat; ``False`` if there is none."""
        with self._changed:
            if self._taken >= self._number:
                return False
            self._taken += 1
            return True

    def leave(self) -> None:
        """Give a seat back."""
        with self._changed:
            self._taken -= 1
            self._changed.notify_all()

    def wait_until_empty(self, timeout: float) -> bool:
        """Whether all seats were free within ``timeout`` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._taken == 0, timeout)
