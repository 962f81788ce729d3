"""Outcomes and identity: what the first sketch of the tracker got wrong, by number; each docstring says what holds."""

# The blocks under test are what raises.
# ruff: noqa: PT012

from __future__ import annotations

import asyncio
import json
import threading
from datetime import UTC

import pytest
from celery.exceptions import Ignore, Reject, Retry, SoftTimeLimitExceeded

from tracker import StepTracker, TrackerError, event_bus
from tracker.bus import BusEvent
from tracker.celery.executed import _classify
from tracker.compose import compose
from tracker.model import EventType, Operation, Parts, Status, StepStatus
from tracker.outcome import outcome
from tracker.run import RunWriter
from tracker.testing import FakeClock, assert_steps


def quiet(title: str = "Work", **options: object) -> StepTracker:
    return StepTracker(title, display="quiet", **options)  # type: ignore[arg-type]


def seen(tracker: StepTracker) -> Operation:
    """The operation as people see it."""
    run = tracker._run
    assert run is not None
    return compose(Parts(run.operation, run=run.part(), steps={state.index: state for state in run.states()}))


def ends(events: list[BusEvent]) -> list[str]:
    return [event.type for event in events if event.type.startswith("step.") and event.type != "step.start"]


def test_01_a_failure_before_the_first_step(events: list[BusEvent]) -> None:
    """Defect 1: the exception passes unchanged, and the place is "before the first step"."""
    error = ValueError("early")
    with pytest.raises(ValueError, match="early") as caught, quiet() as tracker:
        raise error
    assert caught.value is error
    assert error.__context__ is None
    why = seen(tracker).error
    assert why is not None
    assert why.path == ["Work", "before the first step"]


def test_02_the_outcome_is_told_whatever_happened(events: list[BusEvent]) -> None:
    """Defect 2: the operation's end is emitted, also when it failed before its first step."""
    with pytest.raises(ValueError, match="early"), quiet():
        raise ValueError("early")
    assert [event.type for event in events] == ["operation.start", "operation.complete"]
    assert events[-1].data["success"] is False


def test_03_a_failure_between_steps_leaves_the_finished_step_alone() -> None:
    """Defect 3: what is complete stays complete; the failure is placed after it."""
    with pytest.raises(ValueError, match="between"), quiet() as tracker:
        tracker.step("Read")
        tracker.complete()
        raise ValueError("between")
    why = seen(tracker).error
    assert tracker.steps[0].status == "complete"
    assert why is not None
    assert why.path[-1] == "after step 1: Read"


def test_04_leaving_the_block_completes_a_running_step(events: list[BusEvent]) -> None:
    """Defect 4: with an event and a duration, as if complete() had been called."""
    with quiet() as tracker:
        tracker.step("Read")
    assert (tracker.steps[0].status, tracker.steps[0].duration is not None) == ("complete", True)
    assert ends(events) == ["step.complete"]


def test_05_a_step_whose_error_was_caught_can_say_so(events: list[BusEvent]) -> None:
    """Defect 5: error(), skip() and the scoped form give the next step's predecessor its true outcome."""
    with quiet() as tracker:
        tracker.step("Caught")
        tracker.error("could not, going on")
        try:
            with tracker.step("Scoped"):
                raise OSError("no")
        except OSError:
            pass
        tracker.step("Plain")
        tracker.step("Next")
    assert_steps(events, [("Caught", "error"), ("Scoped", "error"), "Plain", "Next"])


def test_06_every_started_step_ends_with_exactly_one_event(events: list[BusEvent]) -> None:
    """Defect 6: the one that failed with step.error."""
    with pytest.raises(ValueError, match="bad"), quiet() as tracker:
        tracker.step("One")
        tracker.step("Two").skip()
        tracker.step("Three")
        raise ValueError("bad")
    assert ends(events) == ["step.complete", "step.skip", "step.error"]


def test_07_the_total_is_the_plans_or_unknown(events: list[BusEvent]) -> None:
    """Defect 7: never "so far"; a plan that grows is told again."""
    with quiet() as unplanned:
        unplanned.step("One")
    assert [event.data["total_steps"] for event in events if event.type == "step.start"] == [None]
    events.clear()
    with quiet(steps=["A", "B"]) as planned:
        planned.step("A")
        planned.step("Extra")
    totals = [(event.type, event.data["total_steps"]) for event in events]
    assert totals[:4] == [
        ("operation.start", 2), ("step.start", 2), ("step.complete", 2), ("operation.update", 3),
    ]  # fmt: skip


def test_08_planned_steps_are_pending_from_the_start() -> None:
    """Defect 8: and stay so if they never ran."""
    with quiet(steps=["A", "B"]) as tracker:
        assert [step.status for step in tracker.steps] == ["pending", "pending"]
        tracker.step("A")
    assert [step.status for step in tracker.steps] == ["complete", "pending"]


def test_15_times_are_aware_utc(events: list[BusEvent]) -> None:
    """Defect 15: datetimes know their zone, stamps end in an offset."""
    with quiet() as tracker:
        step = tracker.step("Read")
    for moment in (tracker.start_time, tracker.end_time, step.start_time, step.end_time):
        assert moment is not None
        assert moment.tzinfo is UTC
    assert all(event.data["timestamp"].endswith("+00:00") for event in events)


def test_16_durations_survive_a_jump_of_the_wall_clock() -> None:
    """Defect 16: they come from the monotonic clock."""
    with FakeClock() as clock, quiet() as tracker:
        step = tracker.step("Read")
        clock.advance(2)
        clock._now -= 86_400
    assert step.duration == 2


def test_17_numbers_order_events_and_clocks_do_not() -> None:
    """Defect 17: a composed operation never subtracts one machine's clock from another's into the negative."""
    with FakeClock() as clock, quiet() as tracker:
        clock._now -= 3600
    assert (seen(tracker).duration or 0.0) >= 0.0


def test_18_operations_of_one_name_are_told_apart() -> None:
    """Defect 18: each has an id of its own."""
    with quiet("Setup") as one, quiet("Setup") as two:
        pass
    assert one.operation_id != two.operation_id


def test_19_steps_of_one_name_are_told_apart(events: list[BusEvent]) -> None:
    """Defect 19: by their index."""
    with quiet() as tracker:
        tracker.step("Again")
        tracker.step("Again")
    assert [event.data["step_index"] for event in events if event.type == "step.complete"] == [1, 2]


def test_20_errors_keep_type_message_notes_and_causes() -> None:
    """Defect 20: also without a message, and KeyError without its quotes doubled."""
    with pytest.raises(RuntimeError), quiet() as tracker:
        tracker.step("Read")
        try:
            raise KeyError("model_id")
        except KeyError as cause:
            error = RuntimeError()
            error.add_note("look at row 7")
            raise error from cause
    why = seen(tracker).error
    assert why is not None
    assert (why.type, why.message, tracker.steps[0].error) == ("RuntimeError", "", "RuntimeError")
    assert "look at row 7" in why.traceback
    assert "KeyError: 'model_id'" in why.traceback


def test_21_an_exception_that_cannot_be_printed_passes_unchanged() -> None:
    """Defect 21: a broken __str__ does not replace the error."""

    class Unprintable(Exception):
        def __str__(self) -> str:
            raise ZeroDivisionError

    with pytest.raises(Unprintable), quiet() as tracker:
        tracker.step("Read")
        raise Unprintable
    assert "cannot be read" in (tracker.steps[0].error or "")


def test_22_leaving_by_hand_with_only_a_class() -> None:
    """Defect 22: the error has the class's name."""
    tracker = quiet().__enter__()
    tracker.step("Read")
    tracker.__exit__(ValueError, None, None)
    why = seen(tracker).error
    assert why is not None
    assert why.type == "ValueError"


def test_24_interrupts_and_clean_exits_are_no_failures() -> None:
    """Defect 24: SystemExit(0) is success, what was stopped is cancelled."""
    expected = {
        SystemExit(0): Status.COMPLETE,
        SystemExit(None): Status.COMPLETE,
        SystemExit(2): Status.ERROR,
        KeyboardInterrupt(): Status.CANCELLED,
        GeneratorExit(): Status.CANCELLED,
        asyncio.CancelledError(): Status.CANCELLED,
    }
    for error, status in expected.items():
        with pytest.raises(type(error)), quiet() as tracker:
            tracker.step("Wait")
            raise error
        assert seen(tracker).status is status, error


def test_25_celerys_own_exceptions_are_no_failures() -> None:
    """Defect 25: a retry goes back to the queue, Ignore is Celery's way to be done; a time limit fails."""
    run = RunWriter(name="task", title="A task", emits=False)
    assert _classify(run, Retry()) is Status.QUEUED
    assert _classify(run, Ignore()) is Status.COMPLETE
    assert _classify(run, Reject()) is Status.ERROR
    assert _classify(run, Reject(requeue=True)) is Status.QUEUED
    assert _classify(run, SoftTimeLimitExceeded()) is None
    assert outcome(SoftTimeLimitExceeded()) is Status.ERROR


def test_27_calls_without_a_step_and_second_outcomes_are_refused(events: list[BusEvent]) -> None:
    """Defect 27: they raise, and the first outcome stays."""
    with quiet() as tracker:
        for call in (tracker.complete, tracker.skip, lambda: tracker.error("no"), tracker.advance):
            with pytest.raises(TrackerError, match="no step is open"):
                call()
        step = tracker.step("Read")
        step.complete("first")
        with pytest.raises(TrackerError, match="cannot become"):
            step.complete("second")
    assert (step.detail, ends(events)) == ("first", ["step.complete"])


def test_28_steps_outside_of_the_block_are_refused() -> None:
    """Defect 28: before it is entered and after it was left."""
    tracker = quiet()
    with pytest.raises(TrackerError, match="has not been entered"):
        tracker.step("Early")
    with tracker:
        pass
    with pytest.raises(TrackerError, match="has been left"):
        tracker.step("Late")


def test_29_a_tracker_is_entered_once() -> None:
    """Defect 29: two runs never mix their steps."""
    tracker = quiet()
    with tracker:
        pass
    with pytest.raises(TrackerError, match="twice"), tracker:
        pass


def test_30_threads_do_not_close_each_others_steps() -> None:
    """Defect 30: steps of the plain form belong to their thread, handles to whoever has them."""
    together = threading.Barrier(4)

    def work(tracker: StepTracker, name: str) -> None:
        tracker.step(name)
        together.wait(20)
        tracker.complete(f"by {name}")

    with quiet() as tracker:
        threads = [threading.Thread(target=work, args=(tracker, f"Thread {index}")) for index in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert all(step.detail == f"by {step.name}" for step in tracker.steps)


def test_31_asyncio_tasks_have_their_own_current_step() -> None:
    """Defect 31: async with works, and gather does not mix steps."""

    async def work(tracker: StepTracker, together: asyncio.Barrier, name: str) -> None:
        tracker.step(name)
        await together.wait()
        tracker.complete(f"by {name}")

    async def main() -> StepTracker:
        together = asyncio.Barrier(4)
        async with quiet() as tracker:
            await asyncio.gather(*(work(tracker, together, f"Task {index}") for index in range(4)))
        return tracker

    assert all(step.detail == f"by {step.name}" for step in asyncio.run(main()).steps)


def test_32_a_nested_tracker_is_a_child() -> None:
    """Defect 32: it knows its parent; one panel for both is shown by the display's own tests."""
    with quiet("Outer") as outer, quiet("Inner") as inner:
        assert inner._run is not None
        assert inner._run.parent == outer.operation_id


def test_35_a_counter_belongs_into_progress() -> None:
    """Defect 35: one step with current, total and unit instead of a name for each file."""
    with quiet() as tracker:
        for _ in tracker.track("Process files", ["a", "b"], unit="files"):
            pass
    (step,) = tracker.steps
    assert (step.name, step.current, step.total, step.unit) == ("Process files", 2, 2, "files")


def test_36_every_end_is_told_whole(events: list[BusEvent]) -> None:
    """Defect 36: index, total, time and ids with every step, number of steps and outcome with the operation."""
    with quiet(steps=["A"]) as tracker:
        tracker.step("A")
    step, end = events[-2].data, events[-1].data
    assert (step["step_index"], step["total_steps"], step["operation_id"]) == (1, 1, tracker.operation_id)
    assert {"timestamp", "run", "duration"} <= step.keys()
    assert (end["success"], end["steps"], end["total_steps"]) == (True, 1, 1)


def test_38_types_are_plain_texts(events: list[BusEvent]) -> None:
    """Defect 38: as a text, in an f-string and in JSON alike."""
    with quiet():
        pass
    assert f"{events[0].type}" == str(EventType.OPERATION_START) == "operation.start"
    assert json.loads(json.dumps(events[0].type)) == "operation.start"


def test_39_statuses_are_an_enumeration() -> None:
    """Defect 39: a status that does not exist cannot be made."""
    with pytest.raises(ValueError, match="finished"):
        StepStatus("finished")
    with quiet() as tracker:
        assert isinstance(tracker.step("Read").status, StepStatus)


def test_13_14_a_subscriber_or_a_missing_setting_costs_the_work_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Defects 13 and 14: what a callback raises is logged once, and without configuration nothing is needed."""

    def fails(event: BusEvent) -> None:
        raise RuntimeError("subscriber")

    unsubscribe = event_bus.subscribe("*", fails)
    with quiet() as tracker:
        tracker.step("Read")
    unsubscribe()
    assert tracker.steps[0].status == "complete"
    assert len(caplog.records) == 1
    assert not event_bus.publishes
