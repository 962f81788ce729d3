"""What many ask for and few need to read."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from tracker import clock

Held = TypeVar("Held")


class Lately(Generic[Held]):
    """What was read a moment ago; read again when that is too long ago, by one thread for all."""

    def __init__(self, read: Callable[[], Held], seconds: float) -> None:
        self._read = read
        self._seconds = seconds
        self._lock = threading.Lock()
        self._held: tuple[float, Held] | None = None

    def get(self) -> Held:
        """Raises what reading raises."""
        with self._lock:
            if self._held is None or clock.elapsed() - self._held[0] >= self._seconds:
                self._held = None
                self._held = clock.elapsed(), self._read()
            return self._held[1]
