"""Tasks as they are executed: each execution is a run of its operation, from before its function to after it.

Celery's own signals say when. The first ``StepTracker`` block inside supplies title and steps.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache, partial, wraps
from typing import Any

import msgspec
from celery import Task, states
from celery.exceptions import Ignore, Reject, Retry

from tracker import clock, config
from tracker.brief import BRIEF
from tracker.celery import cancelled, tracking
from tracker.celery.headers import HEADER, ticket_of
from tracker.celery.latent import Execution, executions
from tracker.celery.sent import note_following
from tracker.clock import now
from tracker.context import Latent, current_run
from tracker.errors import OperationCancelled, SettingsError
from tracker.ids import new_run
from tracker.model import ENDED, Error, RunPart, Status, Worker
from tracker.outcome import describe, message_of
from tracker.place import failure
from tracker.redact import line
from tracker.run import RunWriter
from tracker.task_end import end_task

TOLD_TO_END = signal.SIGTERM - 256
"""With which a process of the pool exits when it is sent SIGTERM."""

REPLACED = "Replaced by new task"
"""With which Celery ends a task in whose place it has sent another one, under the same id."""

log = logging.getLogger("tracker")


def begin(task: Task[Any, Any], **_: Any) -> None:
    """A task is about to be executed here."""
    tracked = tracking.of_task(task)
    if tracked is None:
        return
    keep_short = getattr(task, "keep_short", None)
    is_brief = not (tracked.keep_short if keep_short is None else keep_short)
    request, around = task.request, current_run.get()
    execution = Execution(partial(run_of, task, request, around, is_brief))
    request.__dict__["tracked"] = execution, around
    current_run.set(execution)
    note_following(request)
    if is_brief:
        executions.begin(execution)
    else:
        execution.run()


def end(task: Task[Any, Any], state: str | None, retval: Any, **_: Any) -> None:
    """It was executed, or stopped."""
    request = task.request
    held = request.__dict__.pop("tracked", None)
    if held is None:
        return
    execution, around = held
    current_run.set(around)
    executions.end(execution)
    if state != states.SUCCESS:
        _ended_badly(task, execution.run(), retval if state is not None else sys.exc_info()[1])
        return
    run = execution.over()
    if run is None and (around is not None or not _passes(task, request, execution)):
        run = execution.run()
    if run is not None:
        run.end(Status.COMPLETE)


def _passes(task: Task[Any, Any], request: Any, execution: Execution) -> bool:
    """Whether it was over soon, with nothing in it or above it; then only that is told."""
    held, took = getattr(request, HEADER, None), clock.elapsed() - execution.mark
    if took >= BRIEF or request.retries or (request.delivery_info or {}).get("redelivered"):
        return False
    if held is None:
        executions.passed(task.name)
        return True
    ticket = ticket_of(held, request.id)
    if ticket.parent:
        return False
    created = ticket.created or execution.started
    part = RunPart(
        new_run(), task.name, ticket.title or task.name, created, execution.started, Status.COMPLETE, 0,
        execution.started + took, took, _worker(request), release=config.release(), app=str(task.app.main or ""),
    )  # fmt: skip
    executions.passed_as(ticket.operation, part)
    return True


def _ended_badly(task: Task[Any, Any], run: RunWriter, error: object) -> None:
    if not isinstance(error, BaseException):
        error = Error("Interrupted", "it was stopped before it had ended")
    status = run.outcome(error) if isinstance(error, BaseException) else Status.ERROR
    told = _told(run, error) if isinstance(error, BaseException) else error
    is_reason = status in ENDED or isinstance(error, Retry)
    run.end(status, told if is_reason else None, next_at=_next_at(error))
    if status is Status.ERROR and isinstance(error, BaseException) and Exception in (task.throws or ()):
        log.error("tracker: %s %s failed: %s", task.name, run.operation, describe(error))


def heeding(task: Task[Any, Any]) -> Callable[..., Any]:
    """The function of ``task``, left by Celery's own word for it if its operation is cancelled."""
    function = task.run

    @wraps(function)
    def heed(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except BaseException as error:
            if not task.request.called_directly:
                end_task(error)
            raise

    return heed


def run_of(task: Task[Any, Any], request: Any, held: RunWriter | Latent | None, is_brief: bool) -> RunWriter:
    """The run that an execution of ``task`` is, inside what is ``held``: its operation travels with the message."""
    around = held.run() if isinstance(held, Latent) else held
    ticket = ticket_of(getattr(request, HEADER, None), str(request.id))
    run = RunWriter(
        operation=ticket.operation,
        parent=ticket.parent or (around.operation if around is not None else ""),
        name=task.name,
        title=ticket.title or task.name,
        created=ticket.created,
        worker=_worker(request),
        release=config.release(),
        app=str(task.app.main or ""),
        adoptable=True,
    )
    run.classify = partial(_classify, run)
    run.resumes, run.brief = ticket.resumes, is_brief
    if ticket.above:
        run.above = ticket.above
    if around is not None:
        run.around = around
        around.has_children = True
    return run


def _classify(run: RunWriter, error: BaseException) -> Status | None:
    """Celery's own words for how a task ends; and its process, if that is told to end as somebody wants ``run`` to."""
    if _was_told_to_end(error):
        run.cancelled_by = _asked_by(run)
        return Status.CANCELLED if run.cancelled_by is not None else None
    if isinstance(error, Retry):
        return Status.QUEUED
    if isinstance(error, Reject):
        return Status.QUEUED if getattr(error, "requeue", False) else Status.ERROR
    if not isinstance(error, Ignore):
        return None
    if isinstance(error.__cause__, OperationCancelled | BaseExceptionGroup):
        return Status.CANCELLED
    return Status.QUEUED if str(error) == REPLACED else Status.COMPLETE


def _was_told_to_end(error: object) -> bool:
    return isinstance(error, SystemExit) and error.code == TOLD_TO_END


def _asked_by(run: RunWriter) -> str | None:
    """Who wants the run to end, if that is why its process is told to."""
    try:
        return run.cancelled_by or cancelled.lookout(config.settings()).asked_by(run.operation)
    except SettingsError:
        return None


def _told(run: RunWriter, error: BaseException) -> BaseException | Error:
    """What people are told: what was meant by Celery's words, and by the exit code of a process that is told to end."""
    if isinstance(error, Ignore):
        return error.__cause__ or error
    if isinstance(error, Reject):
        return Error(
            "Reject", line(getattr(error, "reason", None) or "its message was rejected"), [*run.above, run.title]
        )
    if isinstance(error, Retry) and isinstance(error.exc, BaseException):
        said = {"type": line(type(error.exc).__name__), "message": message_of(error.exc)}
        return msgspec.structs.replace(failure(run, error), **said)
    if not _was_told_to_end(error):
        return error
    return msgspec.structs.replace(failure(run, error), type="Terminated", message="SIGTERM")


def _worker(request: Any) -> Worker:
    return _worker_of(request.hostname, os.getpid(), _queue(request))


@lru_cache
def _worker_of(node: str | None, pid: int, queue: str) -> Worker:
    return Worker(_host(node), pid, queue)


def _host(node: str | None) -> str:
    """Celery's node name is ``name@host``."""
    return (node or "").partition("@")[2] or socket.gethostname()


def _queue(request: Any) -> str:
    return str((request.delivery_info or {}).get("routing_key") or "")


def _next_at(error: object) -> float | None:
    """When Celery runs it again, in UTC seconds."""
    when = error.when if isinstance(error, Retry) else None
    if isinstance(when, datetime):
        return when.timestamp()
    return now() + float(when) if when is not None else None
