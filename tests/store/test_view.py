"""What a view tells after each change: the whole operation as its parts stand then, however little of it moved."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.store.making import NOW, head, queued
from tracker.compose import compose
from tracker.model import (
    CancelRequest,
    Children,
    Event,
    EventType,
    LogLine,
    Parts,
    Status,
    StepState,
    StepStatus,
    Verdict,
)
from tracker.store import Change, View

RUNS = st.sampled_from(["r1", "r2"])
STEPS = st.builds(
    StepState, st.integers(1, 3), st.just("Fetch"), st.sampled_from(StepStatus), current=st.none() | st.floats(0, 9)
)


def told(**part: st.SearchStrategy[object]) -> st.SearchStrategy[Event]:
    """Events that change one part of an operation."""
    return st.builds(Event, st.just(EventType.OPERATION_UPDATE), st.just("a"), st.just(NOW), RUNS, **part)


steps = told(step=STEPS)
others = st.one_of(
    told(head=st.builds(head, RUNS, st.sampled_from([Status.RUNNING, Status.ERROR, Status.COMPLETE]))),
    told(queue=st.just(queued("a").part)),
    told(verdict=st.builds(Verdict, st.sampled_from(Status), st.just(NOW), st.just("recorder"), RUNS)),
    told(duplicate=st.booleans()),
    told(quiet=st.booleans()),
    told(cancel=st.builds(CancelRequest, st.just("ada"), st.just(NOW), RUNS)),
)
blobs = st.lists(st.lists(steps | others, min_size=1, max_size=3) | st.builds(Children, total=st.just(2)), max_size=12)


@given(blobs)
def test_what_is_told_is_what_all_parts_add_up_to(blobs: Sequence[list[Event] | Children]) -> None:
    """Also where only what has changed is composed anew: of most changes that is a step."""
    view, rev = View(lambda id: None), 1
    view.put(Parts("a", rev=rev, attempt=1, run=head("r1")))
    for number, blob in enumerate(blobs, 1):
        if isinstance(blob, Children):
            change = Change(f"{number}-0", "child", number, 1, "a", [], children=replace(blob, version=number))
        else:
            rev += len(blob)
            change = Change(f"{number}-0", "a", rev, 2, "", blob)
        news = view.apply_counts(change) if isinstance(blob, Children) else view.apply(change)
        assert news[-1].operation == compose(view.parts["a"], steps=False)


def test_what_is_held_anew_is_told_as_it_is_then() -> None:
    """Nothing of what was shown before a snapshot is left in what is told after it."""
    view = View(lambda id: None)
    step = Event(EventType.STEP_START, "a", NOW, "r1", step=StepState(1, "Fetch", StepStatus.RUNNING))
    view.put(Parts("a", rev=1, attempt=1, run=head("r1")))
    view.apply(Change("1-0", "a", 2, 1, "", [step]))
    view.put(Parts("a", rev=3, attempt=1, run=replace(head("r1"), title="Another title")))
    assert [news.operation.title for news in view.apply(Change("2-0", "a", 4, 1, "", [step]))] == ["Another title"]


def test_log_lines_of_a_change_are_told_though_all_else_was_read_again() -> None:
    """What is read holds none; those of another run belong to another log."""
    view = View(lambda id: Parts("a", rev=9, attempt=1, run=head("r1")))
    lines = [Event(EventType.STEP_LOG, "a", NOW, run, log=LogLine(1, NOW, f"of {run}")) for run in ("r1", "r2")]
    news = view.apply(Change("1-0", "a", 2, 1, "", lines))
    assert [event.log.text for event in news if event.log is not None] == ["of r1"]
