"""Topics: what can be watched, which operations belong to one, and its snapshot from the store."""

from __future__ import annotations

from tracker.compose import compose
from tracker.history.reads import Reads
from tracker.ids import ID
from tracker.model import Operation, Parts
from tracker.store import Change
from web.limits import CHILDREN, TOP_LEVEL

ALL = "operations"
"""Top-level operations, newest first."""

KINDS = ("operation", "children")
"""One operation with its steps, and a window of an operation's children: ``<kind>:<id>``."""


def is_topic(text: str) -> bool:
    """Whether ``text`` names something that can be watched; the operation need not exist yet."""
    kind, _, id = text.partition(":")
    return text == ALL or (kind in KINDS and ID.fullmatch(id) is not None)


def of_operation(id: str, parent: str) -> tuple[str, str]:
    """The topics an operation belongs to."""
    return f"operation:{id}", f"children:{parent}" if parent else ALL


def of_change(change: Change) -> tuple[str, str]:
    """The topics whose readers want the operation that changed."""
    return of_operation(change.operation, change.parent)


def snapshot(reads: Reads, topic: str) -> list[Operation]:
    """What is stored now; raises ``StoreUnavailable``."""
    kind, _, id = topic.partition(":")
    if kind == "operation":
        parts = reads.operation(id)
        return [compose(parts)] if parts else []
    found = _window(reads, id) if kind == "children" else reads.operations(limit=TOP_LEVEL).items
    return [compose(parts, steps=False) for parts in found]


def _window(reads: Reads, id: str) -> list[Parts]:
    """Children that failed, then those that run, then the others in the order they were queued."""
    parent = reads.operation(id)
    counts = parent.children if parent else None
    found: dict[str, Parts] = {}
    for status in ("error", "lost", "running", None):
        if len(found) < CHILDREN and (status is None or counts is None or getattr(counts, status)):
            page = reads.children(id, limit=CHILDREN, status=status)
            found |= {child.id: child for child in page.items if child.id not in found}
    return list(found.values())[:CHILDREN]
