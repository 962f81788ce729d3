"""What tests share that is not a fixture."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")

_moment = threading.Event()


def wait_for(condition: Callable[[], Value], timeout: float = 45.0) -> Value:
    """Return the first true value of ``condition``; fail with what it last gave after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"still {value!r} after {timeout} s: {condition}")
        _moment.wait(0.02)


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
