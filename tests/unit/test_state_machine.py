"""Whatever is called, in whatever order and by whichever thread: what is told adds up to what happened.

Two trackers, one inside the other, are driven through every call there is; meanwhile the lanes that would send
their events are cut now and then. At the end, what a watcher would have folded together is what the trackers show.
"""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.lanes import Lanes, blobs
from tracker import Step, StepTracker, TrackerError, _sink, event_bus
from tracker.bus import EVERYTHING, BusEvent
from tracker.compose import apply
from tracker.model import STEP_ENDED, Event, EventType, Parts, Status, StepState, StepStatus
from tracker.outcome import outcome
from tracker.publish.lane import Lane

NAMES = st.sampled_from(["Read", "Check", "Write", "Planned", "Planned"])
ENDS = {EventType.STEP_COMPLETE, EventType.STEP_ERROR, EventType.STEP_SKIP}


class Failure(Exception):
    """What the tracked code raises."""


class Tracking(RuleBasedStateMachine):
    """The calls of tracked code, and what must hold whatever it calls."""

    @initialize(planned=st.lists(NAMES, max_size=4))
    def begin(self, planned: list[str]) -> None:
        self.lanes, self.told, self.heard = Lanes(), dict[str, list[Event]](), list[BusEvent]()
        event_bus.connect(lambda: self.lanes)
        self.unsubscribe = event_bus.subscribe(EVERYTHING, self.heard.append)
        self.open = [StepTracker("Outer", steps=planned, display="quiet").__enter__()]
        self.all = list(self.open)
        self.blocks: list[tuple[StepTracker, Step]] = []
        self.ended: dict[tuple[int, int], StepState] = {}
        self.ending: BaseException | None = None
        self.outcomes: dict[StepTracker, Status] = {}

    @property
    def tracker(self) -> StepTracker:
        return self.open[-1]

    def attempt(self, call: Callable[[], object]) -> None:
        """Misuse is refused, and changes nothing that was told."""
        with suppress(TrackerError):
            call()

    @rule(name=NAMES, limit=st.sampled_from([None, 0.001, 60]))
    def start_a_step(self, name: str, limit: float | None) -> None:
        self.tracker.step(name, warn_after=limit)

    @rule(name=NAMES)
    def enter_a_step(self, name: str) -> None:
        self.blocks.append((self.tracker, self.tracker.step(name).__enter__()))

    @precondition(lambda self: self.blocks and self.blocks[-1][0] is self.open[-1])
    @rule(error=st.sampled_from([None, Failure("bad"), KeyboardInterrupt(), SystemExit(0)]))
    def leave_a_step(self, error: BaseException | None) -> None:
        _, step = self.blocks.pop()
        step.__exit__(type(error) if error else None, error, None)

    @rule(how=st.sampled_from(["complete", "skip", "error"]))
    def end_the_current_step(self, how: str) -> None:
        self.attempt(lambda: getattr(self.tracker, how)("said"))

    @rule(n=st.integers(0, 5), total=st.sampled_from([None, 0, 10]))
    def move(self, n: int, total: float | None) -> None:
        self.attempt(lambda: self.tracker.advance(n))
        self.attempt(lambda: self.tracker.set_total(total))

    @rule(text=st.sampled_from(["line", "two\nlines", ""]), warning=st.booleans())
    def say(self, text: str, warning: bool) -> None:
        (self.tracker.warn if warning else self.tracker.log)(text)

    @rule(items=st.integers(0, 4), leave_at=st.integers(0, 5))
    def track(self, items: int, leave_at: int) -> None:
        for item in self.tracker.track("Loop", range(items)):
            if item == leave_at:
                break

    @rule(result=st.sampled_from([1, "text", [1, 2], (1,), Failure("bad")]))
    def run(self, result: object) -> None:
        def work() -> object:
            if isinstance(result, Failure):
                raise result
            return result

        with suppress(TrackerError, Failure):
            self.tracker.run("Call", work)

    @rule(fails=st.booleans(), count=st.integers(1, 3))
    def work_in_threads(self, fails: bool, count: int) -> None:
        def work(tracker: StepTracker, index: int) -> None:
            with tracker.step(f"Thread {index}") as step:
                step.advance()
                tracker.step("Inside")
                if fails:
                    raise Failure("in a thread")

        def guarded(tracker: StepTracker, index: int) -> None:
            with suppress(Failure):
                work(tracker, index)

        threads = [threading.Thread(target=guarded, args=(self.tracker, index)) for index in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    @precondition(lambda self: len(self.open) < 3)
    @rule(planned=st.lists(NAMES, max_size=2))
    def nest(self, planned: list[str]) -> None:
        inner = StepTracker("Inner", steps=planned, display="quiet").__enter__()
        self.open.append(inner)
        self.all.append(inner)

    @precondition(lambda self: len(self.open) > 1)
    @rule(error=st.sampled_from([None, Failure("bad"), KeyboardInterrupt()]))
    def leave_the_nested(self, error: BaseException | None) -> None:
        self.blocks = [block for block in self.blocks if block[0] is not self.tracker]
        self.leave(self.open.pop(), error)

    def leave(self, tracker: StepTracker, error: BaseException | None) -> None:
        tracker.__exit__(type(error) if error else None, error, None)
        self.outcomes[tracker] = outcome(error)

    @rule(error=st.sampled_from([None, Failure("bad"), KeyboardInterrupt(), SystemExit(0), SystemExit(2)]))
    def decide_how_all_ends(self, error: BaseException | None) -> None:
        self.ending = error

    @rule()
    def send(self) -> None:
        for run, lane in self.lanes.lanes.items():
            self.told.setdefault(run, []).extend(self.whole(lane))

    @rule()
    def lose_the_store(self) -> None:
        """The store lacks what it was told: the runs send their whole state."""
        for run, lane in self.lanes.lanes.items():
            if lane.cut():
                lane.behind(len(self.told.get(run, [])))
                self.told.setdefault(run, []).extend(self.whole(lane))

    def whole(self, lane: Lane) -> list[Event]:
        """All that waits; the steps of a rebase stand beside its one event, as a watcher would read them."""
        found = []
        for blob in blobs(lane):
            found += blob.events
            if blob.rebase:
                blob.events[0].pending = tuple(blob.steps)
        return found

    @invariant()
    def an_outcome_is_final(self) -> None:
        for place, tracker in enumerate(getattr(self, "all", [])):
            for step in tracker.steps:
                if step.status in STEP_ENDED:
                    assert step.state() == self.ended.setdefault((place, step.index), step.state())

    def teardown(self) -> None:
        if not hasattr(self, "open"):
            return
        try:
            for tracker in reversed(self.open):
                self.leave(tracker, self.ending)
            self.send()
            for tracker in self.all:
                self.check(tracker)
        finally:
            self.unsubscribe()
            event_bus.connect(_sink)

    def check(self, tracker: StepTracker) -> None:
        run = tracker._run
        assert run is not None
        told = self.told[run.run]
        for before, event in itertools.pairwise([None, *told]):
            # Only a run's whole state may take the place of numbers that were lost.
            assert event is not None
            expected = 1 if before is None else before.seq + 1
            assert event.seq == expected or (event.type == EventType.GAP and event.seq > expected)
        heard = [event for event in self.heard if event.data["run"] == run.run]
        assert heard[0].type == EventType.OPERATION_START
        assert heard[-1].type == EventType.OPERATION_COMPLETE
        counted = Counter(event.type for event in heard)
        assert counted[EventType.OPERATION_COMPLETE] == 1
        ends = [event.head.status for event in told if event.head is not None and event.head.ended is not None]
        assert set(ends) == {self.outcomes[tracker]}
        begun = [step for step in tracker.steps if step.status is not StepStatus.PENDING]
        assert counted[EventType.STEP_START] == len(begun)
        ended = Counter(event.data["step_index"] for event in heard if event.type in ENDS)
        assert ended == {step.index: 1 for step in begun}
        assert self.folded(told, run.operation) == {step.index: step.state() for step in tracker.steps}

    def folded(self, told: list[Event], operation: str) -> dict[int, StepState]:
        """What a watcher holds after all it was told."""
        parts = Parts(operation)
        for event in told:
            if event.type == EventType.GAP and event.pending:
                parts.steps = {}
            assert apply(parts, event, event.seq, 1)
        assert parts.run is not None
        return parts.steps


Tracking.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestTracking = Tracking.TestCase
