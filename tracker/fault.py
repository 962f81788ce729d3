"""What made a run fail, and the way there: which of its steps, and which operation inside that.

Holds exceptions only while the run is open, and only the last few, for an exception keeps all its frames alive.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from tracker.model import Error
from tracker.outcome import lineage

if TYPE_CHECKING:
    from tracker.step import Step

Held = TypeVar("Held")

KEPT = 8
"""How many of a kind are remembered; the operation may fail with any of them, long after it was caught."""


class Fault:
    """An exception that left a step.

    ``trail`` names the steps that led to it, innermost last, ``log`` holds the last lines logged there, and
    ``around`` the steps that were open besides, whoever had begun them.
    """

    def __init__(
        self, exc: BaseException, step: Step, trail: list[str], log: list[str], around: Iterable[Step]
    ) -> None:
        self.exc, self.step, self.trail, self.log, self.around = exc, step, trail, log, set(around)


class Below:
    """What an operation inside said of an exception: the way on from the run's own steps, and its last log lines."""

    def __init__(self, exc: BaseException, error: Error, around: Iterable[Step]) -> None:
        self.exc, self.error, self.around = exc, error, set(around)


class Faults:
    """The last exceptions that left steps of one run, and those reported by operations inside it."""

    def __init__(self) -> None:
        # Lists, for every run has these, and nearly none has a fault: an empty deque takes 600 bytes.
        self._failed: list[Fault] = []
        self._cancelled: list[Fault] = []  # One failure may cancel hundreds of tasks.
        self._below: list[Below] = []

    def add(self, fault: Fault, *, cancelled: bool) -> None:
        """A step was left by an exception; steps around it, also of threads that wait for it, only pass it on."""
        known = self.of(fault.exc)
        if known is None or fault.step not in known.around:
            _keep(self._cancelled if cancelled else self._failed, fault)

    def add_below(self, below: Below) -> None:
        """An operation inside failed; the path of its error leads from its title to where that was."""
        _keep(self._below, below)

    def of(self, exc: BaseException | None) -> Fault | None:
        """The fault that ``exc`` is, or was raised because of."""
        for origin in lineage(exc):
            for fault in self._newest():
                if fault.exc is origin:
                    return fault
        return None

    def below(self, exc: BaseException | None) -> Error | None:
        """What an operation inside said of ``exc``, if it was inside the step that ``exc`` is told of."""
        fault = self.of(exc)
        for origin in lineage(exc):
            for below in reversed(self._below):
                if below.exc is origin and (fault is None or fault.step in below.around):
                    return below.error
        return None

    def forget(self) -> None:
        """Let go of the exceptions."""
        self._failed.clear()
        self._cancelled.clear()
        self._below.clear()

    def _newest(self) -> Iterator[Fault]:
        yield from reversed(self._failed)
        yield from reversed(self._cancelled)


def _keep(held: list[Held], newest: Held) -> None:
    held.append(newest)
    del held[:-KEPT]
