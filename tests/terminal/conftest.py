"""Fixtures of the terminal tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.terminal.terminal import Terminal

Start = Callable[..., Terminal]


@pytest.fixture
def terminal() -> Iterator[Start]:
    """Starts programs in terminals of their own, and ends them after the test."""
    started: list[Terminal] = []

    def start(code: str, columns: int = 80, rows: int = 24, **environment: str) -> Terminal:
        started.append(Terminal(code, columns, rows, **environment))
        return started[-1]

    yield start
    for held in started:
        held.stop()
