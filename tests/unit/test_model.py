"""What an operation's parts add up to, and how events fold into them."""

from __future__ import annotations

import re

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tracker.compose import apply, compose, pace_of
from tracker.ids import new_id, new_run
from tracker.model import (
    ENDED,
    Children,
    Error,
    Event,
    Flag,
    Operation,
    Pace,
    Parts,
    QueuePart,
    RunPart,
    Status,
    StepState,
    StepStatus,
    Verdict,
)

QUEUED = QueuePart("job", 10.0, title="job a.txt", labels={"tenant": "acme", "kind": "queue"})


def run(status: Status = Status.RUNNING, **fields: object) -> RunPart:
    return RunPart("r1", "job", "Process a.txt", 10.0, 12.0, status, **fields)  # type: ignore[arg-type]


def test_an_operation_nobody_runs_yet_is_queued_under_its_sender_s_title() -> None:
    """Until a run gives a title of its own."""
    operation = compose(Parts("a", queue=QUEUED))
    assert (operation.status, operation.title, operation.started) == (Status.QUEUED, "job a.txt", None)
    assert compose(Parts("a", queue=QUEUED, run=run())).title == "Process a.txt"


def test_labels_of_sender_and_run_are_joined_and_the_run_s_win() -> None:
    """The run knows more."""
    operation = compose(Parts("a", queue=QUEUED, run=run(labels={"kind": "run"})))
    assert operation.labels == {"tenant": "acme", "kind": "run"}


def test_the_step_an_operation_is_at_is_the_failed_one_before_the_newest() -> None:
    """A list shows where it went wrong."""
    steps = {
        1: StepState(1, "One", StepStatus.COMPLETE),
        2: StepState(2, "Two", StepStatus.ERROR),
        3: StepState(3, "Three", StepStatus.COMPLETE),
        4: StepState(4, "Four"),
    }
    operation = compose(Parts("a", run=run(total=4), steps=steps))
    assert operation.step is not None
    assert (operation.step.name, operation.step.total) == ("Two", 4)
    assert compose(Parts("a", run=run(), steps={4: steps[4]})).step is None


def test_a_verdict_about_another_run_says_nothing_of_this_one() -> None:
    """Only the run it names can be lost by it, and only while that run is open."""
    old = Verdict(Status.LOST, 20.0, "worker", run="r0")
    mine = Verdict(Status.LOST, 20.0, "worker", run="r1", error=Error("WorkerLostError", "killed"))
    assert compose(Parts("a", run=run(), verdict=old)).status is Status.RUNNING
    lost = compose(Parts("a", run=run(), verdict=mine))
    assert (lost.status, lost.ended, lost.error) == (Status.LOST, 20.0, mine.error)
    assert compose(Parts("a", run=run(Status.COMPLETE, ended=21.0), verdict=mine)).status is Status.COMPLETE


def test_flags_are_about_the_newest_run_and_only_while_it_runs() -> None:
    """A silent process may have been another run's, and what has ended is neither silent nor a duplicate."""
    silent = Verdict(Status.RUNNING, 20.0, "recorder", run="r1", flags=["unresponsive"])
    parts = Parts("a", run=run(), verdict=silent, duplicate=True)
    assert compose(parts).flags == [Flag.UNRESPONSIVE, Flag.DUPLICATE]
    parts.run = run(Status.COMPLETE, ended=21.0)
    assert compose(parts).flags == []
    parts.run = msgspec.structs.replace(run(), run="r2")
    assert compose(parts).flags == [Flag.DUPLICATE]
    assert apply(parts, Event("operation.update", "a", 22.0, duplicate=False), 1)
    assert compose(parts).flags == []


def test_durations_are_the_run_s_own_and_never_negative() -> None:
    """The clock of the machine that judged may be behind the one that ran."""
    measured = compose(Parts("a", run=run(Status.COMPLETE, ended=15.0, duration=2.5)))
    judged = compose(Parts("a", run=run(), verdict=Verdict(Status.LOST, 3.0, "worker", run="r1")))
    assert measured.duration == 2.5
    assert judged.duration == 0.0


def test_a_batch_ends_by_its_verdict_and_not_with_its_dispatch() -> None:
    """The run of a batch only hands its children out; the batch keeps its own title."""
    queue = msgspec.structs.replace(QUEUED, batch=True)
    dispatched = Parts("b", queue=queue, run=run(Status.COMPLETE, ended=13.0))
    assert compose(dispatched).status is Status.RUNNING
    assert compose(dispatched).title == "job a.txt"
    dispatched.verdict = Verdict(Status.COMPLETE, 30.0, "children")
    assert (compose(dispatched).status, compose(dispatched).duration) == (Status.COMPLETE, 18.0)


def test_an_event_known_already_changes_nothing() -> None:
    """Readers may get the same change twice."""
    parts = Parts("a")
    event = Event("operation.start", "a", 12.0, "r1", 1, head=run())
    assert apply(parts, event, 1, 1)
    assert not apply(parts, event, 1, 1)
    assert parts.rev == 1


def test_a_new_run_begins_without_the_steps_of_the_one_before() -> None:
    """And what an older run says afterwards is not mixed in."""
    parts = Parts("a")
    step = StepState(1, "One", StepStatus.RUNNING)
    apply(parts, Event("operation.start", "a", 1.0, "r1", 1, head=run()), 1, 1)
    apply(parts, Event("step.start", "a", 1.0, "r1", 2, step=step), 2, 1)
    second = msgspec.structs.replace(run(), run="r2")
    apply(parts, Event("operation.start", "a", 2.0, "r2", 1, head=second, pending=(StepState(1, "One"),)), 3, 2)
    apply(parts, Event("step.complete", "a", 2.0, "r1", 3, step=step), 4, 1)
    assert (parts.attempt, parts.rev) == (2, 4)
    assert parts.steps == {1: StepState(1, "One")}


def test_unknown_types_and_fields_are_read_without_complaint() -> None:
    """Versions may differ by one."""
    text = b'{"type":"step.dance","operation":"a","ts":1.0,"run":"r1","seq":4,"mood":"good"}'
    event = msgspec.json.decode(text, type=Event)
    assert (event.type, event.seq) == ("step.dance", 4)


def test_the_json_form_of_an_operation_has_every_field() -> None:
    """Scripts need not guess what a missing field means."""
    form = msgspec.to_builtins(compose(Parts("a", run=run())))
    assert set(form) == set(Operation.__struct_fields__)
    assert set(form["children"]) == set(Children.__struct_fields__)


def test_the_pace_of_children_is_said_once_it_means_something() -> None:
    """While they run, and when some have ended; never before, and never afterwards."""
    running = Operation("a", "a", "A", Status.RUNNING, 100.0, children=Children(40, running=20, complete=15, error=5))
    assert pace_of(running, 110.0) == Pace(2.0, 10.0)
    assert pace_of(running, 101.0) is None
    assert pace_of(msgspec.structs.replace(running, children=Children(40, running=40)), 110.0) is None
    assert pace_of(msgspec.structs.replace(running, status=Status.COMPLETE), 110.0) is None


def test_a_step_s_json_form_always_has_its_status() -> None:
    """Also that of one that has not begun; what is not known is left out."""
    assert msgspec.to_builtins(StepState(2, "Write")) == {"index": 2, "name": "Write", "status": "pending"}


def test_ids_are_unique_and_sort_by_time() -> None:
    """An operation id is a UUID of version 7; a run id is short and random."""
    ids = [new_id() for _ in range(200)]
    assert len(set(ids)) == 200
    assert all(re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", id) for id in ids)
    assert [id[:13] for id in ids] == sorted(id[:13] for id in ids)
    assert len({new_run() for _ in range(200)}) == 200


STATES = st.builds(StepState, st.integers(1, 4), st.sampled_from(["One", "Two"]), st.sampled_from(list(StepStatus)))


@given(st.lists(STATES, max_size=20), st.data())
def test_events_repeated_or_read_late_lead_to_the_same_state(states: list[StepState], data: st.DataObject) -> None:
    """Folding is an upsert: any repetition of what was already heard is harmless."""
    events = [Event("operation.start", "a", 1.0, "r1", 1, head=run())]
    events += [Event("step.progress", "a", 1.0, "r1", seq, step=state) for seq, state in enumerate(states, 2)]
    once, again = Parts("a"), Parts("a")
    for rev, event in enumerate(events, 1):
        apply(once, event, rev, 1)
        apply(again, event, rev, 1)
        earlier = data.draw(st.integers(1, rev))
        apply(again, events[earlier - 1], earlier, 1)
    assert once == again
    assert compose(once).status not in ENDED
