"""What somebody looks for among operations, beyond a status and a name; both are found by index, all else by looking.

So a search looks at a bounded number of operations for each page, which may therefore be short, with ``next`` set.
"""

from __future__ import annotations

import msgspec

from tracker.compose import compose
from tracker.model import Error, Operation, Parts

Place = tuple[float, str]
"""Score and id: where an operation stands in a list."""

BEHIND_ALL = "~"
"""Sorts after every id."""


class Search(msgspec.Struct, frozen=True):
    """All that is given has to fit. ``since`` and ``until`` are times of making, UTC seconds, both included."""

    label: tuple[str, str] | None = None
    worker: str = ""
    step: str = ""
    error: str = ""
    release: str = ""
    text: str = ""
    since: float | None = None
    until: float | None = None

    def fits(self, parts: Parts) -> bool:
        """Whether the operation is one of those wanted."""
        operation = compose(parts, steps=False)
        return (
            self._in_time(operation.created)
            and (self.label is None or operation.labels.get(self.label[0]) == self.label[1])
            and self.worker in ("", operation.worker.host if operation.worker else None)
            and self.step in ("", operation.step.name if operation.step else None)
            and (not self.error or _has(operation.error, self.error))
            and self.release in ("", operation.release)
            and (not self.text or self._has_text(operation, parts))
        )

    def _in_time(self, created: float) -> bool:
        return (self.since is None or created >= self.since) and (self.until is None or created <= self.until)

    def _has_text(self, operation: Operation, parts: Parts) -> bool:
        """In its id, name or title; or as the whole id of the Celery task that runs it again."""
        wanted = self.text.casefold()
        again = parts.queue.again if parts.queue else None
        named = any(wanted in text.casefold() for text in (operation.id, operation.name, operation.title))
        return named or (again is not None and again.task == self.text)

    def start(self, after: Place | None) -> Place | None:
        """Where to begin in a list that has the newest first."""
        if self.until is None:
            return after
        # Times near 0 have another form in a page, and nothing was made then.
        first = (max(self.until, 1.0), BEHIND_ALL)
        return first if after is None else min(after, first)

    def is_over(self, place: Place) -> bool:
        """Whether nothing wanted comes behind a place of that list."""
        return self.since is not None and place[0] < self.since


def _has(error: Error | None, text: str) -> bool:
    """Whether the text is in what an operation has failed with, as people read it."""
    return error is not None and text.casefold() in f"{error.type}: {error.message}".casefold()
