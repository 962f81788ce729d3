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
        self._coming: dict[str, deque[Step]] = {}

    def declare(self, steps: Iterable[Step]) -> None:
        """These are to come as well."""
        for step in steps:
            self._coming.setdefault(step.name, deque()).append(step)

    def take(self, name: str) -> Step | None:
        """The next step of that name; ``None`` if there is none."""
        coming = self._coming.get(name)
        try:
            return coming.popleft() if coming else None
        except IndexError:  # Another thread was faster.
            return None
