"""The one writer of a run: events in order, outcomes once, adoption, threads and forks."""

# The blocks under test are what raises.
# ruff: noqa: PT012

from __future__ import annotations

import gc
import os
import threading
import weakref
from collections.abc import Iterator
from functools import partial

import msgspec
import pytest

from tracker import StepTracker, TrackerError, event_bus
from tracker.bus import event_of, news
from tracker.context import current_run, inside
from tracker.limits import LABELS_LIMIT
from tracker.model import Error, Event, EventType, Status, StepStatus, Worker
from tracker.outcome import describe, message_of
from tracker.run import RunWriter
from tracker.step import Step


class Kept:
    """A sink that keeps what it gets."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.moved: list[Step] = []

    def put(self, run: RunWriter, event: Event) -> None:
        self.events.append(event)

    def step(self, step: Step) -> None:
        if step.dirty:
            self.moved.append(step)
        elif (type := news(step)) is not None:
            self.events.append(event_of(type, step))

    def flush(self, timeout: float) -> bool:
        return True

    settle = flush


@pytest.fixture
def kept() -> Iterator[Kept]:
    """The bus connected to a sink of its own for one test."""
    sink, before = Kept(), event_bus._factory
    event_bus.connect(lambda: sink)
    yield sink
    assert before is not None
    event_bus.connect(before)


def a_run(**options: object) -> RunWriter:
    return RunWriter(name="files.process", title="Process notes.txt", **options)  # type: ignore[arg-type]


def test_every_event_carries_the_whole_new_state(kept: Kept) -> None:
    """Steps come whole with step events, the head whole with operation events, and all become JSON."""
    run = a_run(steps=["Read", "Write"], labels={"tenant": "acme"}, worker=Worker("here", 1, "celery"))
    run.start()
    step = run.begin("Read")
    run.finish(step, StepStatus.COMPLETE, detail="5 kB")
    run.end(Status.COMPLETE)
    assert [event.type for event in kept.events] == [
        EventType.OPERATION_START,
        EventType.STEP_START,
        EventType.STEP_COMPLETE,
        EventType.OPERATION_COMPLETE,
    ]
    head, done = kept.events[-1].head, kept.events[2].step
    assert head is not None
    assert done is not None
    assert (head.status, head.total, head.labels, head.worker and head.worker.queue) == (
        "complete", 2, {"tenant": "acme"}, "celery",
    )  # fmt: skip
    assert (done.name, done.status, done.detail) == ("Read", "complete", "5 kB")
    assert [state.status for state in run.states()] == ["complete", "pending"]
    assert all(msgspec.json.decode(msgspec.json.encode(event), type=Event) == event for event in kept.events)


def test_a_run_ends_once(kept: Kept) -> None:
    """The first outcome is final; open steps end with it, and nothing starts afterwards."""
    run = a_run()
    run.start()
    run.begin("Read")
    run.end(Status.ERROR, ValueError("bad"))
    run.end(Status.COMPLETE)
    assert run.status is Status.ERROR
    assert [event.type for event in kept.events].count(EventType.OPERATION_COMPLETE) == 1
    assert run.error is not None
    assert (run.error.type, run.error.message, run.error.path) == ("ValueError", "bad", ["Process notes.txt", "Read"])
    assert "ValueError: bad" in run.error.traceback
    with pytest.raises(TrackerError, match="has ended"):
        run.begin("Write")


def test_a_run_may_end_with_an_error_made_elsewhere(kept: Kept) -> None:
    """A ready-made error is stored as it is."""
    run = a_run()
    run.end(Status.ERROR, Error("Lost", "no answer"))
    assert run.error == Error("Lost", "no answer")


def test_a_run_that_goes_back_to_the_queue_is_neither_failed_nor_complete(kept: Kept) -> None:
    """It tells when it will be run again, as an update and not as an outcome."""
    run = a_run()
    run.start()
    run.end(Status.QUEUED, next_at=123.0)
    assert kept.events[-1].type == EventType.OPERATION_UPDATE
    head = kept.events[-1].head
    assert head is not None
    assert (head.status, head.next_at) == (Status.QUEUED, 123.0)


def test_the_first_block_inside_a_job_fills_the_jobs_run_and_later_ones_become_children(kept: Kept) -> None:
    """The adopted block gives title and plan; its end is not the job's end."""
    run = a_run(adoptable=True)
    run.start()
    with inside(run):
        with StepTracker("Process notes", steps=["Read", "Write"], labels={"kind": "text"}) as first:
            first.step("Read")
        assert run.ended is None
        with StepTracker("Afterwards"):
            inner = current_run.get()
            assert inner is not None
            assert (inner is run, inner.parent) == (False, run.operation)
    assert first.operation_id == run.operation
    assert (run.title, run.total, run.labels) == ("Process notes", 2, {"kind": "text"})
    run.end(Status.COMPLETE)
    assert [state.status for state in run.states()] == ["complete", "pending"]


def test_a_failing_block_inside_a_job_leaves_the_outcome_to_the_job(kept: Kept) -> None:
    """The step fails in the block, the run when the job ends, with the path to the step."""
    run = a_run(adoptable=True)
    run.start()
    with inside(run), pytest.raises(OSError, match="gone") as caught, StepTracker("Process") as tracker:
        tracker.step("Read")
        raise OSError("gone")
    assert run.ended is None
    run.end(Status.ERROR, caught.value)
    assert run.error is not None
    assert run.error.path == ["Process", "Read"]


def test_the_runner_of_jobs_may_classify_its_own_exceptions(kept: Kept) -> None:
    """A request to run again cuts the step off instead of failing it."""

    class Again(Exception): ...

    run = a_run(adoptable=True)
    run.classify = lambda exc: Status.QUEUED if isinstance(exc, Again) else None
    with inside(run), pytest.raises(Again), StepTracker("Process") as tracker, tracker.step("Read") as step:
        raise Again
    assert step.status is StepStatus.CANCELLED


def test_progress_is_told_once_until_it_is_taken(kept: Kept) -> None:
    """advance() asks again only after the sink has taken what there was."""
    run = a_run()
    step = run.begin("Read")
    for _ in range(1000):
        step.advance()
    assert len(kept.moved) == 1
    step.dirty = False
    step.advance()
    assert len(kept.moved) == 2
    assert step.state().current == 1001


def test_threads_run_steps_side_by_side(kept: Kept) -> None:
    """Eight threads in one block: each step keeps its own outcome, and events are complete and in order."""
    ready = threading.Barrier(8)

    def work(tracker: StepTracker, index: int) -> None:
        for _ in range(50):
            with tracker.step(f"scoped {index}"):
                pass
        tracker.step(f"plain {index}")
        ready.wait(20)
        tracker.complete(f"by {index}")

    with StepTracker("Parallel", display="quiet") as tracker:
        threads = [threading.Thread(target=work, args=(tracker, index)) for index in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [step.index for step in tracker.steps] == list(range(1, 8 * 51 + 1))
    assert all(step.status is StepStatus.COMPLETE for step in tracker.steps)
    assert {(step.name, step.detail) for step in tracker.steps if step.detail} == {
        (f"plain {index}", f"by {index}") for index in range(8)
    }
    ends = [event.step.index for event in kept.events if event.type == EventType.STEP_COMPLETE and event.step]
    assert sorted(ends) == list(range(1, 8 * 51 + 1))


def test_a_run_has_no_more_attributes_than_python_is_fast_at(kept: Kept) -> None:
    """With more than 30, every one of an object's attributes takes longer to reach (CPython's shared keys)."""
    with StepTracker("Outer", display="quiet"), StepTracker("Inner", display="quiet") as inner:
        inner.step("Read")
        assert len(vars(inner._run)) <= 30


def test_another_threads_open_step_is_cut_off_by_a_failure_and_not_blamed(kept: Kept) -> None:
    """Only the failing thread's step carries the error."""
    release, open_now = threading.Event(), threading.Event()

    def work(tracker: StepTracker) -> None:
        with tracker.step("Background"):
            open_now.set()
            release.wait(20)

    tracker = StepTracker("Parallel", display="quiet")
    thread = threading.Thread(target=work, args=(tracker,))
    with pytest.raises(ValueError, match="main"), tracker:
        thread.start()
        open_now.wait(20)
        tracker.step("Foreground")
        raise ValueError("main")
    release.set()
    thread.join()
    assert [(step.name, step.status.value) for step in tracker.steps] == [
        ("Background", "cancelled"),
        ("Foreground", "error"),
    ]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_may_end_the_step_that_a_thread_of_its_parent_was_about_to_end() -> None:
    """That thread is not there any more to do so."""
    with StepTracker("Parallel", display="quiet") as tracker:
        step = tracker.step("Contended")
        step._run._ending[step.index] = -1
        child = os.fork()
        if child == 0:
            try:
                tracker.complete()
            finally:
                os._exit(0 if step.status is StepStatus.COMPLETE else 1)
        _, code = os.waitpid(child, 0)
        step._run._ending.clear()
    assert os.waitstatus_to_exitcode(code) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_is_silent_in_an_inherited_block_and_its_own_blocks_are_children(kept: Kept) -> None:
    """Two processes never write one run; what the child starts itself is linked to its parent."""
    reading, writing = os.pipe()
    with StepTracker("Outer", display="quiet") as outer:
        child = os.fork()
        if child == 0:
            told = b"child failed"
            try:
                before = len(kept.events)
                outer.step("Not mine to tell")
                silent = len(kept.events) == before
                event_bus.connect(lambda: kept)
                with StepTracker("Inner"):
                    inner = current_run.get()
                    linked = inner is not None and inner.parent == outer.operation_id
                told = f"{silent} {linked} {len(kept.events) - before}".encode()
            finally:
                os.write(writing, told)
                os._exit(0)
        os.waitpid(child, 0)
        assert os.read(reading, 100) == b"True True 2"
    os.close(reading)
    os.close(writing)
    assert [step.name for step in outer.steps] == []


def test_labels_are_few_short_and_clean() -> None:
    """An operation cannot be made large by its labels."""
    run = a_run(labels={f"key {index}": "x" * 1000 for index in range(100)} | {})
    assert len(run.labels) == LABELS_LIMIT
    assert max(map(len, run.labels.values())) == 200


def test_an_error_is_bounded_and_keeps_the_end_of_its_traceback(kept: Kept) -> None:
    """A message of a megabyte and a deep recursion fit into one event."""

    def deep(level: int) -> None:
        if level == 0:
            raise ValueError("x" * 1_000_000)
        deep(level - 1)

    run = a_run()
    with pytest.raises(ValueError, match="x") as caught:
        deep(200)
    run.end(Status.ERROR, caught.value)
    assert run.error is not None
    assert len(run.error.message) + len(run.error.traceback) <= 8 * 1024
    assert len(msgspec.json.encode(kept.events[-1])) <= 16 * 1024


def test_the_message_of_a_group_tells_what_it_holds() -> None:
    """A group's own words say only how many there are."""
    inner = ExceptionGroup("inner", [KeyError("a"), OSError()])
    group = ExceptionGroup("unhandled errors", [ValueError("shard broke badly"), inner, ValueError("last")])
    assert message_of(group) == (
        "unhandled errors (3 sub-exceptions): shard broke badly (ValueError); 'a' (KeyError); (OSError); and 1 more"
    )
    assert describe(ExceptionGroup("one", [ValueError("x" * 5000)])).startswith("ExceptionGroup: one (1 sub-exception)")
    assert len(message_of(ExceptionGroup("many", [ValueError("x" * 5000)] * 9))) < 1000


def test_an_ended_run_no_longer_holds_itself() -> None:
    """Whoever runs jobs asks the run how it ends; without that circle it is gone without Python's collector."""

    def classify(run: RunWriter, _: BaseException) -> Status:
        return run.status

    gc.disable()
    try:
        run = RunWriter(name="job", title="Job", emits=False)
        run.classify = partial(classify, run)
        run.end(Status.COMPLETE)
        gone = weakref.ref(run)
        del run
        assert gone() is None
    finally:
        gc.enable()
