"""See what your Celery jobs and scripts are doing, step by step.

Everything a tracked program needs is here; importing it loads neither redis nor celery nor rich.
"""

from __future__ import annotations

from tracker import results as _results
from tracker.bus import BusEvent, event_bus
from tracker.bus import Sink as _Sink
from tracker.config import configure
from tracker.context import current_tracker
from tracker.errors import OperationCancelled, TrackerError
from tracker.step import Step
from tracker.step_tracker import StepTracker
from tracker.version import __version__ as __version__

__all__ = [
    "BusEvent",
    "OperationCancelled",
    "Step",
    "StepTracker",
    "TrackerError",
    "configure",
    "current_tracker",
    "event_bus",
]


def _sink() -> _Sink | None:
    """The publisher, if there is a Redis to publish to; asked at the first event."""
    from tracker.config import settings

    found = settings()
    if not found.redis_url:
        return None
    from tracker.publish import connect

    return connect(found)


def _kept_results() -> _results.Loader | None:
    """How kept results are read, if there is a Redis to keep them."""
    from tracker.config import settings

    found = settings()
    if not found.redis_url:
        return None
    from tracker.store import Store

    return Store(found.redis_url, found.namespace).results


event_bus.connect(_sink)
_results.connect(_kept_results)
