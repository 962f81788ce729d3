"""A pytest fixture for tracked code; pytest finds it by the package's entry point."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tracker.bus import BusEvent


@pytest.fixture
def tracker_events() -> Iterator[list[BusEvent]]:
    """The events of all trackers during the test, in order.

    Nothing is published, and nothing is drawn unless a tracker's own ``display`` asks for it; ``resume=True`` finds no
    kept results. What the test has ``configure`` do ends with it.
    """
    from tracker.config import isolated
    from tracker.testing import capture_events

    with isolated(), capture_events() as events:
        yield events
