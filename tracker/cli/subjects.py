"""What a watcher looks at: one operation with its children, or everything that runs now.

Holds state and folds changes into it; draws and prints nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from tracker.clock import elapsed, now
from tracker.compose import compose, status_of
from tracker.model import ENDED, LiveEvent, Operation, Parts, Status
from tracker.store.view import View

if TYPE_CHECKING:
    from tracker.history.reads import Reads
    from tracker.store import Change

RECENT = 300.0
"""How long an ended operation stays among what runs now, in seconds."""

LIST_LIMIT = 500
"""Most operations read for one list."""

FAILED = (Status.ERROR, Status.LOST, Status.CANCELLED)

ORDER = {status: place for place, status in enumerate((*FAILED, Status.RUNNING, Status.QUEUED, Status.COMPLETE))}


class Subject(Protocol):
    """What ``tracker.cli.watching`` follows."""

    id: str | None

    def load(self) -> None:
        """Take a snapshot; raises ``StoreUnavailable``."""

    def apply(self, change: Change) -> list[LiveEvent]:
        """Fold a change; what comes back is what was not known yet."""

    def operations(self) -> list[Operation]:
        """What the snapshot holds, for ``--json``."""

    def over(self) -> bool:
        """Whether nothing more will come."""


class One:
    """One operation and its children.

    ``every_child`` holds them all, for a machine's eyes; else those that run or have failed are read,
    which is what people look at.
    """

    def __init__(self, reads: Reads, id: str, *, every_child: bool = False) -> None:
        self.id: str | None = id
        self._id = id
        self._every_child = every_child
        self._reads = reads
        self._view = View(reads.operation)
        self._shown: set[str] = set()

    def load(self) -> None:
        parts = self._reads.operation(self._id)
        self._view.parts.clear()
        self._shown.clear()
        if parts is None:
            return
        self._view.put(parts)
        if parts.children.total and self._every_child:
            self._load_children(None)
        elif parts.children.total:
            for status in (*FAILED, Status.RUNNING):
                self._load_children(status)

    def _load_children(self, status: Status | None) -> None:
        page = self._reads.children(self._id, status=status, limit=LIST_LIMIT)
        while True:
            for parts in page.items:
                self._view.put(parts)
                self._sort_in(parts)
            if page.next is None or not self._every_child:
                return
            page = self._reads.children(self._id, status=status, limit=LIST_LIMIT, page=page.next)

    def apply(self, change: Change) -> list[LiveEvent]:
        news = self._view.apply(change)
        child = self._view.parts.get(change.operation)
        if child is not None and child.id != self._id:
            self._sort_in(child)
        if change.hole and change.operation == self._id:
            self.load()
        return news

    def _sort_in(self, child: Parts) -> None:
        """Keep apart what people look at; a child that is complete is not needed any more."""
        status = _status(child)
        if status is Status.RUNNING or status in FAILED or self._every_child:
            self._shown.add(child.id)
            return
        self._shown.discard(child.id)
        if status is Status.COMPLETE:
            self._view.drop(child.id)

    def operation(self) -> Operation | None:
        """The operation as it is known now, with its steps."""
        parts = self._view.parts.get(self._id)
        return compose(parts) if parts is not None else None

    def children(self) -> list[Operation]:
        """The children held: failed ones first, then those that run."""
        return _listed(self._view.parts[id] for id in self._shown)

    def operations(self) -> list[Operation]:
        operation = self.operation()
        return [operation, *self.children()] if operation is not None else []

    def over(self) -> bool:
        parts = self._view.parts.get(self._id)
        return parts is not None and _status(parts) in ENDED


class Everything:
    """The top-level operations that are queued, run, or ended in the last minutes; their children only as counts."""

    def __init__(self, reads: Reads) -> None:
        self.id: str | None = None
        self._reads = reads
        self._view = View(reads.operation)
        self._forgotten = 0.0

    def load(self) -> None:
        self._view.parts.clear()
        for status in (None, Status.RUNNING, Status.QUEUED):
            for parts in self._reads.operations(status=status, limit=LIST_LIMIT).items:
                self._view.put(parts)

    def apply(self, change: Change) -> list[LiveEvent]:
        # A child is not held here: only its parent's counts matter.
        news = self._view.apply_counts(change) if change.parent else self._view.apply(change)
        if elapsed() - self._forgotten > 1.0:
            self._forget()
        return news

    def _forget(self) -> None:
        """Let go of what ended more than some minutes ago."""
        self._forgotten = elapsed()
        since = now() - RECENT
        for parts in list(self._view.parts.values()):
            if _status(parts) in ENDED and (compose(parts, steps=False).ended or 0.0) < since:
                self._view.drop(parts.id)

    def operations(self) -> list[Operation]:
        self._forget()
        return _listed(self._view.parts.values())

    def over(self) -> bool:
        return False


def _status(parts: Parts) -> Status:
    return status_of(parts.queue, parts.run, parts.verdict)


def _listed(held: Iterable[Parts]) -> list[Operation]:
    """Failures first, then what runs, what waits, what is complete; the newest first in each."""
    operations = [compose(parts, steps=False) for parts in held]
    return sorted(operations, key=lambda operation: (ORDER[operation.status], -(operation.ended or operation.created)))
