"""Jobs: Celery tasks that may be queued from outside. Declaring one puts it on the allow-list.

The task around a job is its operation's run: it begins before the function and ends with it. The first
``StepTracker`` block inside supplies title and steps.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
from celery import Task, shared_task
from celery.exceptions import Ignore, Reject, Retry

from tracker.celery.cancelled import lookout
from tracker.celery.schema import schema_of
from tracker.celery.sending import HEADER
from tracker.clock import now
from tracker.context import inside
from tracker.errors import OperationCancelled
from tracker.model import ENDED, Error, Status, Worker
from tracker.outcome import describe
from tracker.place import failure
from tracker.run import RunWriter
from tracker.settings import Settings

TOLD_TO_END = signal.SIGTERM - 256
"""With which a process of the pool exits when it is sent SIGTERM."""

log = logging.getLogger("tracker")


class OperationTask(Task):  # type: ignore[type-arg]  # generic for type checkers only
    """A task whose execution is the run of an operation; called directly it is just its function."""

    abstract = True
    ignore_result = True
    Request = "tracker.celery.requests:JobRequest"
    # Whatever it raises is stored with the operation, whole; Celery need not print it again.
    throws = (Exception,)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.request.called_directly:
            return self.run(*args, **kwargs)
        return self._tracked(args, kwargs)

    def _tracked(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        run = run_of(self)
        if lookout(Settings.from_env()).was_cancelled(run.operation):
            raise Ignore
        run.start()
        try:
            with inside(run):
                result = self.run(*args, **kwargs)
        except BaseException as error:
            self._failed(run, error)
            if _is_cancellation(error):  # Anything but an Exception would end the worker's process.
                raise Ignore from None
            raise
        run.end(Status.COMPLETE)
        return result

    def _failed(self, run: RunWriter, error: BaseException) -> None:
        status = run.outcome(error)
        run.end(status, _told(run, error) if status in ENDED else None, next_at=_next_at(error))
        if status is Status.ERROR:
            log.error("tracker: %s %s failed: %s", self.name, run.operation, describe(error))


class JobTask(OperationTask):
    """A task on the allow-list, with the schema of its arguments."""

    abstract = True
    arguments: dict[str, Any]


def job(*, name: str) -> Callable[[Callable[..., Any]], Any]:
    """Declare a function as a job that may be queued over HTTP and from the command line.

    The schema of its arguments comes from its type hints; a signature that has none raises
    ``TrackerError`` at import. Called directly, the function runs as it stands, without Celery.

    >>> @job(name="reports.send")
    ... def send(address: str, copies: int = 1) -> None: ...
    """

    def declare(function: Callable[..., Any]) -> Any:
        return shared_task(name=name, base=JobTask, arguments=schema_of(function))(function)

    return declare


def run_of(task: Task[Any, Any]) -> RunWriter:
    """The run that this execution of ``task`` is: its operation travels in the message's header."""
    request, settings = task.request, Settings.from_env()
    header = getattr(request, HEADER, None) or {}
    run = RunWriter(
        operation=header.get("operation") or request.id,
        parent=header.get("parent", ""),
        name=task.name,
        title=header.get("title") or task.name,
        worker=Worker(_host(request.hostname), os.getpid(), _queue(request)),
        release=settings.release,
        app=str(task.app.main or ""),
        adoptable=True,
    )
    run.classify = _classify
    run.above = list(header.get("above", ()))
    return run


def _is_cancellation(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return error.split(OperationCancelled)[1] is None
    return isinstance(error, OperationCancelled)


def _classify(error: BaseException) -> Status | None:
    """Celery's own words for how a task ends: none of them is a failure."""
    if isinstance(error, Retry):
        return Status.QUEUED
    return Status.COMPLETE if isinstance(error, Ignore | Reject) else None


def _told(run: RunWriter, error: BaseException) -> BaseException | Error:
    """Of a process that is told to end, what a script would say; its exit code says nothing to people."""
    if not (isinstance(error, SystemExit) and error.code == TOLD_TO_END):
        return error
    return msgspec.structs.replace(failure(run, error), type="Terminated", message="SIGTERM")


def _host(node: str | None) -> str:
    """Celery's node name is ``name@host``."""
    return (node or "").partition("@")[2] or socket.gethostname()


def _queue(request: Any) -> str:
    return str((request.delivery_info or {}).get("routing_key") or "")


def _next_at(error: BaseException) -> float | None:
    """When Celery runs it again, in UTC seconds."""
    when = error.when if isinstance(error, Retry) else None
    if isinstance(when, datetime):
        return when.timestamp()
    return now() + float(when) if when is not None else None
