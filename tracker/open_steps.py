"""The steps of a run that are open now, by who opened them.

Steps of one thread or asyncio task nest; those of different ones know nothing of each other. Changed under
the run's lock, read without it.
"""

from __future__ import annotations

from itertools import chain, takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracker.step import Step


class OpenSteps:
    """A stack of open steps per owner."""

    def __init__(self) -> None:
        self._held: dict[object, list[Step]] = {}

    def add(self, owner: object, step: Step) -> None:
        """``owner`` has begun ``step``."""
        held = self._held.get(owner)
        if held is None:
            self._held[owner] = [step]
        else:
            held.append(step)

    def remove(self, owner: object, step: Step) -> None:
        """``step`` has ended."""
        held = self._held[owner]
        if held[-1] is step:
            held.pop()
        else:
            held.remove(step)
        if not held:
            del self._held[owner]

    def innermost(self, owner: object) -> Step | None:
        """The step that ``owner`` began last."""
        held = self._held.get(owner)
        if not held:
            return None
        try:
            return held[-1]
        except IndexError:  # Another thread has just ended the owner's last step.
            return None

    def trail(self, owner: object, step: Step | None = None) -> list[str]:
        """Names of the owner's steps from the outermost down to ``step`` (``None``: to the innermost)."""
        above = [held.name for held in takewhile(lambda held: held is not step, [*self._held.get(owner, ())])]
        return above if step is None else [*above, step.name]

    def all(self) -> list[Step]:
        """Every open step, those begun last first."""
        return sorted(chain.from_iterable(self._held.values()), key=lambda step: -step.index)
