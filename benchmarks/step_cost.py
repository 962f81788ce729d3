"""What tracking costs the tracked code: CPU time of the calling thread, as ratios to a floor.

The floor of a step is what cannot be left out: two readings of each clock and two tuples kept. Publishing is
real here: an embedded server and the publisher's own thread, whose work is not the caller's.
"""

from __future__ import annotations

import tempfile
import time
from collections import deque
from pathlib import Path

from benchmarks._measure import in_turns, show
from tracker import StepTracker, configure, event_bus
from tracker.embedded import ensure_server

STEPS = 5_000
ADVANCES = 100_000


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


def measure() -> None:
    works = {
        "floor": (floor, STEPS),
        "step + complete": (plain_steps, STEPS),
        "with step": (scoped_steps, STEPS),
        "advance": (advances, ADVANCES),
    }
    show(in_turns(works, clock=time.thread_time, settle=lambda: event_bus.flush(30)), "floor")
    event_bus.flush(30)


def main() -> None:
    print("nothing configured:")
    measure()
    with tempfile.TemporaryDirectory() as folder:
        server = ensure_server(Path(folder))
        configure(redis_url=server.url)
        print("publishing to Redis:")
        measure()
        configure(redis_url="")
        server.stop()


if __name__ == "__main__":
    main()
