"""A Celery app whose jobs do no harm whatever they are given; run by a real worker in the tests."""

from __future__ import annotations

from tracker import StepTracker
from tracker.celery import job
from tracker.celery.app import make_app
from tracker.settings import Settings

app = make_app(Settings.from_env())


@job(name="trial.well")
def well(text: str = "x", times: int = 1) -> None:
    """Does what it says."""
    with StepTracker(f"Well {text}", steps=["One", "Two"]) as tracker:
        with tracker.step("One") as step:
            step.advance(times)
            step.log(text)
        tracker.step("Two")


@job(name="trial.fails")
def fails(reason: str) -> None:
    """Does not."""
    with StepTracker("Fails", steps=["One"]) as tracker, tracker.step("One"):
        raise ValueError(reason)
