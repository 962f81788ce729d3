"""The Celery side: every task an operation, jobs, the worker that runs them, and queueing.

The only package that imports celery.
"""

from __future__ import annotations

from tracker.celery.install import install
from tracker.celery.jobs import job
from tracker.celery.tracking import TrackedTask

__all__ = ["TrackedTask", "install", "job"]
