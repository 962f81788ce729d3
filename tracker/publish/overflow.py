"""Runs that found no room in the queue: their thread learns of them later, by their whole state."""

from __future__ import annotations

from collections.abc import Iterator

from tracker.publish.ended import untie, weigh
from tracker.run import RunWriter

STEPS_LIMIT = 2_000
"""Weight of ended runs that may wait here, in steps; beyond it nothing is kept of a run but that it is lost."""


class Overflow:
    """Put from any thread, taken by one; no call waits for another."""

    def __init__(self) -> None:
        self._runs: dict[str, RunWriter | None] = {}
        self._weight = 0

    def put(self, run: RunWriter) -> None:
        """Something of ``run`` found no room."""
        if run.ended is None:
            self._runs.setdefault(run.run, run)
        elif self._weight < STEPS_LIMIT:
            self._weight += weigh(run)
            self._runs[run.run] = run
        else:
            self._runs[run.run] = None
            untie(run)

    def take(self) -> Iterator[tuple[str, RunWriter | None]]:
        """Each run by its id, ``None`` for those that are lost."""
        while self._runs:
            yield self._runs.popitem()
        self._weight = 0
