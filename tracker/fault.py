"""What made a run fail, and the way there: which of its steps, and which operation inside that.

Holds exceptions only while the run is open, for an exception keeps all its frames alive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.model import Error
from tracker.outcome import stems_from

if TYPE_CHECKING:
    from tracker.step import Step


class Fault:
    """The exception that failed a step; ``trail`` names the steps that led to it, innermost last."""

    def __init__(self, exc: BaseException, step: Step, trail: list[str]) -> None:
        self.exc, self.step, self.trail = exc, step, trail


class Faults:
    """The first exception seen in the run itself and the first reported by an operation inside it."""

    def __init__(self) -> None:
        self._own: Fault | None = None
        self._below: tuple[BaseException, Error] | None = None

    def add(self, exc: BaseException, step: Step, trail: list[str]) -> None:
        """A step was left by ``exc``; the innermost one saw it first, those around it only pass it on."""
        if self.of(exc) is None:
            self._own = Fault(exc, step, trail)

    def add_below(self, exc: BaseException, error: Error) -> None:
        """An operation inside failed with ``exc``; the path of ``error`` leads from its title to where that was."""
        if self.below(exc) is None:
            self._below = exc, error

    def of(self, exc: BaseException | None) -> Fault | None:
        """The fault that ``exc`` is, or was raised because of."""
        return self._own if self._own is not None and stems_from(exc, self._own.exc) else None

    def below(self, exc: BaseException | None) -> Error | None:
        """What the operation inside said of ``exc``: the way on from the run's own step, and its last log lines."""
        return self._below[1] if self._below is not None and stems_from(exc, self._below[0]) else None

    def forget(self) -> None:
        """Let go of the exceptions."""
        self._own = self._below = None
