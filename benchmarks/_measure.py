"""How the benchmarks measure: everything compared is run in turns within one process, and shown as ratios.

A machine is never equally fast for long; costs measured minutes apart cannot be compared, and those in turns can.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

ROUNDS = 9

Work = Callable[[], object]


def nothing() -> None:
    """What there is to wait for if the works leave nothing behind."""


def in_turns(
    works: Mapping[str, tuple[Work, int]],
    clock: Callable[[], float] = time.perf_counter,
    rounds: int = ROUNDS,
    settle: Work = nothing,
) -> dict[str, float]:
    """The median cost in microseconds of one of the calls that each work makes (its number is given beside it).

    ``settle`` is called before each work, outside of the measured time, so that none pays for another's leftovers.
    """
    costs: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, (work, calls) in works.items():
            settle()
            begun = clock()
            work()
            costs[name].append((clock() - begun) / calls * 1e6)
    return {name: statistics.median(found) for name, found in costs.items()}


def show(costs: Mapping[str, float], base: str, unit: str = "µs") -> None:
    """A line for each cost, with its ratio to the one called ``base``."""
    for name, cost in costs.items():
        print(f"  {name:<44}{cost:10.2f} {unit} {cost / costs[base]:9.2f} × {base}")
