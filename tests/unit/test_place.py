"""Where a failure is said to have happened: the step it came from, whatever was caught, repeated or cut off before."""

# The blocks under test are what raises.
# ruff: noqa: PT012

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from tracker import StepTracker


def quiet(title: str = "Work") -> StepTracker:
    return StepTracker(title, display="quiet")


def path_of(work: Callable[[StepTracker], object]) -> list[str]:
    """The path of the failure that ``work`` ends with."""
    tracker = quiet()
    with pytest.raises(BaseException) as caught, tracker:  # noqa: PT011
        work(tracker)
    run = tracker._run
    assert run is not None
    assert run.error is not None
    index = run.error.step
    named = tracker.steps[index - 1].name if index else None
    assert named is None or named in run.error.path
    assert caught.value.__notes__[-1].endswith("(in 'Work')")
    return run.error.path


def fail(tracker: StepTracker, name: str, error: Exception) -> None:
    with tracker.step(name):
        raise error


def test_a_task_that_fails_is_told_and_not_those_it_cut_off() -> None:
    """A task group cancels hundreds of others because of one."""

    async def main(tracker: StepTracker) -> None:
        everybody = asyncio.Barrier(21)

        async def wait(number: int) -> None:
            with tracker.step(f"Wait {number}"):
                await everybody.wait()
                await asyncio.Event().wait()

        async def bad() -> None:
            with tracker.step("Bad"):
                await everybody.wait()
                raise ValueError("no")

        async with asyncio.TaskGroup() as group:
            group.create_task(bad())
            for number in range(20):
                group.create_task(wait(number))

    assert path_of(lambda tracker: asyncio.run(main(tracker))) == ["Work", "Bad"]


def test_of_two_threads_that_fail_the_one_asked_for_is_told() -> None:
    """Both steps have failed; the operation ends with what it was that reached it."""

    def work(tracker: StepTracker) -> None:
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(fail, tracker, "A", ValueError("a"))
            pool.submit(fail, tracker, "B", ValueError("b")).exception()
        first.result()

    assert path_of(work) == ["Work", "A"]


def test_a_step_that_waits_for_a_thread_passes_its_failure_on() -> None:
    """The step that was open meanwhile is not where it happened."""

    def work(tracker: StepTracker) -> None:
        with tracker.step("Wait"), ThreadPoolExecutor(1) as pool:
            pool.submit(fail, tracker, "In the pool", ValueError("a")).result()

    assert path_of(work) == ["Work", "In the pool"]


def test_a_fallback_that_fails_is_told_and_not_what_it_was_for() -> None:
    """The first failure is only the context of the second."""

    def work(tracker: StepTracker) -> None:
        try:
            fail(tracker, "Primary", ValueError("down"))
        except ValueError:
            fail(tracker, "Fallback", KeyError("missing"))

    assert path_of(work) == ["Work", "Fallback"]


def test_an_exception_raised_once_more_is_told_of_the_later_step() -> None:
    """One object may go through two steps; the second is where the work ended."""
    error = ValueError("again")

    def work(tracker: StepTracker) -> None:
        with suppress(ValueError):
            fail(tracker, "First", error)
        fail(tracker, "Second", error)

    assert path_of(work) == ["Work", "Second"]


def test_the_last_of_several_attempts_with_trackers_inside_is_told() -> None:
    """The whole way: step of the outer operation, inner operation, its step."""

    def work(tracker: StepTracker) -> None:
        for number in (1, 2):
            try:
                with tracker.step(f"Try {number}"), quiet(f"Inner {number}") as inner:
                    fail(inner, f"Read {number}", OSError(number))
            except OSError:
                if number == 2:
                    raise

    assert path_of(work) == ["Work", "Try 2", "Inner 2", "Read 2"]


def test_a_fallback_beside_a_failed_inner_tracker_has_a_path_of_its_own() -> None:
    """What happened inside the first step is no part of the second's way."""

    def work(tracker: StepTracker) -> None:
        try:
            with tracker.step("Primary"), quiet("Inner") as inner:
                fail(inner, "Read", OSError("down"))
        except OSError:
            fail(tracker, "Fallback", KeyError("missing"))

    assert path_of(work) == ["Work", "Fallback"]


def test_a_failure_raised_outside_of_steps_because_of_one_inside_is_told_there() -> None:
    """``raise … from`` leads back to the step."""

    def work(tracker: StepTracker) -> None:
        try:
            fail(tracker, "Read", OSError("disk"))
        except OSError as error:
            raise RuntimeError("import failed") from error

    assert path_of(work) == ["Work", "Read"]


def test_the_last_lines_are_those_of_the_failed_step_and_of_no_step_that_ended_before() -> None:
    """Thousands of ended steps keep no lines in memory."""
    tracker = quiet()
    with pytest.raises(ValueError, match="bad"), tracker:
        for number in range(100):
            with tracker.step(f"Good {number}") as step:
                step.log("fine")
        run = tracker._run
        assert run is not None
        assert run.lines.held == {}
        with tracker.step("Bad") as step:
            step.log("row 812")
            raise ValueError("bad")
    assert run.error is not None
    assert run.error.log == ["row 812"]
