"""The steps of a run that are open now, by who opened them.

Steps of one thread or asyncio task nest; those of different ones know nothing of each other. There is no lock:
only the owner changes what is held for it, and whether a step is open is for its status to say.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tracker.model import StepStatus

if TYPE_CHECKING:
    from tracker.step import Step

MOMENTS = 100
"""Milliseconds that another thread gets to end a step which it has begun to end."""

_RUNNING = StepStatus.RUNNING


class OpenSteps:
    """The step that each owner began last; every step knows the one around it."""

    def __init__(self) -> None:
        self._newest: dict[int, Step] = {}
        """By the owner's ``id``, as a task need not live as long as the run; an open step keeps it."""

    def innermost(self, owner: object) -> Step | None:
        """The open step that ``owner`` began last."""
        step = self._newest.get(id(owner))
        while step is not None and step.status is not _RUNNING:
            step = step._outer
        return step

    def add(self, step: Step) -> None:
        """``step`` has begun; called by its owner."""
        owner = step._owner
        key = id(owner)
        if key in self._newest:
            step._outer = self.innermost(owner)
        self._newest[key] = step

    def remove(self, step: Step, caller: object) -> None:
        """``step`` has ended. A task, and with it what it returned, need not live as long as its steps."""
        owner = step._owner
        step._owner = None
        # Anybody else would have to make sure that the owner does not begin a step at this very moment.
        key = id(owner)
        if caller is owner and self._newest.get(key) is step:
            if step._outer is None:
                del self._newest[key]
            else:
                self._newest[key] = step._outer

    def trail(self, owner: object, step: Step | None = None) -> list[str]:
        """Names of the owner's steps from the outermost down to ``step`` (``None``: to the innermost)."""
        held = list(_open_from(self._newest.get(id(owner))))[::-1]
        above = held[: held.index(step)] if step in held else held
        names = [outer.name for outer in above]
        return names if step is None else [*names, step.name]

    def all(self) -> list[Step]:
        """Every open step, those begun last first."""
        held = [step for newest in list(self._newest.values()) for step in _open_from(newest)]
        return sorted(held, key=lambda step: -step.index)


def await_end(step: Step) -> None:
    """Let another thread end ``step``, which has begun to: that takes a moment, unless an interrupt came there."""
    for _ in range(MOMENTS):
        if step.status is not _RUNNING:
            return
        time.sleep(0.001)


def _open_from(step: Step | None) -> Iterator[Step]:
    """The open ones of ``step`` and those around it."""
    while step is not None:
        if step.status is _RUNNING:
            yield step
        step = step._outer
