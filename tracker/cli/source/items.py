"""What a source tells of what it follows: the messages of the live protocol, whichever way they come."""

from __future__ import annotations

import msgspec

from tracker.model import LiveEvent, Operation

Version = tuple[int, int]
"""``rev``, and the version of the children's counts: what is larger is newer."""

NOTHING: Version = (-1, -1)
"""Older than everything."""


def version(operation: Operation) -> Version:
    """How new this is of an operation."""
    return operation.rev, operation.children.version


class Snapshot(msgspec.Struct, frozen=True, tag="snapshot"):
    """The whole truth about a topic; contains everything up to ``cursor``, and may contain later changes."""

    topic: str
    cursor: str
    operations: list[Operation]
    told: bool = False
    """Whether all that is in it has been told before, to whoever goes on from there."""


class Events(msgspec.Struct, frozen=True, tag="events"):
    """Changes, in the order of each operation's ``rev``."""

    topic: str
    cursor: str
    events: list[LiveEvent]


class Reset(msgspec.Struct, frozen=True, tag="reset"):
    """Continuity is lost: something may be missing before the snapshots that follow."""

    reason: str
    topic: str = ""


class Tick(msgspec.Struct, frozen=True, tag="tick"):
    """Nothing has happened; ``stale`` if nothing would be heard of it either, for want of an answer."""

    stale: bool = False


Item = Snapshot | Events | Reset | Tick
