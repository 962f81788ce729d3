"""Fixtures of the archive's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tracker.archive import Archive


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The URL of a file that is not there yet."""
    return f"sqlite:///{tmp_path / 'archive' / 'archive.sqlite3'}"


@pytest.fixture
def archive(url: str) -> Iterator[Archive]:
    """An empty archive in a real file."""
    made = Archive(url, "tests")
    yield made
    made.close()
