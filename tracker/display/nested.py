"""What became of the operations nested in one run, by the step they were started in.

Only numbers are kept of them, and of a few that failed their errors, so that any number may go by.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from tracker.model import Status
from tracker.redact import line
from tracker.render.tree import FAILURES, Failure

KEPT = 60
"""Steps whose failed nested operations are kept by name: a terminal's height and more."""

MESSAGE = 200
"""Longest message of a failed nested operation, in characters: a row of the picture."""


class Nested:
    """Counts by step, 0 for those outside of any step; read while it changes, by the thread that draws."""

    def __init__(self) -> None:
        self.total: Counter[Status] = Counter()
        self._by_step = defaultdict[Status, Counter[int]](Counter)
        self._failures: dict[int, list[Failure]] = {}

    def opened(self, at: int) -> None:
        """An operation began in the step with this index."""
        self._count(at, Status.RUNNING, 1)

    def closed(self, at: int, title: str, status: Status, message: str) -> None:
        """It has ended."""
        self._count(at, Status.RUNNING, -1)
        self._count(at, status, 1)
        if status is Status.COMPLETE:
            return
        failures = self._failures.pop(at, [])
        self._failures[at] = failures  # The newest stand last.
        if len(failures) < FAILURES:
            failures.append(Failure(title, status, line(message, MESSAGE)))
        if len(self._failures) > KEPT:
            del self._failures[next(iter(self._failures))]

    def failed(self, room: int) -> list[int]:
        """The steps in which something failed, the latest ``room`` of them."""
        return [at for at in islice(reversed(self._failures), room) if at]

    def outcomes(self, steps: Iterable[int]) -> dict[int, Counter[Status]]:
        """Counts for these steps, and for what is outside of any."""
        found = {}
        for at in (0, *steps):
            counts = Counter({status: held[at] for status, held in self._by_step.items() if held[at]})
            if counts:
                found[at] = counts
        return found

    def failures(self, steps: Iterable[int]) -> Mapping[int, Sequence[Failure]]:
        """Those that are kept by name, for these steps."""
        return {at: self._failures[at] for at in (0, *steps) if at in self._failures}

    def _count(self, at: int, status: Status, number: int) -> None:
        self.total[status] += number
        counts = self._by_step[status]
        counts[at] += number
        if not counts[at]:
            del counts[at]
