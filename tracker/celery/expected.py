"""What a new attempt is expected to do, told before it runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from tracker.model import StepState
from tracker.queued import Expected
from tracker.results import release_of

NOTHING = "nothing can be reused, so every step runs"


def of_steps(steps: Sequence[StepState], kept: Mapping[str, bytes], release: str) -> Expected:
    """What resuming does, by the steps of the last attempt and the results that are kept, under code of ``release``."""
    left = Counter(key.partition("\n")[0] for key, result in kept.items() if release_of(result) == release)
    first: StepState | None = None
    reused = 0
    for step in steps:
        if left[step.name]:
            left[step.name] -= 1
            reused += 1
        else:
            first = first or step
    if not reused:
        return Expected(NOTHING)
    if first is None:
        return Expected(f"{reused} reused, and what comes after them runs", reused=reused)
    return Expected(f"resumes at step {first.index} ({first.name}), {reused} reused", first.index, first.name, reused)


def of_children(again: int, left: int) -> Expected:
    """What resuming a batch does: how many of its children run again, and how many cannot."""
    summary = f"{again} {'child runs' if again == 1 else 'children run'} again"
    if left:
        summary += f"; {left} cannot, as their arguments were not kept as they were given"
    return Expected(summary, children=again)
