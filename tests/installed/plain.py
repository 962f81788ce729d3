"""Somebody's Celery app that does not have the tracker installed: one task opted in, another only uses a block."""

from __future__ import annotations

import os
import threading

from celery import Celery

from tracker import StepTracker
from tracker.celery import TrackedTask

app = Celery("plain", broker=os.environ["SHOP_BROKER"], backend=os.environ["SHOP_BACKEND"])
app.conf.update(task_default_queue=os.environ["SHOP_QUEUE"], broker_connection_retry_on_startup=True)

_moment = threading.Event()


@app.task(name="plain.opted", base=TrackedTask, keep_short=True)
def opted() -> None:
    """Becomes an operation by itself, though it has no steps."""


@app.task(name="plain.other")
def other() -> None:
    """Does not."""


@app.task(name="plain.busy")
def busy() -> None:
    """Works in a block until it is told to end."""
    with StepTracker("Busy", steps=["Work"]) as tracker, tracker.step("Work") as step:
        while True:
            step.advance()
            _moment.wait(0.005)


@app.task(name="plain.pid")
def pid() -> int:
    """Which process runs it."""
    return os.getpid()
