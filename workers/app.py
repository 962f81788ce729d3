"""The running system's Celery app: the jobs it offers."""

from __future__ import annotations

from tracker.celery.app import make_app
from tracker.settings import Settings
from workers.operations import config, files, telemetry

__all__ = ["app", "config", "files", "telemetry"]

app = make_app(Settings.from_env())
