"""The Celery side: jobs, the worker that runs them, and queueing; the only package that imports celery."""

from __future__ import annotations

from tracker.celery.jobs import job

__all__ = ["job"]
