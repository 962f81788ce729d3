"""Which runs are counted and not kept: those of tasks that were over soon, and in which nothing happened."""

from __future__ import annotations

from tracker.model import Status
from tracker.run import RunWriter

BRIEF = 2.0
"""Seconds within which such a run is over."""


def passes(run: RunWriter) -> bool:
    """Whether ``run`` has ended in a way that nobody will look for; asked of those that may pass only."""
    if run.status is not Status.COMPLETE or (run.duration or 0.0) >= BRIEF:
        return False
    # Whatever a block has said of it, or that there is something above it or below it, is worth keeping.
    return run.adoptable and not (run.parent or run.has_children)
