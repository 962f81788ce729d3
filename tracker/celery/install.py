"""``install``: every task of a Celery app becomes an operation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from celery import Celery, signals
from celery.app.task import Task
from celery.signals import before_task_publish, task_postrun, task_prerun

from tracker import config, publish
from tracker.celery import executed, sent, tracking, worker
from tracker.celery.conf import variables
from tracker.celery.executed import heeding
from tracker.celery.latent import lookout
from tracker.celery.requests import REQUEST
from tracker.celery.tracking import Tracking


def install(
    app: Celery,
    include: str | Iterable[str] = "*",
    exclude: str | Iterable[str] = (),
    *,
    keep_short: bool = False,
    keep_args: bool = False,
) -> None:
    """Make every task of ``app`` an operation, queued from the moment it is sent, with the steps it has.

    ``include`` and ``exclude`` are patterns such as ``"shop.*"``, one or several, held against the names of tasks.
    A task that has no steps and ends well within two seconds is counted and not kept, unless it belongs to another one
    or ``keep_short`` is set. ``keep_args`` stores arguments, with secrets masked; of jobs they always are.

    Settings come from ``TRACKER_*`` variables or from ``app.conf.tracker_*``, such as ``app.conf.tracker_redis_url``.
    If neither says where events go, and the broker is a Redis, they go there. To be called in every process that sends
    or runs tasks, which is where the app is made.

    >>> from celery import Celery
    >>> app = Celery("shop", broker="redis://localhost:6379/0")
    >>> install(app, exclude="shop.ping")
    """
    tracking.use(app, Tracking(tracking.patterns(include), tracking.patterns(exclude), keep_short, keep_args))
    config.read_app(partial(variables, app))
    listen()


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
    lookout.look()
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
