"""A data root and a state folder of their own for every test, and what the step tracker told meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tracker import event_bus


class Told:
    """The events of the operations run in this test."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def steps(self, kind: str) -> list[str]:
        """The names of the steps that had an event of this type, in order."""
        return [event.data["step"] for event in self.events if event.type == kind]

    def ended(self, step: str) -> dict[str, Any]:
        """What the completed step of that name carried."""
        (found,) = (event.data for event in self.events if event.type == "step.complete" and event.data["step"] == step)
        return dict(found)

    @property
    def complete(self) -> list[str]:
        return self.steps("step.complete")

    @property
    def failed(self) -> list[str]:
        return self.steps("step.error")


@pytest.fixture
def state_dir(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where operations of this test keep what they keep."""
    monkeypatch.setenv("TRACKER_STATE_DIR", f"{state_dir}")
    return state_dir


@pytest.fixture
def data_root(tmp_path: Path, state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that file operations may read, empty."""
    root = tmp_path / "data"
    root.mkdir()
    monkeypatch.setenv("TRACKER_DATA_ROOT", f"{root}")
    return root


@pytest.fixture
def told() -> Iterator[Told]:
    """What the operations of this test told about their steps."""
    heard = Told()
    unsubscribe = event_bus.subscribe("*", heard.events.append)
    yield heard
    unsubscribe()
