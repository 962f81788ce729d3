"""The steps of a run that are open now, by who opened them.

Steps of one thread or asyncio task nest; those of different ones know nothing of each other. Changed under
the run's lock, read without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracker.step import Step


class OpenSteps:
    """The innermost open step of each owner; every step knows the one around it."""

    def __init__(self) -> None:
        self._innermost: dict[object, Step] = {}
        self.innermost: Callable[[object], Step | None] = self._innermost.get
        """The step that its argument, an owner, began last."""

    def add(self, step: Step) -> None:
        """``step`` has begun."""
        owner = step._owner
        if owner in self._innermost:
            step._outer = self._innermost[owner]
        self._innermost[owner] = step

    def remove(self, step: Step) -> None:
        """``step`` has ended."""
        owner, outer = step._owner, step._outer
        step._owner = None  # A task, and with it what it returned, need not live as long as its steps.
        if self._innermost.get(owner) is not step:
            inner = next((held for held in self._chain(owner) if held._outer is step), None)
            if inner is not None:
                inner._outer = outer
        elif outer is None:
            del self._innermost[owner]
        else:
            self._innermost[owner] = outer

    def trail(self, owner: object, step: Step | None = None) -> list[str]:
        """Names of the owner's steps from the outermost down to ``step`` (``None``: to the innermost)."""
        held = list(self._chain(owner))[::-1]
        above = held[: held.index(step)] if step in held else held
        names = [outer.name for outer in above]
        return names if step is None else [*names, step.name]

    def all(self) -> list[Step]:
        """Every open step, those begun last first."""
        held = [step for owner in list(self._innermost) for step in self._chain(owner)]
        return sorted(held, key=lambda step: -step.index)

    def _chain(self, owner: object) -> Iterator[Step]:
        """The owner's steps from the innermost outwards."""
        step = self._innermost.get(owner)
        while step is not None:
            yield step
            step = step._outer
