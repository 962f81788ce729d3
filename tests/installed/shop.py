"""Somebody's Celery app, as it was before: its tasks know nothing of the tracker, but the app has it installed."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

from celery import Celery, Task, chain, chord, group, shared_task
from celery.exceptions import Ignore, Reject
from celery.signals import task_prerun

from tracker import StepTracker
from tracker.celery import install
from tracker.publish import flush, publisher

app = Celery("shop", broker=os.environ["SHOP_BROKER"], backend=os.environ.get("SHOP_BACKEND"))
app.conf.update(
    broker_connection_retry_on_startup=True,
    worker_soft_shutdown_timeout=float(os.environ.get("SHOP_SOFT_SHUTDOWN", "0")),
    worker_prefetch_multiplier=1,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    task_default_queue=os.environ["SHOP_QUEUE"],
    task_store_errors_even_if_ignored=True,
)
if "SHOP_FLUSH_EVERY" in os.environ:  # As on a machine that is busy.
    publisher.FLUSH_EVERY = float(os.environ["SHOP_FLUSH_EVERY"])
install(app, exclude=["shop.ping", "shop.secret.*"])

_moment = threading.Event()


class Base(Task):  # type: ignore[type-arg]
    """A base class of their own, as many have."""

    abstract = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return super().__call__(*args, **kwargs)


@app.task(name="shop.steps")
def steps(number: int = 0) -> int:
    """Has steps."""
    with StepTracker(f"Order {number}", steps=["Pack", "Send"]) as tracker:
        tracker.step("Pack")
        tracker.step("Send")
    return number


@app.task(name="shop.lasts")
def lasts(file: str) -> int:
    """Without steps, until somebody opens its pipe."""
    os.mkfifo(file)
    return len(Path(file).read_text())


@app.task(name="shop.quick")
def quick(number: int = 0, other: int = 0) -> int:
    """Without steps, and over at once."""
    return number + other


@app.task(name="shop.ping")
def ping() -> None:
    """Not tracked."""


@app.task(name="shop.fails")
def fails() -> None:
    """Raises."""
    raise ValueError("sold out")


@app.task(name="shop.based", base=Base)
def based() -> None:
    """On a base class with a ``__call__`` of its own."""
    with StepTracker("Based", steps=["One"]) as tracker:
        tracker.step("One")


@shared_task(name="shop.shared")
def shared() -> None:
    """Of no app in particular."""
    with StepTracker("Shared") as tracker:
        tracker.step("One")


@app.task(name="shop.again", bind=True, max_retries=1)
def again(self: Any, countdown: float) -> None:
    """Asks to be run again, and then succeeds."""
    with StepTracker("Again", steps=["One"]) as tracker:
        tracker.step("One")
        if self.request.retries == 0:
            raise self.retry(countdown=countdown, exc=ValueError("not yet"))


@app.task(name="shop.at_once", bind=True, max_retries=2)
def at_once(self: Any) -> None:
    """Asks twice to be run again without delay, and does nothing else."""
    if self.request.retries < 2:
        raise self.retry(countdown=0)


@app.task(name="shop.gives_up", bind=True, max_retries=1, autoretry_for=(ValueError,), retry_backoff=False)
def gives_up(self: Any) -> None:
    """Fails as often as it may."""
    raise ValueError("never")


@app.task(name="shop.ignores")
def ignores() -> None:
    """Says that nobody need look at its result."""
    raise Ignore


@app.task(name="shop.rejects", acks_late=True)
def rejects() -> None:
    """Says that its message is of no use."""
    raise Reject("no use")


@app.task(name="shop.requeues", bind=True, acks_late=True)
def requeues(self: Any, file: str) -> None:
    """Puts its message back once, before it succeeds."""
    with StepTracker("Requeues") as tracker:
        tracker.step("One")
        if not Path(file).exists():
            Path(file).touch()
            raise Reject(requeue=True)


@app.task(name="shop.replaced", bind=True)
def replaced(self: Any) -> None:
    """Has another task do its work, under its own id."""
    raise self.replace(steps.s(7))


@app.task(name="shop.replaced_by_group", bind=True)
def replaced_by_group(self: Any) -> None:
    """As above, by several."""
    raise self.replace(group(quick.s(1), quick.s(2)))


@app.task(name="shop.parent")
def parent(count: int) -> None:
    """Sends tasks."""
    with StepTracker("Parent", steps=["Send"]) as tracker:
        tracker.step("Send")
        for number in range(count):
            quick.delay(number)


@app.task(name="shop.chained")
def chained() -> None:
    """Sends a chain, a group and a chord."""
    with StepTracker("Chained", steps=["Send"]) as tracker:
        tracker.step("Send")
        chain(quick.s(1), quick.s(2), quick.s(3)).apply_async()
        chord([quick.s(1), quick.s(2)], total.s()).apply_async()


@app.task(name="shop.total")
def total(numbers: list[int]) -> int:
    """The body of a chord."""
    return sum(numbers)


@app.task(name="shop.busy")
def busy(file: str = "") -> None:
    """Works until it is told to end, and says which process did."""
    with StepTracker("Busy", steps=["Work"]) as tracker, tracker.step("Work") as step:
        while True:
            step.advance()
            _moment.wait(0.005)


@app.task(name="shop.waits", acks_late=True)
def waits(folder: str) -> None:
    """Waits in the middle of its work until somebody opens its pipe."""
    pipe = os.path.join(folder, f"pipe-{os.getpid()}")
    with StepTracker("Waits", steps=["One", "Two"]) as tracker:
        tracker.step("One")
        os.mkfifo(pipe)
        with open(pipe) as waiting:
            waiting.read()
        tracker.step("Two")


@app.task(name="shop.dies_at_once")
def dies_at_once() -> None:
    """Its process is killed as it begins, when nothing of it is on its way yet."""


@task_prerun.connect(sender=dies_at_once)
def _die(**_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@app.task(name="shop.dies")
def dies() -> None:
    """Its process is killed in the middle of a step."""
    with StepTracker("Dies", steps=["One"]) as tracker:
        tracker.step("One")
        flush()
        os.kill(os.getpid(), signal.SIGKILL)


@app.task(name="shop.dies_once", acks_late=True, reject_on_worker_lost=True)
def dies_once(file: str) -> None:
    """As above, the first time."""
    with StepTracker("Dies once", steps=["One"]) as tracker:
        tracker.step("One")
        flush()
        if not Path(file).exists():
            Path(file).touch()
            os.kill(os.getpid(), signal.SIGKILL)


@app.task(name="shop.soft", soft_time_limit=1)
def soft() -> None:
    """Takes longer than its soft limit."""
    with StepTracker("Soft", steps=["One"]) as tracker:
        tracker.step("One")
        _moment.wait(60)


@app.task(name="shop.hard_once", time_limit=1, acks_late=True, acks_on_failure_or_timeout=False)
def hard_once(file: str) -> None:
    """Takes longer than its hard limit, the first time."""
    with StepTracker("Hard once", steps=["One"]) as tracker:
        tracker.step("One")
        if not Path(file).exists():
            Path(file).touch()
            _moment.wait(60)


@app.task(name="shop.hard", time_limit=1)
def hard() -> None:
    """Takes longer than its hard limit."""
    with StepTracker("Hard", steps=["One"]) as tracker:
        tracker.step("One")
        _moment.wait(60)
