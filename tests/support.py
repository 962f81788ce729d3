"""What tests share that is not a fixture."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")

_moment = threading.Event()


def wait_for(condition: Callable[[], Value], timeout: float = 20.0) -> Value:
    """Return the first true value of ``condition``; fail with what it last gave after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"still {value!r} after {timeout} s: {condition}")
        _moment.wait(0.02)
