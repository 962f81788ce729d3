"""Two threads in one block: whatever line one of them is at, the other may do anything, and all of it adds up.

Nothing is left to chance: one thread is stopped at each line of the package in turn, and the other acts there.
"""

from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from types import FrameType

import pytest

from tests.lanes import Lanes, blobs
from tracker import StepTracker, TrackerError
from tracker.bus import BusEvent
from tracker.model import STEP_ENDED, StepStatus
from tracker.results import Results
from tracker.store import RunBlob

ENDS = ("step.complete", "step.error", "step.skip")


class Meanwhile:
    """Stops the tracing thread at one line of the package's own code until another thread has done something."""

    def __init__(self, at: int, act: Callable[[], object]) -> None:
        self.at, self.act, self.seen, self.acted, self.where = at, act, itertools.count(), False, ""

    def __call__(self, frame: FrameType, event: str, _: object) -> Meanwhile | None:
        if self.acted or "/tracker/" not in frame.f_code.co_filename:
            return None
        if event == "line" and next(self.seen) == self.at:
            self.acted, self.where = True, f"{frame.f_code.co_qualname} {frame.f_lineno}"
            other = threading.Thread(target=self.act)
            other.start()
            other.join(20)
            assert not other.is_alive(), self.where
        return self


def at_every_line(
    scene: Callable[[], tuple[Callable[[], object], Callable[[], object], Callable[[], object]]],
) -> None:
    """Set the scene anew for each line of its first function, there call its second one, and then check with the third.

    The first two may be refused with ``TrackerError``.
    """

    def quietly(call: Callable[[], object]) -> None:
        with suppress(TrackerError):
            call()

    def acts(at: int) -> bool:
        work, other, check = scene()
        meanwhile = Meanwhile(at, lambda: quietly(other))
        sys.settrace(meanwhile)
        try:
            quietly(work)
        finally:
            sys.settrace(None)
        if not meanwhile.acted:  # There are no more lines, so it comes after the last one.
            quietly(other)
        try:
            check()
        except BaseException as error:
            error.add_note(f"the other thread acted at {meanwhile.where or 'the end'}")
            raise
        return meanwhile.acted

    # A block that another thread leaves stays the current one here, so every turn has a context of its own. Nor does
    # the main thread set up for signals what others could not take back.
    with ThreadPoolExecutor(1) as aside:
        turns = (aside.submit(copy_context().run, acts, at).result(60) for at in itertools.count())
        assert sum(itertools.takewhile(bool, turns)) > 10


def told(lanes: Lanes) -> list[tuple[str, str]]:
    """What would be sent of the only run there is, as types and steps' names."""
    events = [event for blob in blobs(lanes.only()) for event in blob.events]
    lanes.lanes.clear()
    return [(event.type, event.step.name if event.step is not None else "") for event in events]


def entered(lanes: Lanes, events: list[BusEvent]) -> StepTracker:
    """A block that has just begun; nothing was told before."""
    lanes.lanes.clear()
    events.clear()
    return StepTracker("Work", display="quiet").__enter__()


def leave(tracker: StepTracker) -> None:
    """Leave its block, as at its end."""
    tracker.__exit__(None, None, None)


def test_a_step_that_two_threads_end_has_one_outcome(lanes: Lanes, events: list[BusEvent]) -> None:
    """One of them is refused, and what the other one said is told once."""

    def scene() -> tuple[Callable[[], object], Callable[[], object], Callable[[], object]]:
        tracker = entered(lanes, events)
        step = tracker.step("Contended")
        won: list[str] = []

        def end(name: str) -> None:
            step.complete(name)
            won.append(name)

        def check() -> None:
            leave(tracker)
            assert won == [step.detail]
            assert [event.data["detail"] for event in events if event.type in ENDS] == won
            assert [type for type, name in told(lanes) if name] == ["step.start", "step.complete"]

        return lambda: end("one"), lambda: end("other"), check

    at_every_line(scene)


@pytest.mark.parametrize("scoped", [True, False])
def test_the_next_step_is_found_though_another_thread_ends_the_one_before(
    lanes: Lanes, events: list[BusEvent], scoped: bool
) -> None:
    """The current step is that of the thread that began it, whatever became of the one around or before."""

    def scene() -> tuple[Callable[[], object], Callable[[], object], Callable[[], object]]:
        tracker = entered(lanes, events)
        before = tracker.step("Before")
        before._scoped = scoped

        def check() -> None:
            current = tracker.current_step
            tracker.complete("found")
            assert current is tracker.steps[1]
            assert (current.name, current.detail) == ("Next", "found")
            assert before.status in STEP_ENDED
            with pytest.raises(TrackerError, match="no step is open"):
                tracker.complete()
            leave(tracker)
            assert sorted(type for type, name in told(lanes) if name == "Before" and type != "step.start") == [
                "step.skip" if before.status is StepStatus.SKIPPED else "step.complete"
            ]

        return lambda: tracker.step("Next"), before.skip, check

    at_every_line(scene)


def test_the_next_step_is_found_though_its_thread_begins_it_while_another_ends_the_one_before(
    lanes: Lanes, events: list[BusEvent]
) -> None:
    """The same, with the thread that ends the step as the one that is stopped."""
    with ThreadPoolExecutor(1) as owner:

        def scene() -> tuple[Callable[[], object], Callable[[], object], Callable[[], object]]:
            tracker = entered(lanes, events)
            before = owner.submit(tracker.step, "Before").result(20)
            before._scoped = True

            def check() -> None:
                owner.submit(tracker.complete, "found").result(20)
                assert [step.detail for step in tracker.steps] == ["", "found"]
                assert before.status is StepStatus.SKIPPED
                leave(tracker)

            return before.skip, lambda: owner.submit(tracker.step, "Next").result(20), check

        at_every_line(scene)


@pytest.mark.parametrize("ends", [False, True])
def test_a_block_left_by_another_thread_leaves_no_step_open(lanes: Lanes, events: list[BusEvent], ends: bool) -> None:
    """What a thread begins or ends at that moment is told to have begun and ended, once each, or not at all."""

    def scene() -> tuple[Callable[[], object], Callable[[], object], Callable[[], object]]:
        tracker = entered(lanes, events)
        if ends:
            tracker.step("Late")

        def check() -> None:
            sent = told(lanes)
            assert [step.status in STEP_ENDED for step in tracker.steps] == [True] * len(tracker.steps)
            steps = [type for type, name in sent if name]
            assert (steps[:1], len(steps)) in (([], 0), (["step.start"], 2))
            assert set(steps[1:]) <= set(ENDS)
            assert sent[-1][0] == "operation.complete"
            heard = [event.type for event in events if event.type.startswith("step.")]
            assert len([type for type in heard if type in ENDS]) == len(heard) / 2

        return (tracker.complete if ends else lambda: tracker.step("Late")), lambda: leave(tracker), check

    at_every_line(scene)


def test_steps_that_begin_at_once_are_two(lanes: Lanes, events: list[BusEvent]) -> None:
    """Each has its own number, and they are in order, whichever was put in first."""

    def scene() -> tuple[Callable[[], object], Callable[[], object], Callable[[], object]]:
        tracker = entered(lanes, events)

        def check() -> None:
            assert [step.index for step in tracker.steps] == [1, 2]
            assert {step.name for step in tracker.steps} == {"One", "Other"}
            leave(tracker)
            assert sorted(told(lanes)[1:-1]) == [
                ("step.complete", "One"),
                ("step.complete", "Other"),
                ("step.start", "One"),
                ("step.start", "Other"),
            ]

        return lambda: tracker.step("One"), lambda: tracker.step("Other"), check

    at_every_line(scene)


def test_a_step_that_another_thread_begins_while_the_block_is_left_ends(lanes: Lanes, events: list[BusEvent]) -> None:
    """However late it begins: it is told to have ended, once, or not told at all."""

    def scene() -> tuple[Callable[[], object], Callable[[], object], Callable[[], object]]:
        tracker = entered(lanes, events)

        def check() -> None:
            assert [step.status for step in tracker.steps if step.status not in STEP_ENDED] == []
            steps = [type for type, name in told(lanes) if name]
            assert (steps[:1], len(steps)) in (([], 0), (["step.start"], 2))
            assert len([event for event in events if event.type in ENDS]) == len(tracker.steps)

        return lambda: leave(tracker), lambda: tracker.step("Late"), check

    at_every_line(scene)


def test_a_warning_does_not_make_a_step_run_again(lanes: Lanes, events: list[BusEvent]) -> None:
    """It was given before the step ended, and comes after that."""

    def scene() -> tuple[Callable[[], object], Callable[[], object], Callable[[], object]]:
        tracker = entered(lanes, events)
        step = tracker.step("Read")

        def check() -> None:
            leave(tracker)
            known = {held.index: held for blob in blobs(lanes.only()) for held in blob.steps}
            assert (known[1].status, known[1].warned) == ("complete", step.warned)

        return lambda: step.warn("slow"), step.complete, check

    at_every_line(scene)


@pytest.mark.parametrize("rebase", [False, True])
def test_the_end_of_a_step_is_never_sent_without_its_result(lanes: Lanes, events: list[BusEvent], rebase: bool) -> None:
    """Whoever is killed after it was stored finds both."""

    def scene() -> tuple[Callable[[], object], Callable[[], object], Callable[[], object]]:
        tracker = entered(lanes, events)
        step = tracker.step("Add")
        step.advance()
        lane = lanes.only()
        if rebase:
            lane.rebase()
        sent: list[RunBlob] = []

        def end() -> None:
            step.kept = ("key", b"3")
            step.complete()

        def check() -> None:
            sent.extend(blobs(lane))
            results = 0
            for blob in sent:
                results += len(blob.results)
                assert results or all(held.status is StepStatus.RUNNING for held in blob.steps)
            assert results == (step.kept is not None or step.status is StepStatus.COMPLETE)
            leave(tracker)

        return lambda: sent.extend(blobs(lane)), end, check

    at_every_line(scene)


def test_results_of_equal_calls_have_keys_of_their_own() -> None:
    """Also of those made at the same moment."""

    def scene() -> tuple[Callable[[], object], Callable[[], object], Callable[[], object]]:
        results, keys = Results("", {"other": b""}), list[str | None]()

        def draw() -> None:
            keys.append(results._key("Add", (1,), {}))

        def check() -> None:
            assert (len(keys), len(set(keys))) == (2, 2)

        return draw, draw, check

    at_every_line(scene)
