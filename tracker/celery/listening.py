"""Which of Celery's signals are heard, and by what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from celery import signals
from celery.app.task import Task
from celery.signals import before_task_publish, task_postrun, task_prerun

from tracker import publish
from tracker.celery import executed, sent, tracking, worker
from tracker.celery.executed import heeding
from tracker.celery.latent import executions

REQUEST = "tracker.celery.requests:TrackedRequest"
"""Where a worker finds the class; nobody else need load it."""


def listen() -> None:
    """Hear of what is sent and executed here; often is as good as once."""
    for signal, receiver in RECEIVERS.items():
        signal.connect(receiver, weak=False, dispatch_uid=f"tracker.{receiver.__module__}.{receiver.__name__}")


def _prepare(sender: Any, **_: Any) -> None:
    """A worker is about to start: it has to hold the messages of tracked tasks so that it can say what becomes of them.

    Tasks that bring a class of their own for that keep it. What is changed is not the tasks' code, but what Celery
    calls; ``signals`` cannot keep an exception from leaving a task.
    """
    for task in sender.app.tasks.values():
        if tracking.of_task(task) is not None:
            task.Request = REQUEST if task.Request == Task.Request else task.Request
            task.run = heeding(task)


def _settle(**_: Any) -> None:
    executions.look()
    publish.settle()


RECEIVERS: dict[Any, Callable[..., None]] = {
    before_task_publish: sent.note,
    task_prerun: executed.begin,
    task_postrun: executed.end,
    signals.worker_init: _prepare,
    signals.worker_ready: worker.begin,
    signals.worker_shutting_down: worker.end,
    signals.worker_process_shutdown: _settle,
    signals.worker_shutdown: _settle,
}
