"""Whatever callers hand in: the work goes on, or is told in one line what would do."""

# The blocks under test are what raises.

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest

from tracker import StepTracker, TrackerError, current_tracker, event_bus
from tracker.bus import BusEvent
from tracker.testing import FakeClock


def quiet(title: str = "Work", **options: Any) -> StepTracker:
    return StepTracker(title, display="quiet", **options)


class Array:
    """Adds up with anything and refuses to say whether it is true, as arrays of numbers do."""

    def __add__(self, other: object) -> Array:
        return self

    __radd__ = __add__

    def __bool__(self) -> bool:
        raise ValueError("ambiguous")

    def __str__(self) -> str:
        return "[1 2 3]"


def test_a_count_that_is_no_number_is_left_out(events: list[BusEvent]) -> None:
    """It is told as unknown, and everything after it as usual."""
    with quiet() as tracker, tracker.step("Sum") as step:
        step.advance(Array())  # type: ignore[arg-type]
    assert [event.data["current"] for event in events if event.type == "step.complete"] == [None]


def test_numbers_of_different_kinds_add_up() -> None:
    """Python refuses to add a Decimal to a float."""
    with quiet() as tracker, tracker.step("Sum") as step:
        step.advance(0.5)
        step.advance(Decimal(1))  # type: ignore[arg-type]
    assert step.state().current == 1.5


def test_what_cannot_be_counted_is_refused_in_one_line() -> None:
    """The step stays as it was."""
    with quiet() as tracker, tracker.step("Sum") as step:
        step.advance(2)
        with pytest.raises(TrackerError, match="got a str"):
            step.advance("x")  # type: ignore[arg-type]
    assert step.state().current == 2


def test_a_detail_may_be_any_object(events: list[BusEvent]) -> None:
    """Its text is what is shown; its truth is never asked for."""
    with quiet() as tracker:
        tracker.step("A").complete(Array())  # type: ignore[arg-type]
        tracker.step("B").skip(Array())  # type: ignore[arg-type]
        tracker.step("C").fail(Array())  # type: ignore[arg-type]
        tracker.step("D").complete(None)  # type: ignore[arg-type]
    ended = [event.data for event in events if event.type in ("step.complete", "step.skip", "step.error")]
    assert [data["detail"] or data["error"] for data in ended] == ["[1 2 3]"] * 3 + [None]


@pytest.mark.parametrize(("code", "status"), [(None, "complete"), (0, "complete"), (False, "complete")])
def test_exits_that_end_a_process_with_nought_are_successes(events: list[BusEvent], code: Any, status: str) -> None:
    """As the interpreter sees them."""
    with pytest.raises(SystemExit), quiet():
        raise SystemExit(code)
    assert events[-1].data["status"] == status


@pytest.mark.parametrize("code", ["", [], 0.0, 1, "message", Array()])
def test_all_other_exits_are_failures(events: list[BusEvent], code: Any) -> None:
    """Any object but ``None`` and the integer 0 ends a process with another code than 0."""
    with pytest.raises(SystemExit), quiet():
        raise SystemExit(code)
    assert events[-1].data["status"] == "error"


@pytest.mark.parametrize(
    ("options", "said"),
    [({"steps": 5}, "steps is a int"), ({"labels": "ab"}, "labels is a str"), ({"labels": [1]}, "labels is a list")],
)
def test_options_of_another_kind_are_refused(options: dict[str, Any], said: str) -> None:
    """At the call, with what would do."""
    with pytest.raises(TrackerError, match=said):
        quiet(**options)


def test_an_operation_is_not_inside_itself() -> None:
    """The same id twice would make it its own parent."""
    with quiet(id="nightly"), quiet("Between"), pytest.raises(TrackerError, match="inside an operation of the same id"):
        quiet(id="nightly").__enter__()


def test_a_task_that_outlives_its_block_is_inside_none() -> None:
    """It finds no tracker to report to, instead of one that refuses."""

    async def main() -> list[object]:
        left = asyncio.Event()

        async def later() -> object:
            await left.wait()
            return current_tracker()

        with quiet("Outer") as outer:
            with quiet("Inner"):
                task = asyncio.create_task(later())
            left.set()
            return [await task, outer]

    found, outer = asyncio.run(main())
    assert found is outer


def test_generators_that_end_in_any_order_leave_nothing_behind(events: list[BusEvent]) -> None:
    """What has been left is passed over, and what begins afterwards is a child of what is still open."""

    def tracked(name: str) -> Iterator[int]:
        with quiet(name):
            yield 1

    with quiet("Outer") as outer:
        first, second = tracked("First"), tracked("Second")
        for generator in (first, second):
            next(generator)
        for generator in (first, second):
            with suppress(StopIteration):
                next(generator)
        assert current_tracker() is outer
        with quiet("Child") as child:
            assert child._run is not None
            assert child._run.parent == outer.operation_id
    assert current_tracker() is None


def test_a_log_line_is_told_with_its_step(events: list[BusEvent]) -> None:
    """A subscriber sees what it belongs to."""
    with quiet() as tracker:
        tracker.log("outside")
        with tracker.step("Read") as step:
            step.log("inside")
    told = [event.data for event in events if event.type == "step.log"]
    assert [(data["step"], data["step_index"], data["status"]) for data in told] == [
        (None, None, "running"),
        ("Read", 1, "running"),
    ]


def test_a_type_of_event_that_there_is_not_is_refused() -> None:
    """A subscription to it would never be called."""
    with pytest.raises(TrackerError, match=r"steps\.complete.*step\.complete"):
        event_bus.subscribe("steps.complete", print)


def test_all_times_of_a_tracker_come_from_one_clock() -> None:
    """Also under a clock that stands still."""
    with FakeClock() as clock, quiet() as tracker:
        clock.advance(3)
    assert tracker.start_time is not None
    assert tracker.end_time is not None
    assert (tracker.end_time - tracker.start_time).total_seconds() == 3


def test_an_ended_step_takes_no_unit() -> None:
    """Nothing changes a step after its end."""
    with quiet() as tracker:
        step = tracker.step("Read")
        step.complete()
        assert list(step.track([1, 2], unit="rows")) == [1, 2]
    assert (step.unit, step.current) == ("", 0)
