"""A run on its way to the store: what is told once, what is dropped first, what is never lost."""

from __future__ import annotations

import pytest

from tests.lanes import Lanes, blobs
from tracker import StepTracker, _sink, event_bus, process
from tracker.model import Event, EventType, StepStatus
from tracker.publish.lane import LINES_LIMIT
from tracker.step import Step


def test_a_plan_is_told_once_however_often_it_grows(lanes: Lanes) -> None:
    """Five hundred unplanned steps tell each declared step once, not once for each that joined."""
    with StepTracker("Work", steps=[f"Planned {index}" for index in range(100)], display="quiet") as tracker:
        told = list(blobs(lanes.only()))
        for index in range(500):
            tracker.step(f"More {index}")
            told += blobs(lanes.only())
    told += blobs(lanes.only())
    assert sum(len(event.pending) for blob in told for event in blob.events) == 100
    assert sum(len(blob.steps) for blob in told) <= 100 + 2 * 500
    heads = [event.head for blob in told for event in blob.events if event.head is not None]
    assert heads[-1].total == 600


def test_declared_steps_that_have_begun_by_then_say_so_themselves(lanes: Lanes) -> None:
    """Only those that wait are told as pending, with the beginning of the operation."""
    with StepTracker("Work", steps=["Read", "Check", "Write"], display="quiet") as tracker:
        tracker.step("Read")
        (blob,) = blobs(lanes.only())
        begun, started = blob.events
        assert [(step.name, step.status) for step in begun.pending] == [("Check", "pending"), ("Write", "pending")]
        assert started.step is not None
        assert started.step.name == "Read"
        assert sorted(step.name for step in blob.steps) == ["Check", "Read", "Write"]


def test_a_run_is_open_until_its_last_events_are_under_way(lanes: Lanes) -> None:
    """Every blob names the process; what the store lacks of an ended run is not the last of it."""
    with StepTracker("Work", display="quiet"):
        lane = lanes.only()
        (first,) = lane.cut()
        lane.stored()
        assert lane.open
    assert lane.open
    (last,) = lane.cut()
    assert not lane.open
    lane.behind(0)
    assert lane.open
    (whole,) = lane.cut()
    assert not lane.open
    lane.stored()
    assert not lane.open
    assert [blob.process for blob in (first, last, whole)] == [process.token()] * 3


def test_a_run_of_which_nothing_more_is_sent_is_open_while_it_goes_on(lanes: Lanes) -> None:
    """Its process is alive, and says so."""
    with StepTracker("Work", display="quiet"):
        lane = lanes.only()
        lane.give_up()
        assert lane.open
    assert not lane.open


def test_log_lines_are_dropped_first_and_counted(lanes: Lanes) -> None:
    """Steps and outcomes are all there; the gap says how many lines are not."""
    with StepTracker("Work", display="quiet") as tracker, tracker.step("Talk") as step:
        for index in range(LINES_LIMIT + 50):
            step.log(f"line {index}")
    events = [event for blob in blobs(lanes.only()) for event in blob.events]
    lines = [event.log.text for event in events if event.log is not None]
    dropped = sum(event.dropped for event in events if event.type == EventType.GAP)
    assert len(lines) + dropped == LINES_LIMIT + 50
    assert dropped > 0
    steps = [event.type for event in events if event.type not in (EventType.STEP_LOG, EventType.GAP)]
    assert steps == ["operation.start", "step.start", "step.complete", "operation.complete"]
    assert [event.seq for event in events] == list(range(1, len(events) + 1))


def test_a_kept_result_goes_with_the_end_of_its_step_until_it_is_stored(lanes: Lanes) -> None:
    """A store that lost the beginning gets it again with the whole state; once stored, it leaves the memory."""
    with StepTracker("Work", display="quiet") as tracker:
        assert tracker.run("Add", sum, [1, 2]) == 3
        lane, step = lanes.only(), tracker.steps[0]
        (first,) = lane.cut()
        assert [result.endswith(b"3") for _, result in first.results] == [True]
        lane.behind(0)
        (again,) = lane.cut()
        assert (again.rebase, again.results) == (True, first.results)
        assert step.kept is not None
        lane.stored()
        assert step.kept is None


def test_the_beginning_of_a_step_is_told_as_it_was_then(lanes: Lanes) -> None:
    """Also when it has long ended before anything is sent."""
    with StepTracker("Work", display="quiet") as tracker, tracker.step("Read", warn_after=5) as step:
        step.advance(7)
    events = [event for blob in blobs(lanes.only()) for event in blob.events if event.step is not None]
    started, *_, ended = [event.step for event in events if event.step is not None]
    assert (started.status, started.current, started.duration, started.warn_after) == ("running", None, None, 5)
    assert (ended.status, ended.current) == ("complete", 7)
    assert step.status == "complete"


def test_progress_that_the_outcome_has_overtaken_is_left_out(lanes: Lanes) -> None:
    """Nothing was sent while the step ran: its end says all there is to say."""
    with StepTracker("Work", display="quiet") as tracker, tracker.step("Read") as step:
        step.advance(7)
    told = [event.type for blob in blobs(lanes.only()) for event in blob.events]
    assert told == ["operation.start", "step.start", "step.complete", "operation.complete"]


def test_what_was_not_noted_is_told_before_the_end(lanes: Lanes) -> None:
    """An interrupt may keep a change from being noted; the end of the operation looks at every step."""
    with StepTracker("Work", steps=["Read", "Write", "Never"], display="quiet") as tracker:
        tracker.step("Read").advance(3)
        lanes.only()._waiting.clear()
        tracker.step("Write")
        lanes.only()._waiting.clear()
    told = [event for blob in blobs(lanes.only()) for event in blob.events]
    for name in ("Read", "Write"):
        steps = [event for event in told if event.step is not None and event.step.name == name]
        assert [event.type for event in steps] == ["step.start", "step.complete"]
    assert told[-1].type == EventType.OPERATION_COMPLETE


def test_nothing_follows_the_end(lanes: Lanes) -> None:
    """A thread that outlives the block tells nothing more; what it changed would never be complete."""
    with StepTracker("Work", display="quiet") as tracker:
        step = tracker.step("Read")
    late = Step(step._run, 2, "Late", StepStatus.RUNNING)
    lanes.step(late)
    lanes.put(step._run, Event(EventType.OPERATION_COMPLETE, step._run.operation, 1.0))
    told = [event.type for blob in blobs(lanes.only()) for event in blob.events]
    assert told == ["operation.start", "step.start", "step.complete", "operation.complete"]


def test_progress_goes_on_after_what_waited_was_dropped(lanes: Lanes) -> None:
    """The whole state replaces what waited, and the next call of ``advance`` is told again."""
    with StepTracker("Work", display="quiet") as tracker, tracker.step("Read") as step:
        step.advance(1)
        lanes.only().rebase()
        (whole,) = blobs(lanes.only())
        step.advance(1)
        (after,) = blobs(lanes.only())
    assert [state.current for state in whole.steps] == [1]
    assert [state.current for state in after.steps] == [2]


def test_numbers_go_on_after_the_highest_the_store_knows(lanes: Lanes) -> None:
    """A store that knows more than was sent from here gets no number twice."""
    with StepTracker("Work", display="quiet"):
        lane = lanes.only()
        assert lane.cut()
        lane.behind(40)
        (again,) = lane.cut()
    assert [event.seq for event in again.events] == [41]


def test_a_list_shows_the_failed_step_whatever_began_after_it(lanes: Lanes) -> None:
    """The step that people look for is the one that failed."""
    with StepTracker("Work", display="quiet") as tracker:
        tracker.step("Bad")
        tracker.error("broken")
        with tracker.step("Good"):
            pass
    *_, final = blobs(lanes.only())
    assert final.current is not None
    assert final.current.name == "Bad"


def test_large_results_go_one_by_one(lanes: Lanes) -> None:
    """Several of the allowed 64 KiB in one call would keep Redis, and all who use it, busy."""
    with StepTracker("Work", display="quiet") as tracker:
        for index in range(3):
            tracker.run(f"Read {index}", str.ljust, "", 60 * 1024)
        told = []
        while cut := lanes.only().cut():
            told.append(sum(len(blob.results) for blob in cut))
            lanes.only().stored()
    assert told == [1, 1, 1, 0]


def test_a_whole_state_brings_the_results_that_waited(lanes: Lanes) -> None:
    """What was kept during a long outage is there for the next attempt."""
    with StepTracker("Work", display="quiet") as tracker:
        tracker.run("Add", sum, [1, 2])
        tracker.run("Add", sum, [3, 4])
        lanes.only().rebase()
        (whole,) = blobs(lanes.only())
    assert [result[-1:] for _, result in whole.results] == [b"3", b"7"]


def test_a_whole_state_says_how_many_log_lines_it_cannot_bring(lanes: Lanes) -> None:
    """Steps are told again, lines are not: the gap counts them, whether they were waiting or left out before."""
    with StepTracker("Work", display="quiet") as tracker, tracker.step("Talk") as step:
        for index in range(LINES_LIMIT + 50):
            step.log(f"line {index}")
        lanes.only().rebase()
        (whole,) = blobs(lanes.only())
    assert [event.dropped for event in whole.events] == [LINES_LIMIT + 50]


@pytest.mark.parametrize("rebase", [False, True])
def test_a_step_begun_after_the_end_is_not_told_to_run(lanes: Lanes, rebase: bool) -> None:
    """Its thread, which will cancel it, has not yet looked whether the run has ended."""
    with StepTracker("Work", display="quiet") as tracker:
        run = tracker._run
        assert run is not None
    run.steps[1] = Step(run, 1, "Late", StepStatus.RUNNING, 1.0)
    if rebase:
        lanes.only().rebase()
    assert [blob.steps for blob in blobs(lanes.only())] == [[]]


def test_whatever_begins_to_send_in_the_midst_of_a_run_tells_all_of_it() -> None:
    """Redis was set up inside the block: what went before is in the first blob, what comes after is told as ever."""
    made = Lanes()
    with StepTracker("Work", display="quiet") as tracker:
        tracker.step("Read")
        tracker.complete()
        tracker.step("Write")
        event_bus.connect(lambda: made)
        try:
            tracker.complete()
            whole = list(blobs(made.only()))
            tracker.step("Check")
            after = list(blobs(made.only()))
        finally:
            event_bus.connect(_sink)
    assert [blob.rebase for blob in whole] == [True]
    assert [(step.name, step.status) for step in whole[0].steps] == [("Read", "complete"), ("Write", "complete")]
    assert [event.type for blob in after for event in blob.events] == ["step.start"]
