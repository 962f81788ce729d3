"""Real command lines as real processes, in a pipe or on a pseudo-terminal, against the session's real server."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.commands import Command
from tracker.store import Hold, Store

Run = Callable[..., Command]


@pytest.fixture
def store(redis_url: str, namespace: str) -> Iterator[Store]:
    """A store with a namespace of its own, which a recorder keeps."""
    store = Store(redis_url, namespace)
    store.append([Hold("recorder", 3600)])
    yield store
    store.client.disconnect()


@pytest.fixture
def environment(redis_url: str, namespace: str, tmp_path: Path) -> dict[str, str]:
    """What a command reads its settings from: the session's server, and this test's namespace."""
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
    return kept | {
        "TRACKER_REDIS_URL": redis_url,
        "TRACKER_NAMESPACE": namespace,
        "TRACKER_STATE_DIR": str(tmp_path / "state"),
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
    }


@pytest.fixture
def tracker(environment: dict[str, str]) -> Iterator[Run]:
    """Start ``tracker ARGUMENTS``; keywords add to its environment. All of them have ended with the test."""
    started: list[Command] = []

    def start(*arguments: str, terminal: tuple[int, int] | None = None, cwd: str = "/", **variables: str) -> Command:
        command = Command(arguments, {**environment, **variables}, terminal, cwd)
        started.append(command)
        return command

    yield start
    for command in started:
        command.close()
