"""Topics: what can be watched, which operations belong to one, and what is stored of it now."""

from __future__ import annotations

from collections.abc import Iterable

from tracker.compose import compose
from tracker.errors import Unreadable
from tracker.history.reads import Reads
from tracker.ids import ID
from tracker.model import Children, Operation, Parts, Status
from tracker.store import Change

PROTOCOL = 1
"""Version of the messages about topics; a client that knows another one closes with 4406."""

ALL = "operations"
"""Top-level operations: what is open, and what has ended lately."""

TOP_LEVEL = 500
"""Operations in a snapshot of all."""

NEWEST = 100
"""Of them, the newest that are in it however many others are open."""

CHILDREN = 200
"""Operations in a snapshot of an operation's children."""

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


def of_subject(id: str | None) -> tuple[str, ...]:
    """The topics of one operation with its children, or of everything."""
    return (ALL,) if id is None else (f"operation:{id}", f"children:{id}")


def below(subject: str, id: str) -> str:
    """The topic in which somebody who watches ``subject`` hears of ``id``: itself, or one of its children."""
    return f"operation:{id}" if id == subject else f"children:{subject}"


def composed(topic: str, found: Iterable[Parts]) -> list[Operation]:
    """Operations as a topic tells of them: with their steps only where it is about one."""
    return [compose(parts, steps=topic.startswith("operation:")) for parts in found]


def read(reads: Reads, topic: str) -> list[Parts]:
    """What is stored of a topic now; raises ``StoreUnavailable``, and ``Unreadable`` for the operation it is about."""
    kind, _, id = topic.partition(":")
    if kind == "operation":
        parts = reads.operation(id)
        return [parts] if parts else []
    return _window(reads, id) if kind == "children" else _top_level(reads)


def _top_level(reads: Reads) -> list[Parts]:
    """The newest, then what runs, what waits, and others by their age; what is open may be older than all else."""
    found: dict[str, Parts] = {}
    for status, limit in ((None, NEWEST), (Status.RUNNING, TOP_LEVEL), (Status.QUEUED, TOP_LEVEL), (None, TOP_LEVEL)):
        if len(found) < TOP_LEVEL:
            found |= {one.id: one for one in reads.operations(limit=limit, status=status).items if one.id not in found}
    return list(found.values())[:TOP_LEVEL]


def _window(reads: Reads, id: str) -> list[Parts]:
    """Children that failed, then those that run, then the others in the order they were queued."""
    counts = _counts(reads, id)
    found: dict[str, Parts] = {}
    for status in (Status.ERROR, Status.LOST, Status.RUNNING, Status.CANCELLED, None):
        if len(found) < CHILDREN and (status is None or counts is None or getattr(counts, status)):
            page = reads.children(id, limit=CHILDREN, status=status)
            found |= {child.id: child for child in page.items if child.id not in found}
    return list(found.values())[:CHILDREN]


def _counts(reads: Reads, id: str) -> Children | None:
    """How many children stand where; ``None`` if that is not known."""
    try:
        parent = reads.operation(id)
    except Unreadable:
        return None
    return parent.children if parent is not None else None
