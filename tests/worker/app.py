"""A Celery app whose jobs misbehave in every way a job can; run by a real worker in the tests."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from contextlib import suppress
from hashlib import sha256

from celery import Task
from celery.signals import before_task_publish, task_prerun

from tracker import StepTracker
from tracker.celery import job
from tracker.celery.app import make_app
from tracker.celery.headers import HEADER, ticket_of
from tracker.celery.queueing import DISPATCH
from tracker.publish import flush
from tracker.settings import Settings

_moment = threading.Event()


@task_prerun.connect
def end_dispatch(task: Task, **_: object) -> None:  # type: ignore[type-arg]
    """Whoever is about to hand out a batch is killed before anything is told, if its title says so: of which tries,
    and in which file they are noted."""
    word, *rest = ticket_of(task.request.get(HEADER), task.request.id).title.split()
    if task.name == DISPATCH and word == "Untold:":
        file, *which = rest
        with open(file, "a+") as notes:
            notes.write("tried\n")
            notes.seek(0)
            is_meant = str(len(notes.readlines())) in which
        if is_meant:
            os.kill(os.getpid(), signal.SIGKILL)


app = make_app(Settings.from_env())


@before_task_publish.connect
def end_sender(body: tuple[object, dict[str, object], object], **_: object) -> None:
    """Whoever sends this is killed: each time, or once if a file is named that is to be there afterwards."""
    deadly = str(body[1].get("text", ""))
    if deadly == "deadly" or (deadly.startswith("/") and not os.path.exists(deadly)):
        if deadly != "deadly":
            os.mknod(deadly)
        os.kill(os.getpid(), signal.SIGKILL)


class Unprintable(Exception):
    """Fails when it is looked at."""

    def __str__(self) -> str:
        raise RuntimeError("no")


@job(name="test.well")
def well(text: str = "x", times: int = 1) -> None:
    """Does what it says."""
    with StepTracker(f"Well {text}", steps=["One", "Two"]) as tracker:
        with tracker.step("One") as step:
            step.advance(times)
        tracker.step("Two")


@job(name="test.signs_in")
def signs_in(user: str, password: str) -> None:
    """Shows what it was given in a way that is good for nothing."""
    with StepTracker(f"Sign in {user}", steps=["Sign in"]) as tracker:
        tracker.step("Sign in")
        tracker.complete(sha256(password.encode()).hexdigest()[:8])


@job(name="test.stepless")
def stepless(text: str) -> None:
    """Has no steps and gives no title."""


@job(name="test.fails")
def fails(where: str) -> None:
    """Raises before its first step, in one, between two, or what cannot even be printed."""
    if where == "before":
        raise ValueError("before any step")
    with StepTracker("Fails", steps=["One", "Two"]) as tracker:
        with tracker.step("One"):
            if where == "unprintable":
                raise Unprintable
        if where == "between":
            raise ValueError("between steps")


@job(name="test.dies")
def dies() -> None:
    """Its process is killed in the middle of a step."""
    with StepTracker("Dies", steps=["One", "Two"]) as tracker:
        tracker.step("One")
        flush()
        os.kill(os.getpid(), signal.SIGKILL)


@job(name="test.lasts")
def lasts() -> None:
    """Works until its process is killed."""
    with StepTracker("Lasts", steps=["One", "Two"]) as tracker:
        tracker.step("One")
        flush()
        signal.pause()


@job(name="test.waits")
def waits(folder: str) -> None:
    """Waits in the middle of its work until somebody opens its pipe."""
    pipe = os.path.join(folder, f"pipe-{os.getpid()}")
    with StepTracker("Waits", steps=["One", "Two"]) as tracker:
        tracker.step("One")
        os.mkfifo(pipe)
        flush()
        with open(pipe) as waiting:
            waiting.read()
        tracker.step("Two")


@job(name="test.dies_often")
def dies_often(file: str, times: int) -> None:
    """Its process is killed each time, until that has happened often enough."""
    with open(file, "a+") as notes:
        notes.seek(0)
        survives = len(notes.readlines()) >= times
        notes.write("survives\n" if survives else "killed\n")
    with StepTracker("Dies often", steps=["One"]) as tracker:
        tracker.step("One")
        flush()
        if not survives:
            os.kill(os.getpid(), signal.SIGKILL)


@job(name="test.notes")
def notes(file: str, steps: int = 5) -> None:
    """Writes down that it has done its work, with no help of the tracker."""
    with StepTracker("Notes", steps=[f"Step {number}" for number in range(steps)]) as tracker:
        for number in range(steps):
            tracker.step(f"Step {number}")
    with open(file, "a") as notes:
        notes.write(f"{app.current_task.request.id}\n")


@job(name="test.endless")
def endless(file: str) -> None:
    """Tells more and more until something comes up in one of its calls, which it writes down."""
    try:
        with StepTracker("Endless", steps=["One"]) as tracker, tracker.step("One") as step:
            while True:
                step.advance()
                step.log("more")
    except Exception as error:
        with open(file, "a") as notes:
            notes.write(f"{type(error).__name__}\n")
        raise


@job(name="test.stubborn")
def stubborn() -> None:
    """Goes on whatever limit is given to it, until it is killed."""
    with StepTracker("Stubborn", steps=["One", "Two"]) as tracker:
        tracker.step("One")
        flush()
        while True:
            with suppress(Exception):
                tracker.log("goes on")


@job(name="test.busy")
def busy(number: int = 0) -> None:
    """Works until it is told to end."""
    with StepTracker(f"Busy {number}", steps=["One"]) as tracker, tracker.step("One") as step:
        while True:
            step.advance()
            _moment.wait(0.005)


@job(name="test.gathers")
def gathers() -> None:
    """As above, in several tasks side by side."""

    async def one() -> None:
        with tracker.step("One") as step:
            while True:
                step.advance()
                await asyncio.to_thread(_moment.wait, 0.005)

    async def all() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(one())
            group.create_task(one())

    with StepTracker("Gathers") as tracker:
        asyncio.run(all())


@job(name="test.again")
def again() -> None:
    """Asks Celery to run it once more, and then succeeds."""
    task = app.current_task
    with StepTracker("Again", steps=["One"]) as tracker:
        tracker.step("One")
        if task.request.retries == 0:
            raise task.retry(countdown=0, max_retries=1)


def note(file: str, what: str) -> str:
    """Writes down that something was done; the answer is what it was."""
    with open(file, "a") as notes:
        notes.write(f"{what}\n")
    return what


@job(name="test.resumes")
def resumes(file: str, fails: int) -> None:
    """Two steps whose results are kept, and one that fails so often; each notes in a file that it ran."""
    with StepTracker("Resumes", steps=["Load", "Check", "Write"]) as tracker:
        for name in ("Load", "Check"):
            assert tracker.run(name, note, file, name) == name
        with tracker.step("Write"):
            note(file, "Write")
            with open(file) as notes:
                if notes.read().count("Write") <= fails:
                    raise ValueError("not yet")


@job(name="test.nested")
def nested() -> None:
    """Starts an operation inside its own."""
    with StepTracker("Outer") as outer:
        outer.step("One")
        with StepTracker("Inner") as inner:
            inner.step("Within")


@job(name="test.reports")
def reports(file: str, batch: str) -> None:
    """Writes down after which batch it comes."""
    with open(file, "a") as notes:
        notes.write(f"{batch}\n")


@job(name="test.chances")
def chances(file: str, fate: str) -> None:
    """Writes down that it works, and then does what it is told: nothing, fail, be run again twice, or die."""
    task = app.current_task
    with StepTracker("Chances", steps=["One"]) as tracker:
        tracker.step("One")
        flush()
        with open(file, "a") as notes:
            notes.write(f"{task.request.id}\n")
        if fate == "fails":
            raise ValueError("as it was told")
        if fate == "again" and task.request.retries < 2:
            raise task.retry(countdown=0, max_retries=2)
        if fate == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
