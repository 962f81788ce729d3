"""The Celery app that ``benchmarks.tasks`` measures: the same task with and without what is compared."""

from __future__ import annotations

import os

from celery import Celery

from tracker import StepTracker

app = Celery("measured", broker=os.environ["BENCH_BROKER"])
app.conf.update(
    task_default_queue=os.environ["BENCH_QUEUE"],
    task_ignore_result=True,
    worker_prefetch_multiplier=16,
    broker_connection_retry_on_startup=True,
)

if os.environ.get("BENCH_INSTALL"):
    from tracker.celery import install

    install(app)


@app.task(name="bench.nothing")
def nothing(loops: int) -> None:
    """As much work as it is told; with none at all nothing hides what is measured."""
    work(loops)


@app.task(name="bench.steps")
def steps(loops: int) -> None:
    """The same, in five tracked steps."""
    with StepTracker("Five steps", steps=["1", "2", "3", "4", "5"], display="quiet") as tracker:
        for name in "12345":
            tracker.step(name)
            work(loops // 5)


def work(loops: int) -> None:
    """The same amount however busy the machine is, and none of it without Python's lock."""
    for _ in range(loops):
        pass
