"""A worker process: publishes its jobs while it lives; and the running system's own one, which ``run`` starts."""

from __future__ import annotations

import logging
import os
import socket
from importlib import import_module
from typing import Any

from celery import Celery

from tracker import config
from tracker.celery.background import Background
from tracker.celery.jobs import JobTask
from tracker.celery.owed import OwedMessages
from tracker.celery.reports import if_reachable
from tracker.errors import SettingsError
from tracker.settings import Settings
from tracker.store import JobInfo, Store
from tracker.store.jobs import WORKER_LIFE

APP = "workers.app:app"
"""Where the running system's own Celery app lives."""

log = logging.getLogger("tracker")


class JobList:
    """Publishes the jobs of one worker while it lives."""

    def __init__(self, app: Celery, settings: Settings, worker: str) -> None:
        self._store = Store.of(settings)
        self._worker = worker
        self._jobs = [
            JobInfo(task.name, task.arguments, _queue_of(app, task.name), settings.release, _summary(task))
            for task in app.tasks.values()
            if isinstance(task, JobTask)
        ]
        self._background = Background("tracker-jobs", self._renew, WORKER_LIFE / 3)

    def start(self) -> None:
        """Publish now, and go on renewing it in the background."""
        self._background.start()

    def stop(self) -> None:
        """Take this worker off the list."""
        self._background.stop()
        if_reachable(lambda: self._store.withdraw_worker(self._worker))

    def _renew(self) -> None:
        if_reachable(lambda: self._store.publish_jobs(self._worker, self._jobs))


_parts: list[JobList | OwedMessages] = []
"""What this process does beside its work, while it is a worker."""


def begin(sender: Any, **_: Any) -> None:
    """The worker is ready; ``sender`` is what takes its messages."""
    try:
        settings = config.settings()
    except SettingsError as error:
        log.warning("tracker: nothing is tracked: %s", error)
        return
    if not settings.redis_url:
        log.warning("tracker: nothing leaves this worker: set TRACKER_REDIS_URL, or tracker_redis_url in the app")
    elif any(isinstance(task, JobTask) for task in sender.app.tasks.values()):
        _parts.extend(kind(sender.app, settings, sender.hostname) for kind in (JobList, OwedMessages))
        for part in _parts:
            part.start()


def end(**_: Any) -> None:
    """The worker takes no more work."""
    while _parts:
        _parts.pop().stop()


def run(
    settings: Settings,
    concurrency: int | None = None,
    pool: str | None = None,
    hostname: str | None = None,
    app_path: str = APP,
) -> int:
    """Run a worker of the running system until it is told to stop; returns its exit code.

    ``app_path`` (``module:attribute``) is the Celery app whose jobs it runs; ``hostname`` the worker's own
    name, ``name@host``, which views show as its host.
    """
    os.environ["TRACKER_REDIS_URL"] = settings.redis_url or ""
    module, _, name = app_path.partition(":")
    app: Celery = getattr(import_module(module), name)
    node = hostname or f"worker-{os.getpid()}@{socket.gethostname()}"
    worker = app.Worker(
        hostname=node,
        concurrency=concurrency,
        pool=pool or "prefork",
        loglevel="WARNING",
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    worker.start()
    return int(worker.exitcode or 0)


def _queue_of(app: Celery, task: str) -> str:
    """Where messages for ``task`` go by the app's own rules."""
    queue = app.amqp.router.route({}, task).get("queue")
    return str(getattr(queue, "name", queue) or app.conf.task_default_queue)


def _summary(task: Any) -> str:
    """The first line of the function's docstring."""
    return str(task.run.__doc__ or "").strip().partition("\n")[0]
