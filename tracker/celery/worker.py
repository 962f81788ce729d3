"""The worker process: publishes its jobs while it lives, and says when one of its processes has died."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable
from importlib import import_module
from typing import Any

from celery import Celery, signals
from celery.exceptions import TimeLimitExceeded, WorkerLostError

from tracker import publish
from tracker.celery.jobs import JobTask
from tracker.celery.requests import went_back
from tracker.clock import now
from tracker.compose import compose
from tracker.errors import StoreUnavailable
from tracker.history.batches import give_up, sent
from tracker.model import Error, Parts, Status, Verdict
from tracker.redact import line
from tracker.settings import Settings
from tracker.store import JobInfo, Store, VerdictItem
from tracker.store.client import ANSWER_TIMEOUT
from tracker.store.jobs import WORKER_LIFE

APP = "workers.app:app"
"""Where the running system's own Celery app lives."""

log = logging.getLogger("tracker")


class JobList:
    """Publishes the jobs of one worker while it lives."""

    def __init__(self, app: Celery, store: Store, settings: Settings, worker: str) -> None:
        self._store = store
        self._worker = worker
        self._jobs = [
            JobInfo(task.name, task.arguments, app.conf.task_default_queue, settings.release, _summary(task))
            for task in app.tasks.values()
            if isinstance(task, JobTask)
        ]
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="tracker-jobs", daemon=True)

    def start(self, **_: Any) -> None:
        """Publish now, and go on renewing it in the background."""
        self._thread.start()

    def stop(self, **_: Any) -> None:
        """Take this worker off the list."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(ANSWER_TIMEOUT)
        if_reachable(lambda: self._store.withdraw_worker(self._worker))

    def _renew(self) -> None:
        while not self._ending.is_set():
            if_reachable(lambda: self._store.publish_jobs(self._worker, self._jobs))
            self._ending.wait(WORKER_LIFE / 3)


def if_reachable(call: Callable[[], object]) -> None:
    """Tell the store something; when it does not answer, a log line must do."""
    try:
        call()
    except StoreUnavailable as error:
        log.warning("tracker: the worker could not tell Redis: %s", error)


def report_death(store: Store, task_id: str, error: BaseException) -> None:
    """Say that the process running an operation has died: its run, still open, is lost.

    Called in the worker's parent process; the child can say nothing any more. With a batch's dispatch, the
    children it had not sent are lost as well.
    """
    parts = store.operation(task_id)
    if parts is None:
        return
    run = parts.run.run if parts.run is not None else ""
    expected = Status.RUNNING if run else Status.QUEUED
    why = Error(type(error).__name__, line(str(error)), _path(parts))
    store.append([VerdictItem(task_id, expected, Verdict(Status.LOST, now(), "worker", run=run, error=why))])
    if parts.queue is not None and parts.queue.batch:
        give_up(store, task_id, sent(parts), why)


def report_return(store: Store, task_id: str) -> None:
    """Say that the message of an operation went back to the queue: its run, still open, is over.

    Nothing is said of a batch, which its children settle.
    """
    parts = store.operation(task_id)
    if parts is None or parts.run is None or (parts.queue is not None and parts.queue.batch):
        return
    verdict = Verdict(Status.QUEUED, now(), "worker", run=parts.run.run, reason="its process died; it is run again")
    store.append([VerdictItem(task_id, Status.RUNNING, verdict)])


def report_revocation(store: Store, task_id: str, by: str) -> None:
    """Say that Celery throws an operation's message away, with everything below it; ``by`` says who made it do so."""
    if store.status(task_id) is Status.QUEUED:
        store.cancel(task_id, by)


def _path(parts: Parts) -> list[str]:
    """The operation and the step it was at, by its last word."""
    operation = compose(parts)
    return [operation.title, operation.step.name] if operation.step is not None else [operation.title]


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
    store = Store.of(settings)
    node = hostname or f"worker-{os.getpid()}@{socket.gethostname()}"
    _listen(app, store, JobList(app, store, settings, node))
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


def _listen(app: Celery, store: Store, jobs: JobList) -> None:
    signals.worker_ready.connect(jobs.start, weak=False)
    signals.worker_shutting_down.connect(jobs.stop, weak=False)
    signals.worker_process_shutdown.connect(lambda **_: publish.settle(), weak=False)

    def died(task_id: str, exception: BaseException, **_: Any) -> None:
        if isinstance(exception, WorkerLostError | TimeLimitExceeded):
            if_reachable(lambda: report_death(store, task_id, exception))

    def revoked(request: Any, expired: bool, **_: Any) -> None:
        if_reachable(lambda: report_revocation(store, request.id, "expiry" if expired else "revoke"))

    signals.task_failure.connect(died, weak=False)
    signals.task_revoked.connect(revoked, weak=False)
    went_back.connect(lambda task_id, **_: if_reachable(lambda: report_return(store, task_id)), weak=False)


def _summary(task: Any) -> str:
    """The first line of the function's docstring."""
    return str(task.run.__doc__ or "").strip().partition("\n")[0]
