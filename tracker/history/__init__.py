"""The read facade: what web and command line ask, so that no caller has to know where something is kept."""

from __future__ import annotations

import msgspec

from tracker.compose import compose
from tracker.errors import NotFound, TrackerError
from tracker.ids import ID
from tracker.model import LogLine, Operation
from tracker.store import JobInfo, Page, Store

PREFIX_SCAN = 1_000
"""How many of the newest operations are searched for an id's prefix."""


class OperationPage(msgspec.Struct):
    """Part of a list of operations; ``next`` is the page after it, ``None`` at the end."""

    items: list[Operation]
    next: str | None = None


class History:
    """Reads of one namespace, live or finished."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def operation(self, id: str) -> Operation:
        """One operation with its steps; raises ``NotFound``."""
        parts = self._store.operation(id) if ID.fullmatch(id) else None
        if parts is None:
            raise NotFound(f"there is no operation {id[:128]!r}; `tracker ls` lists those there are")
        return compose(parts)

    def logs(self, id: str) -> list[LogLine]:
        """The last log lines of an operation, of all its attempts, oldest first; raises ``NotFound``."""
        self.operation(id)
        return self._store.logs(id)

    def operations(
        self, *, status: str | None = None, name: str | None = None, page: str | None = None, limit: int = 50
    ) -> OperationPage:
        """Top-level operations, newest first."""
        return _composed(self._store.operations(page=page, limit=limit, status=status, name=name))

    def children(
        self, id: str, *, status: str | None = None, page: str | None = None, limit: int = 50
    ) -> OperationPage:
        """Children of an operation, in the order they were queued; raises ``NotFound``."""
        self.operation(id)
        return _composed(self._store.children(id, page=page, limit=limit, status=status))

    def find(self, prefix: str) -> str:
        """The id that ``prefix`` stands for: itself, or the one top-level operation whose id begins with it.

        Raises ``NotFound``, or ``TrackerError`` when several do.
        """
        if ID.fullmatch(prefix) and self._store.operation(prefix) is not None:
            return prefix
        items = self._store.operations(limit=PREFIX_SCAN).items if prefix else []
        found = [parts.id for parts in items if parts.id.startswith(prefix)]
        if len(found) > 1:
            raise TrackerError(f"{prefix!r} is the beginning of {len(found)} operations; give more of the id")
        if not found:
            raise NotFound(f"there is no operation {prefix[:128]!r}; `tracker ls` lists those there are")
        return found[0]

    def jobs(self) -> list[JobInfo]:
        """Every published job with the number of live workers that run it."""
        return self._store.jobs()


def _composed(page: Page) -> OperationPage:
    return OperationPage([compose(parts, steps=False) for parts in page.items], page.next)
