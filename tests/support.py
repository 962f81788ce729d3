"""What tests share that is not a fixture."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")

_moment = threading.Event()


def wait_for(condition: Callable[[], Value], timeout: float = 45.0) -> Value:
    """Return the first true value of ``condition``; fail with what it last gave after ``timeout`` seconds.

    What takes longer is asked for less often: asking takes time from what is waited for.
    """
    begun = time.monotonic()
    while True:
        value = condition()
        if value:
            return value
        waited = time.monotonic() - begun
        if waited > timeout:
            raise AssertionError(f"still {value!r} after {timeout} s: {condition}")
        _moment.wait(min(max(waited / 10, 0.01), 0.1))


class Clock:
    """A monotonic clock that only the test moves."""

    def __init__(self) -> None:
        self.time = 1_000.0

    def __call__(self) -> float:
        return self.time

    def pass_by(self, seconds: float, turn: Callable[[], object], every: float = 5.0) -> None:
        """Let time pass, with a turn at every step."""
        for _ in range(round(seconds / every)):
            self.time += every
            turn()
