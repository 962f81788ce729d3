"""The Celery app: how messages travel. JSON only, nothing kept in a result backend."""

from __future__ import annotations

from typing import Any

from celery import Celery

from tracker.errors import SettingsError
from tracker.settings import Settings

SEND_TIMEOUT = 2.0
"""Seconds within which a sender reaches the broker, or gives up."""


def queue_name(settings: Settings) -> str:
    """The queue of a namespace: two namespaces on one broker never run each other's jobs."""
    return f"tracker.{settings.namespace}"


def make_app(settings: Settings, *, sender: bool = False) -> Celery:
    """A Celery app for ``settings``; a ``sender`` gives up after ``SEND_TIMEOUT`` instead of waiting.

    Raises ``SettingsError`` if no broker is set.
    """
    if settings.broker is None:
        raise SettingsError("no broker: set TRACKER_REDIS_URL or TRACKER_BROKER_URL")
    app = Celery("tracker", broker=settings.broker, set_as_current=not sender)
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        result_accept_content=["json"],
        task_ignore_result=True,
        task_default_queue=queue_name(settings),
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        broker_connection_retry_on_startup=True,
        broker_transport_options=_sender_timeouts() if sender else {},
    )
    return app


def _sender_timeouts() -> dict[str, Any]:
    return {"socket_timeout": SEND_TIMEOUT, "socket_connect_timeout": SEND_TIMEOUT, "max_retries": 0}
