"""Log lines as they enter a run: made safe, cut, numbered, and the last few remembered.

Lines are not state: they have numbers of their own and are read again from the store's log.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from tracker import clock
from tracker.limits import LINE_LIMIT
from tracker.model import LogLine
from tracker.redact import block, bound

LAST_LINES = 5
"""Lines remembered in the process, per step, for the moment it fails."""

LINES_AT_ONCE = 100
"""Most lines taken from one call."""


class LogLines:
    """Numbers the lines of one run."""

    def __init__(self) -> None:
        self._count = 0
        self.held: dict[int, deque[str]] = {}
        """The last lines under each step."""

    def add(self, text: str, step: int, warning: bool) -> LogLine:
        """The next line, under the step of index ``step`` (0: under the operation)."""
        self._count += 1
        self.held.setdefault(step, deque(maxlen=LAST_LINES)).append(text)
        return LogLine(self._count, clock.now(), text, step, "warning" if warning else "")

    def last(self, step: int) -> list[str]:
        """The last lines under a step."""
        return list(self.held.get(step, ()))

    def forget(self, step: int | None = None) -> None:
        """A step has ended, or (``None``) the run; nobody will ask for these last lines."""
        if step is None:
            self.held.clear()
        else:
            self.held.pop(step, None)


def lines_of(text: object) -> Iterator[str]:
    """The lines of a text, safe to show, as many and as long as are kept."""
    for said in block(text, LINES_AT_ONCE * LINE_LIMIT).splitlines()[:LINES_AT_ONCE]:
        yield bound(said, LINE_LIMIT)
