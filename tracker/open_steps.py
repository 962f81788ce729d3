"""The steps of a run that are open now, by who opened them.

Steps of one thread or asyncio task nest; those of different ones know nothing of each other. Changed under
the run's lock, read without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracker.step import Step


class OpenSteps:
    """The innermost open step of each owner; every step knows the one around it."""

    def __init__(self) -> None:
        self._innermost: dict[object, Step] = {}

    def add(self, owner: object, step: Step) -> None:
        """``owner`` has begun ``step``."""
        outer = self._innermost.get(owner)
        if outer is not None:
            step._outer = outer
        self._innermost[owner] = step

    def remove(self, owner: object, step: Step) -> None:
        """``step`` has ended."""
        if self._innermost[owner] is not step:
            inner = next(held for held in self._chain(owner) if held._outer is step)
            inner._outer = step._outer
        elif step._outer is None:
            del self._innermost[owner]
        else:
            self._innermost[owner] = step._outer

    def innermost(self, owner: object) -> Step | None:
        """The step that ``owner`` began last."""
        return self._innermost.get(owner)

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
