"""Tracked loops: each item is counted, and what ends the loop ends its step."""

# The blocks under test are what raises.
# ruff: noqa: PT012

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from tracker import StepTracker
from tracker.bus import BusEvent
from tracker.testing import assert_steps


def quiet() -> StepTracker:
    return StepTracker("Work", display="quiet")


async def arriving(*items: str) -> AsyncIterator[str]:
    """Items that come from another task."""
    queue = asyncio.Queue[str]()

    async def send() -> None:
        for item in items:
            await queue.put(item)

    task = asyncio.create_task(send())
    for _ in items:
        yield await queue.get()
    await task


def test_track_makes_a_step_of_a_loop(events: list[BusEvent]) -> None:
    """It is complete with the last item; steps inside the loop are steps of their own."""
    with quiet() as tracker:
        for row in tracker.track("Rows", ["a", "b"], unit="rows"):
            tracker.step(f"Row {row}")
        tracker.step("After")
    assert_steps(events, ["Row a", "Row b", "Rows", "After"])
    assert (tracker.steps[0].current, tracker.steps[0].total, tracker.steps[0].unit) == (2, 2, "rows")


def test_an_exception_in_a_tracked_loop_fails_its_step() -> None:
    """The item it happened at is not counted."""
    with pytest.raises(ValueError, match="bad"), quiet() as tracker:
        for row in tracker.track("Rows", range(5)):
            if row == 3:
                raise ValueError("bad")
    step = tracker.steps[0]
    assert (step.status, step.error, step.current) == ("error", "ValueError: bad", 3)


def test_a_tracked_loop_that_is_left_early_ends_with_the_next_step(events: list[BusEvent]) -> None:
    """``break`` is no failure."""
    with quiet() as tracker:
        for _ in tracker.track("Search", range(5)):
            break
        tracker.step("Use")
    assert_steps(events, ["Search", "Use"])


def test_an_iterable_that_fails_fails_the_tracked_step() -> None:
    """A generator that raises in the middle of its items."""

    def rows() -> Iterator[int]:
        yield 1
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"), quiet() as tracker:
        for _ in tracker.track("Rows", rows()):
            pass
    assert (tracker.steps[0].status, tracker.steps[0].current) == ("error", 1)


def test_track_counts_an_item_once_the_next_one_is_asked_for() -> None:
    """The total comes from the length, and a broken item is not counted as done."""
    with pytest.raises(ValueError, match="2"), quiet() as tracker, tracker.step("Check") as step:
        for row in step.track([0, 1, 2, 3], unit="rows"):
            if row == 2:
                raise ValueError(row)
    state = step.state()
    assert (state.current, state.total, state.unit, state.status) == (2, 4, "rows", "error")


def test_track_takes_a_generator_whose_length_is_unknown() -> None:
    """Without a length there is a count but no total."""
    with quiet() as tracker, tracker.step("Check") as step:
        assert list(step.track(iter("abc"))) == ["a", "b", "c"]
    assert (step.state().current, step.state().total) == (3, None)


def test_an_async_loop_is_a_step_and_counts_its_items(events: list[BusEvent]) -> None:
    """Both forms of ``track`` take what ``async for`` goes through."""

    async def main() -> StepTracker:
        async with quiet() as tracker:
            async for row in tracker.track("Rows", arriving("a", "b"), total=2, unit="rows"):
                tracker.step(f"Row {row}")
            with tracker.step("Check") as step:
                assert [row async for row in step.track(arriving("a", "b", "c"))] == ["a", "b", "c"]
        return tracker

    tracker = asyncio.run(main())
    assert_steps(events, ["Row a", "Row b", "Rows", "Check"])
    assert (tracker.steps[0].current, tracker.steps[0].total, tracker.steps[0].unit) == (2, 2, "rows")
    assert (tracker.steps[3].current, tracker.steps[3].total) == (3, None)


def test_a_failure_in_an_async_loop_fails_its_step(events: list[BusEvent]) -> None:
    """In the loop's body as in what it goes through."""

    async def failing() -> AsyncIterator[int]:
        yield 1
        raise OSError("disk")

    async def main(rows: AsyncIterator[object]) -> None:
        async with quiet() as tracker:
            async for row in tracker.track("Rows", rows):
                if row == "bad":
                    raise ValueError(row)

    with pytest.raises(ValueError, match="bad"):
        asyncio.run(main(arriving("good", "bad")))
    with pytest.raises(OSError, match="disk"):
        asyncio.run(main(failing()))
    assert_steps(events, [("Rows", "error"), ("Rows", "error")])
    assert [event.data["current"] for event in events if event.type == "step.error"] == [1, 1]
