"""See what your Celery jobs and scripts are doing, step by step.

Everything a tracked program needs is here; importing it loads neither redis nor celery nor rich.
"""

from __future__ import annotations

from tracker.bus import Sink, event_bus
from tracker.config import configure
from tracker.context import current_tracker
from tracker.errors import OperationCancelled, TrackerError
from tracker.step import Step
from tracker.step_tracker import StepTracker
from tracker.version import __version__ as __version__

__all__ = [
    "OperationCancelled",
    "Step",
    "StepTracker",
    "TrackerError",
    "configure",
    "current_tracker",
    "event_bus",
]


def _sink() -> Sink | None:
    """The publisher, if there is a Redis to publish to; asked at the first event."""
    from tracker.config import settings

    found = settings()
    if not found.redis_url:
        return None
    from tracker.publish import connect

    return connect(found)


event_bus.connect(_sink)
