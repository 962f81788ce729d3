"""What a step and a progress call cost the tracked code, as ratios to a floor measured in the same run.

The floor of a step is what cannot be left out: two readings of each clock and two tuples kept. Run it with
``python benchmarks/step_cost.py``; no server is needed, for the caller never waits for one.
"""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Callable

from tracker import StepTracker, event_bus
from tracker.model import Event
from tracker.run import RunWriter, Step

STEPS = 20_000
ADVANCES = 200_000
ROUNDS = 5


class Queue:
    """A sink that does what the publisher does in the caller's thread: keep the event."""

    def __init__(self) -> None:
        self.kept: deque[tuple[RunWriter, Event | Step]] = deque(maxlen=1000)

    def put(self, event: Event, run: RunWriter) -> None:
        self.kept.append((run, event))

    def progress(self, step: Step, run: RunWriter) -> None:
        self.kept.append((run, step))


def microseconds(work: Callable[[], object], times: int) -> float:
    """One call's share of ``work`` in microseconds of this thread: the median over some rounds."""
    rounds = []
    for _ in range(ROUNDS):
        begun = time.thread_time()
        work()
        rounds.append((time.thread_time() - begun) / times * 1e6)
    return statistics.median(rounds)


def floor() -> None:
    kept = deque[tuple[object, ...]](maxlen=1000)
    for index in range(STEPS):
        kept.append((index, "step", time.time(), time.monotonic()))
        kept.append((index, "step", time.time(), time.monotonic()))


def plain_steps() -> None:
    with StepTracker("Benchmark", display="quiet") as tracker:
        for _ in range(STEPS):
            tracker.step("Process a file")
            tracker.complete()


def scoped_steps() -> None:
    with StepTracker("Benchmark", display="quiet") as tracker:
        for _ in range(STEPS):
            with tracker.step("Process a file"):
                pass


def advances() -> None:
    with StepTracker("Benchmark", display="quiet") as tracker, tracker.step("Read") as step:
        for _ in range(ADVANCES):
            step.advance()


def show(what: str, cost: float, base: float) -> None:
    print(f"{what:<28}{cost:8.2f} µs {cost / base:8.1f} × floor")


def main() -> None:
    base = microseconds(floor, STEPS)
    show("floor of a step", base, base)
    for sink, said in ((None, "no publisher"), (Queue(), "publisher")):
        event_bus.connect(lambda sink=sink: sink)  # type: ignore[misc]
        show(f"step + complete, {said}", microseconds(plain_steps, STEPS), base)
        show(f"with step, {said}", microseconds(scoped_steps, STEPS), base)
        show(f"advance, {said}", microseconds(advances, ADVANCES), base)


if __name__ == "__main__":
    main()
