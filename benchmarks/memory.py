"""Memory of a step while its operation runs, and how the cost of a step grows with their number."""

from __future__ import annotations

import time
import tracemalloc

from benchmarks._measure import in_turns, show
from tracker import StepTracker

FEW, MANY = 100, 10_000


def steps(count: int) -> None:
    with StepTracker("Benchmark", display="quiet") as tracker:
        for index in range(count):
            with tracker.step(f"Process file {index}") as step:
                step.advance()


def bytes_per_step() -> float:
    with StepTracker("Benchmark", display="quiet") as tracker:
        tracemalloc.start()
        for index in range(MANY):
            with tracker.step(f"Process file {index}") as step:
                step.advance(index)
        used, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return used / MANY


def main() -> None:
    print(f"  memory of a step of {MANY:,}: {bytes_per_step():,.0f} bytes")
    works = {
        f"a step of {FEW:,}": (lambda: [steps(FEW) for _ in range(MANY // FEW)], MANY),
        f"a step of {MANY:,}": (lambda: steps(MANY), MANY),
    }
    show(in_turns(works, clock=time.thread_time), f"a step of {FEW:,}")


if __name__ == "__main__":
    main()
