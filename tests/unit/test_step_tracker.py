"""StepTracker: what its forms do, how a block ends, and what misuse says."""

# The blocks under test are what raises.
# ruff: noqa: PT012

from __future__ import annotations

import asyncio
import contextvars
import gc
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tracker import OperationCancelled, StepTracker, TrackerError, context, current_tracker
from tracker import clock as clocks
from tracker.bus import BusEvent
from tracker.render.texts import over_time
from tracker.testing import FakeClock, assert_steps


def quiet(title: str = "Work", **options: object) -> StepTracker:
    return StepTracker(title, display="quiet", **options)  # type: ignore[arg-type]


def types(events: list[BusEvent]) -> list[str]:
    return [event.type for event in events]


def last(events: list[BusEvent]) -> BusEvent:
    return next(event for event in reversed(events) if event.type == "operation.complete")


class Unspeakable(Exception):
    """An exception whose text cannot be read."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_an_exception_before_the_first_step_passes_through_and_ends_the_operation(events: list[BusEvent]) -> None:
    """The caller sees the original exception, watchers see the operation fail before the first step."""
    with pytest.raises(ValueError, match="too early") as caught, quiet():
        raise ValueError("too early")
    assert types(events) == ["operation.start", "operation.complete"]
    assert last(events).data["success"] is False
    assert caught.value.__notes__ == ["Failed before the first step (in 'Work')"]
    assert caught.value.__context__ is None


def test_an_exception_between_steps_leaves_the_finished_step_complete(events: list[BusEvent]) -> None:
    """What went wrong after a step is not booked on that step."""
    tracker = quiet()
    with pytest.raises(ValueError, match="between") as caught, tracker:
        tracker.step("Parse")
        tracker.complete()
        raise ValueError("between")
    assert [step.status for step in tracker.steps] == ["complete"]
    assert caught.value.__notes__ == ["Failed after step 1: Parse (in 'Work')"]
    assert types(events).count("step.error") == 0


def test_a_step_left_open_is_complete_when_the_block_ends_well(events: list[BusEvent]) -> None:
    """A clean end completes the running step, with its event and its duration."""
    with quiet() as tracker:
        tracker.step("Only")
    assert_steps(events, ["Only"])
    assert tracker.steps[0].duration is not None
    assert last(events).data["steps"] == last(events).data["total_steps"] == 1


def test_the_next_step_completes_the_one_before(events: list[BusEvent]) -> None:
    """In the plain form step() ends what the same thread had open."""
    with quiet() as tracker:
        tracker.step("One")
        tracker.step("Two")
        assert [step.status for step in tracker.steps] == ["complete", "running"]
    assert_steps(events, ["One", "Two"])


def test_a_failing_step_gets_one_error_event_and_the_operation_names_it(events: list[BusEvent]) -> None:
    """Exactly one terminal event per started step; the note tells step and plan."""
    tracker = quiet("Migrate", steps=["Back up", "Validate", "Transform", "Check", "Write"])
    with pytest.raises(ValueError, match="model_id") as caught, tracker:
        tracker.step("Back up")
        tracker.complete()
        tracker.step("Validate")
        tracker.complete()
        tracker.step("Transform")
        raise ValueError("Invalid field 'model_id'")
    assert caught.value.__notes__ == ["Failed at step 3/5: Transform (in 'Migrate')"]
    assert_steps(events, ["Back up", "Validate", ("Transform", "error")])
    assert tracker.steps[2].error == "ValueError: Invalid field 'model_id'"
    assert [step.status for step in tracker.steps[3:]] == ["pending", "pending"]
    assert last(events).data["error"] == "Invalid field 'model_id'"


def test_without_a_plan_the_total_is_unknown_until_a_clean_end(events: list[BusEvent]) -> None:
    """The steps so far are not the total."""
    with quiet() as tracker:
        tracker.step("One")
        tracker.step("Two")
    starts = [event.data["total_steps"] for event in events if event.type == "step.start"]
    assert starts == [None, None]
    assert last(events).data["total_steps"] == 2


def test_a_declared_plan_is_pending_from_the_start_and_may_grow(events: list[BusEvent]) -> None:
    """Steps that are not in the plan are added behind it, and the new total is told."""
    with quiet(steps=["One", "Two"]) as tracker:
        assert [step.status for step in tracker.steps] == ["pending", "pending"]
        tracker.step("Two")
        tracker.step("Extra")
        assert [step.name for step in tracker.steps] == ["One", "Two", "Extra"]
    assert [event.data["total_steps"] for event in events if event.type == "step.start"] == [2, 3]
    assert types(events).count("operation.update") == 1
    assert tracker.steps[0].status == "pending"


def test_equal_names_in_a_plan_are_different_steps() -> None:
    """Steps are matched by name in the order of the plan, and known by their index."""
    with quiet(steps=["Copy", "Check", "Copy"]) as tracker:
        first = tracker.step("Copy")
        second = tracker.step("Copy")
        third = tracker.step("Copy")
    assert [step.index for step in (first, second, third)] == [1, 3, 4]


def test_the_scoped_form_follows_its_block(events: list[BusEvent]) -> None:
    """A block that raises fails its step; catching the exception lets the operation go on."""
    with quiet() as tracker:
        with pytest.raises(KeyError), tracker.step("Risky"):
            raise KeyError("model_id")
        with tracker.step("Safe"):
            pass
    assert_steps(events, [("Risky", "error"), "Safe"])
    assert tracker.steps[0].error == "KeyError: 'model_id'"
    assert last(events).data["success"] is True


def test_a_scoped_steps_exception_is_placed_at_that_step_even_when_wrapped() -> None:
    """An exception raised because of a step's exception belongs to that step."""
    with pytest.raises(RuntimeError) as caught, quiet() as tracker:
        try:
            with tracker.step("Read"):
                raise ValueError("bad byte")
        except ValueError as error:
            raise RuntimeError("cannot import") from error
    assert caught.value.__notes__ == ["Failed at step 1: Read (in 'Work')"]


def test_an_earlier_caught_failure_does_not_take_the_blame() -> None:
    """Only the exception that leaves the block says where it failed."""
    with pytest.raises(RuntimeError) as caught, quiet() as tracker:
        with pytest.raises(ValueError, match="caught"), tracker.step("Read"):
            raise ValueError("caught")
        tracker.step("Write")
        raise RuntimeError("later")
    assert caught.value.__notes__ == ["Failed at step 2: Write (in 'Work')"]


def test_an_outcome_given_in_a_block_is_kept(events: list[BusEvent]) -> None:
    """skip() and fail() decide; leaving the block changes nothing more."""
    with quiet() as tracker:
        with tracker.step("Cache") as cache:
            cache.skip("already there")
        with tracker.step("Row") as row:
            row.fail("3 rows are broken")
    assert_steps(events, [("Cache", "skipped"), ("Row", "error")])
    assert (cache.detail, row.error) == ("already there", "3 rows are broken")


def test_the_plain_form_can_fail_and_skip_without_raising(events: list[BusEvent]) -> None:
    """tracker.error() and tracker.skip() end the current step."""
    with quiet() as tracker:
        tracker.step("One")
        tracker.error("no luck")
        tracker.step("Two")
        tracker.skip("not needed")
        tracker.step("Three")
        tracker.advance(2)
        tracker.complete("done")
    assert_steps(events, [("One", "error"), ("Two", "skipped"), "Three"])
    assert tracker.steps[2].state().current == 2


def test_steps_of_a_plain_form_inside_a_block_end_with_it(events: list[BusEvent]) -> None:
    """The inner step ends before the block around it does."""
    with quiet() as tracker, tracker.step("Outer"):
        tracker.step("Inner")
    assert_steps(events, ["Inner", "Outer"])


def test_run_calls_the_function_as_a_step(events: list[BusEvent]) -> None:
    """run() passes arguments on, returns the result, and fails the step when the function raises."""
    with pytest.raises(ZeroDivisionError), quiet() as tracker:
        assert tracker.run("Divide", pow, 7, 2) == 49
        tracker.run("Again", pow, 0, -1)
    assert_steps(events, ["Divide", ("Again", "error")])


def test_run_awaits_async_functions_side_by_side(events: list[BusEvent]) -> None:
    """The step begins when the call is awaited and ends with it; several may run at once."""
    met = asyncio.Event()

    async def wait() -> str:
        await met.wait()
        return "met"

    async def meet() -> str:
        met.set()
        return "meeting"

    async def work() -> list[str]:
        async with quiet() as tracker:
            return await asyncio.gather(tracker.run("Wait", wait), tracker.run("Meet", meet))

    assert asyncio.run(work()) == ["met", "meeting"]
    assert_steps(events, ["Meet", "Wait"])


def test_run_refuses_a_coroutine_it_could_not_see_coming() -> None:
    """A plain function that returns one would be called complete before its work begins."""

    async def work() -> None: ...

    with pytest.raises(TrackerError, match="await"), quiet() as tracker:
        tracker.run("Later", lambda: work())
    assert tracker.steps[0].status == "error"


@pytest.mark.parametrize(
    "result",
    [(1, 2), {1: "a"}, {"a": {2}}, b"bytes", float("nan"), Path("a"), object(), "\udc80", "x" * 70_000, [[("a",)]]],
)
def test_run_refuses_a_result_that_would_not_come_back_the_same(result: object) -> None:
    """The error is raised at the call, in the first attempt and without any store."""
    with pytest.raises(TrackerError, match=r"run\('Load'\) keeps its result"), quiet() as tracker:
        tracker.run("Load", lambda: result)
    assert tracker.steps[0].status == "error"


def test_resume_says_what_it_lacks() -> None:
    """Without a store the error names the setting; without an id, the parameter."""
    with pytest.raises(TrackerError, match="id="):
        StepTracker("Nightly", resume=True)
    with pytest.raises(TrackerError, match="TRACKER_REDIS_URL"), StepTracker("Nightly", id="n", resume=True):
        pass


def test_lines_and_warnings_belong_to_the_step_that_is_open(events: list[BusEvent]) -> None:
    """Outside of steps they belong to the operation; a warning fails nothing."""
    with quiet() as tracker:
        tracker.log("before")
        with tracker.step("Check") as step:
            tracker.log("two\nlines")
            step.warn("a \x1b[31mred\x1b[0m field, password=hunter2")
        tracker.warn("after")
    said = [(event.data["line"], event.data["level"]) for event in events if event.type == "step.log"]
    assert said == [
        ("before", "info"), ("two", "info"), ("lines", "info"),
        ("a red field, password=…", "warning"), ("after", "warning"),
    ]  # fmt: skip
    assert (step.status, step.warned, step.warning) == ("complete", 1, "a red field, password=…")


def test_a_step_over_its_time_is_marked_and_not_stopped() -> None:
    """``warn_after`` is part of its state; whether it is over follows from the time."""
    with FakeClock() as clock, quiet() as tracker, tracker.step("Long", warn_after=30) as step:
        assert not over_time(step.state(), clocks.now())
        clock.advance(31)
        assert over_time(step.state(), clocks.now())
    assert (step.status, step.duration, over_time(step.state(), 0.0)) == ("complete", 31.0, True)


@pytest.mark.parametrize("seconds", [0, -1, True, "soon"])
def test_a_limit_has_to_be_a_number_of_seconds(seconds: Any) -> None:
    """The step that was open before stays as it is."""
    with quiet() as tracker:
        before = tracker.step("Before")
        with pytest.raises(TrackerError, match="seconds"):
            tracker.step("Limited", warn_after=seconds)
        assert before.status == "running"


def test_progress_after_the_end_of_a_step_changes_nothing() -> None:
    """What has ended is told once and stays as it was told."""
    with quiet() as tracker, tracker.step("Read") as step:
        step.advance(3)
        step.complete("done")
        before = step.state()
        step.advance()
        step.set_total(9)
        step.detail = "later"
    assert step.state() == before


def test_the_path_of_a_failure_leads_through_nested_trackers() -> None:
    """The outer operation names the innermost step, and has the last lines logged there."""
    with (
        pytest.raises(ValueError, match="812") as caught,
        quiet("Outer") as outer,
        outer.step("Import"),
        quiet("Inner") as inner,
        inner.step("Parse") as step,
    ):
        for index in range(9):
            step.log(f"row {index}")
        raise ValueError("row 812")
    errors = [tracker._run.error for tracker in (outer, inner) if tracker._run is not None]
    assert [error.path for error in errors if error] == [["Outer", "Import", "Inner", "Parse"]] * 2
    assert [error.log for error in errors if error] == [[f"row {index}" for index in range(4, 9)]] * 2
    assert caught.value.__notes__ == [
        "Failed at step 1: Parse (in 'Inner')", "Failed at step 1: Import (in 'Outer')",
    ]  # fmt: skip


def test_progress_of_a_strange_type_is_stored_as_a_number_or_not_at_all() -> None:
    """No value may keep a state from becoming JSON."""
    from fractions import Fraction

    with quiet() as tracker, tracker.step("Count") as step:
        step.advance(Fraction(1, 2))  # type: ignore[arg-type]
        step.set_total(float("nan"))
        assert (step.state().current, step.state().total) == (0.5, None)


@pytest.mark.parametrize(
    ("raised", "status", "success"),
    [
        (SystemExit(0), "complete", True),
        (SystemExit(None), "complete", True),
        (SystemExit(3), "error", False),
        (KeyboardInterrupt(), "cancelled", False),
        (GeneratorExit(), "cancelled", False),
        (asyncio.CancelledError(), "cancelled", False),
        (OperationCancelled(), "cancelled", False),
        (MemoryError(), "error", False),
    ],
)
def test_the_outcome_follows_what_left_the_block(
    events: list[BusEvent], raised: BaseException, status: str, success: bool
) -> None:
    """Leaving the program well is success, interrupts are cancellation, the rest is an error."""
    tracker = quiet()
    with pytest.raises(type(raised)), tracker:
        tracker.step("Work")
        raise raised
    assert tracker.steps[0].status == status
    assert (last(events).data["status"], last(events).data["success"]) == (status, success)


def test_an_exception_without_text_is_told_by_its_type(events: list[BusEvent]) -> None:
    """An empty message does not hide what happened."""
    with pytest.raises(EOFError), quiet() as tracker:
        tracker.step("Work")
        raise EOFError
    assert tracker.steps[0].error == "EOFError"
    assert last(events).data["error"] == "EOFError"


def test_an_exception_whose_text_raises_passes_through_unharmed(events: list[BusEvent]) -> None:
    """Looking at an exception must not replace it by another."""
    with pytest.raises(Unspeakable), quiet() as tracker:
        tracker.step("Work")
        raise Unspeakable
    assert "Unspeakable" in (tracker.steps[0].error or "")
    assert last(events).data["success"] is False


def test_leaving_by_hand_with_only_an_exception_class_works() -> None:
    """Code that calls __exit__ itself may have no instance."""
    tracker = quiet().__enter__()
    tracker.step("Work")
    tracker.__exit__(ValueError, None, None)
    assert tracker.steps[0].error == "ValueError"


def test_an_exception_that_refuses_notes_passes_through() -> None:
    """Context is wanted, not required."""

    class Sealed(Exception):
        def add_note(self, note: str) -> None:
            raise RuntimeError("sealed")

    with pytest.raises(Sealed), quiet() as tracker:
        tracker.step("Work")
        raise Sealed


def test_ending_a_step_twice_is_an_error_and_changes_nothing(events: list[BusEvent]) -> None:
    """The first outcome stays, with one event and one duration."""
    with quiet() as tracker:
        step = tracker.step("Work")
        step.complete()
        duration = step.duration
        with pytest.raises(TrackerError, match="complete, so it cannot become error"):
            step.fail("too late")
        with pytest.raises(TrackerError, match="no step is open"):
            tracker.complete()
        step.advance()
    assert (step.status, step.error, step.duration) == ("complete", None, duration)
    assert_steps(events, ["Work"])


def test_calls_outside_the_block_are_errors() -> None:
    """A tracker works between entering and leaving, and says so otherwise."""
    tracker = quiet()
    with pytest.raises(TrackerError, match="has not been entered"):
        tracker.step("Work")
    with tracker:
        pass
    with pytest.raises(TrackerError, match="has been left"):
        tracker.step("Work")
    with pytest.raises(TrackerError, match="has been left"):
        tracker.complete()


def test_a_tracker_is_entered_once() -> None:
    """Two runs in one tracker would mix their steps."""
    tracker = quiet()
    with tracker, pytest.raises(TrackerError, match="entered twice"), tracker:
        pass
    with pytest.raises(TrackerError, match="entered twice"), tracker:
        pass


def test_a_step_is_entered_once_and_only_while_it_runs() -> None:
    """Its block is its outcome."""
    with quiet(steps=["Later"]) as tracker:
        with pytest.raises(TrackerError, match="cannot be entered"), tracker.steps[0]:
            pass
        step = tracker.step("Work")
        with step, pytest.raises(TrackerError, match="cannot be entered"), step:
            pass


@pytest.mark.parametrize("id", ["", "with blank", "x" * 129, "../up", 7])
def test_an_id_that_could_be_anything_is_refused(id: str) -> None:
    """Ids appear in keys and addresses."""
    with pytest.raises(TrackerError, match="1 to 128"):
        StepTracker("Work", id=id)


def test_a_given_id_becomes_the_operations_id(events: list[BusEvent]) -> None:
    """Events carry the id, not only the name, so equal names stay apart."""
    with quiet(id="nightly-2026-11-22") as one, quiet() as two:
        pass
    assert one.operation_id == "nightly-2026-11-22"
    assert two.operation_id != one.operation_id
    assert {event.data["operation_id"] for event in events} == {one.operation_id, two.operation_id}


def test_resume_needs_a_store() -> None:
    """What is not there yet is refused at once, not ignored."""
    with pytest.raises(TrackerError, match="resume=True"):
        StepTracker("Work", resume=True)


def test_a_text_as_plan_is_refused() -> None:
    """steps="abc" would be three steps named a, b and c."""
    with pytest.raises(TrackerError, match="list"):
        StepTracker("Work", steps="abc")


def test_an_unknown_display_is_refused() -> None:
    """The message lists what there is."""
    with pytest.raises(TrackerError, match="auto, live, plain, json, quiet"):
        StepTracker("Work", display="disco")


def test_hostile_names_lose_their_control_characters_and_their_length() -> None:
    """Titles and step names leave the process as short plain text."""
    with quiet("\x1b]0;owned\x07T\x1b[31mitle") as tracker:
        tracker.step("a\u202eb\x00c\nd")
        tracker.step("x" * 10_000)
        tracker.step("[/bold] <script>")
        tracker.step("\udc80")
    assert [step.name for step in tracker.steps] == ["abc d", "x" * 199 + "…", "[/bold] <script>", "\ufffd"]


def test_secrets_in_errors_are_masked_before_anybody_sees_them(events: list[BusEvent]) -> None:
    """Step error, operation error and payload are all clean."""
    with pytest.raises(ConnectionError), quiet() as tracker:
        tracker.step("Connect")
        raise ConnectionError("redis://:hunter2@cache:6379 refused")
    assert "hunter2" not in repr([event.data for event in events])
    assert tracker.steps[0].error == "ConnectionError: redis://…@cache:6379 refused"


def test_durations_ignore_the_wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wall clock that jumps back an hour makes no negative duration."""
    from tracker import clock

    with quiet() as tracker:
        tracker.step("Work")
        monkeypatch.setattr(clock, "now", lambda: 0.0)
        tracker.complete()
    assert (tracker.steps[0].duration or 0) >= 0


def test_times_are_aware_and_in_utc(events: list[BusEvent]) -> None:
    """No reader has to guess the offset."""
    with quiet() as tracker:
        step = tracker.step("Work")
    for moment in (tracker.start_time, tracker.end_time, step.start_time, step.end_time):
        assert moment is not None
        assert moment.utcoffset() is not None
    assert all(event.data["timestamp"].endswith("+00:00") for event in events)


def test_events_can_be_switched_off(events: list[BusEvent]) -> None:
    """emit_events=False tells nobody, not even of progress."""
    with quiet(emit_events=False) as tracker, tracker.step("Work") as step:
        step.advance()
    assert events == []
    assert step.status == "complete"


def test_a_nested_tracker_is_a_child_operation_and_one_exception_tells_both_places() -> None:
    """The child knows its parent; the note of each block says where in it the exception passed."""
    from tracker.context import current_run

    with pytest.raises(ValueError, match="deep") as caught, quiet("Outer") as outer:
        outer.step("Import")
        with quiet("Inner") as inner:
            run = current_run.get()
            assert run is not None
            assert run.parent == outer.operation_id
            assert current_tracker() is inner
            inner.step("Parse")
            raise ValueError("deep")
    assert caught.value.__notes__ == [
        "Failed at step 1: Parse (in 'Inner')",
        "Failed at step 1: Import (in 'Outer')",
    ]
    assert current_tracker() is None


def test_a_generator_closed_early_ends_its_operation_cancelled(events: list[BusEvent]) -> None:
    """Closing the generator, also by the garbage collector, ends the block inside it."""

    def rows() -> Iterator[int]:
        with quiet() as tracker:
            tracker.step("Yield")
            yield 1
            yield 2

    generator = rows()
    assert next(generator) == 1
    del generator
    gc.collect()
    assert last(events).data["status"] == "cancelled"
    assert current_tracker() is None


def test_a_finished_tracker_keeps_no_exception_alive() -> None:
    """Holding the tracker must not hold the frames of the failure."""

    class Failure(Exception): ...

    tracker = quiet()
    before = sys.getrefcount(Failure)
    with pytest.raises(Failure), tracker, tracker.step("Work"):
        raise Failure
    gc.collect()
    assert sys.getrefcount(Failure) <= before


def test_async_with_works_and_tasks_do_not_close_each_others_steps(events: list[BusEvent]) -> None:
    """Each asyncio task has its own open step, in both forms."""

    async def scoped(tracker: StepTracker, name: str, ready: asyncio.Barrier) -> None:
        with tracker.step(name):
            await ready.wait()

    async def plain(tracker: StepTracker, name: str, ready: asyncio.Barrier) -> None:
        tracker.step(name)
        await ready.wait()
        tracker.complete(name)

    async def main() -> StepTracker:
        ready = asyncio.Barrier(4)
        async with quiet() as tracker:
            tracker.step("Fan out")
            await asyncio.gather(
                *(scoped(tracker, f"scoped {index}", ready) for index in range(2)),
                *(plain(tracker, f"plain {index}", ready) for index in range(2)),
            )
            assert tracker.current_step is not None
            assert tracker.current_step.name == "Fan out"
        return tracker

    tracker = asyncio.run(main())
    assert [step.status for step in tracker.steps] == ["complete"] * 5
    assert [step.detail for step in tracker.steps[3:]] == ["plain 0", "plain 1"]


def test_a_step_may_be_entered_with_async_with(events: list[BusEvent]) -> None:
    """As code that awaits everything else would write it."""

    async def main() -> None:
        async with quiet() as tracker:
            async with tracker.step("Fetch"):
                pass
            with suppress(OSError):
                async with tracker.step("Store"):
                    raise OSError("disk")

    asyncio.run(main())
    assert_steps(events, ["Fetch", ("Store", "error")])


@pytest.mark.parametrize("end", ["left", "failed", "ended elsewhere"])
def test_an_ended_step_lets_go_of_the_task_that_ran_it(end: str) -> None:
    """What thousands of tasks returned, or raised, must not live as long as their operation."""

    async def main() -> None:
        async with quiet() as tracker:

            async def work() -> None:
                with tracker.step("Fetch") as step:
                    if end == "failed":
                        raise OSError("away")
                    if end == "ended elsewhere":
                        await asyncio.to_thread(step.complete)

            async def nothing() -> None: ...

            task = asyncio.create_task(work())
            await asyncio.wait([task])
            with suppress(OSError):
                task.result()
            gone = weakref.ref(task)
            del task
            await asyncio.create_task(nothing())  # The loop itself holds the last task it ran.
            gc.collect()
            assert gone() is None

    asyncio.run(main())


def test_a_step_that_a_thread_left_open_is_nobody_elses() -> None:
    """The system gives the number of a thread that has ended to the next one; a step stays with its own."""

    def run_in_a_thread(call: Callable[[], object]) -> None:
        thread = threading.Thread(target=call)
        thread.start()
        thread.join()

    with quiet() as tracker:
        run_in_a_thread(lambda: tracker.step("Left open"))
        for number in range(10):
            run_in_a_thread(lambda number=number: tracker.step(f"Other {number}").complete())  # type: ignore[misc]
        assert tracker.steps[0].status == "running"


def test_a_cancelled_async_block_is_cancelled(events: list[BusEvent]) -> None:
    """asyncio's cancellation is not a failure."""

    async def main(waiting: asyncio.Event) -> None:
        async with quiet() as tracker:
            tracker.step("Wait")
            waiting.set()
            await asyncio.Event().wait()

    async def cancelled() -> None:
        waiting = asyncio.Event()
        task = asyncio.create_task(main(waiting))
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert_steps(events, [("Wait", "cancelled")])
    assert last(events).data["status"] == "cancelled"


def test_the_innermost_of_nested_steps_is_where_it_failed() -> None:
    """The blocks around it only pass the exception on."""
    with (
        pytest.raises(ValueError, match="bad") as caught,
        quiet() as tracker,
        tracker.step("Outer"),
        tracker.step("Inner"),
    ):
        raise ValueError("bad")
    assert caught.value.__notes__ == ["Failed at step 2: Inner (in 'Work')"]


def opened(title: str) -> Iterator[int]:
    """A generator with a block inside."""
    with quiet(title):
        yield 1


def test_leaving_one_of_two_interleaved_blocks_keeps_the_other_current() -> None:
    """Generators may end in another order than they began."""
    one, two = opened("One"), opened("Two")
    next(one)
    next(two)
    inner = current_tracker()
    one.close()  # type: ignore[attr-defined]
    assert current_tracker() is inner
    two.close()  # type: ignore[attr-defined]


def test_a_generator_may_be_closed_in_a_copy_of_its_context(events: list[BusEvent]) -> None:
    """Its own mark is worth nothing there, and nothing raises."""
    rows = opened("Rows")
    began = contextvars.copy_context()
    began.run(next, rows)
    copied = began.copy()
    copied.run(rows.close)  # type: ignore[attr-defined]
    assert copied.run(current_tracker) is None
    assert last(events).data["status"] == "cancelled"


def test_an_ended_step_tells_no_more_progress(events: list[BusEvent]) -> None:
    """A thread that counts on after the end is ignored; a step that tells nobody tells nobody anything."""
    with quiet() as tracker:
        step = tracker.step("Work")
        step.complete()
        step.advance()
        step.set_total(5)
    with quiet(emit_events=False) as silent:
        silent.step("Work").set_total(5)
    assert "step.progress" not in types(events)


def test_an_outer_step_that_ends_first_leaves_the_inner_one_open_and_nothing_behind() -> None:
    """The inner step is still the current one, and once it has ended no step is."""
    with quiet() as tracker, tracker.step("Outer") as outer:
        inner = tracker.step("Inner").__enter__()
        outer.complete()
        assert tracker.current_step is inner
        tracker.complete()
        with pytest.raises(TrackerError, match="no step"):
            tracker.complete()
    assert [step.status.value for step in tracker.steps] == ["complete", "complete"]


def test_one_call_of_log_keeps_a_hundred_lines(events: list[BusEvent]) -> None:
    """A dump of a whole file under a step is cut."""
    with quiet() as tracker:
        tracker.log("\n".join(f"line {number}" for number in range(1_000)))
    assert [event.data["line"] for event in events if event.type == "step.log"] == [f"line {n}" for n in range(100)]


def test_a_count_beyond_what_every_reader_can_hold_becomes_a_float(events: list[BusEvent]) -> None:
    """Readers that know double precision only see the number that was sent."""
    with quiet() as tracker, tracker.step("Count") as step:
        step.advance(2**60)
    (ended,) = [event for event in events if event.type == "step.complete"]
    assert type(ended.data["current"]) is float


def test_a_step_may_begin_while_another_thread_imports_asyncio(monkeypatch: pytest.MonkeyPatch) -> None:
    """The module is known by then, but has nothing in it yet."""
    monkeypatch.setattr(context, "_running_loop", None)
    monkeypatch.setitem(sys.modules, "asyncio", ModuleType("asyncio"))
    with quiet() as tracker:
        tracker.step("Read")
        tracker.complete()
    assert tracker.steps[0].status == "complete"
