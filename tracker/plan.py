"""The declared steps of a run that have not begun."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracker.step import Step


class Plan:
    """Gives each declared step to one caller, those of one name in the order in which they were declared."""

    def __init__(self) -> None:
        # Nearly every name is declared once; a queue for each would be most of what a run takes in memory.
        self._first: dict[str, Step] = {}
        self._more: dict[str, deque[Step]] = {}

    def declare(self, steps: Iterable[Step]) -> None:
        """These are to come as well."""
        for step in steps:
            if step.name in self._first or step.name in self._more:
                self._more.setdefault(step.name, deque()).append(step)
            else:
                self._first[step.name] = step

    def take(self, name: str) -> Step | None:
        """The next step of that name; ``None`` if there is none."""
        step = self._first.pop(name, None)
        if step is not None or name not in self._more:
            return step
        try:
            return self._more[name].popleft()
        except IndexError:  # Another thread was faster.
            return None
