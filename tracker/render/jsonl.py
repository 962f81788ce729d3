"""Operations and events as lines of JSON, for ``--json``: the wire form, one object a line."""

from __future__ import annotations

import msgspec

from tracker.model import LiveEvent, Operation
from tracker.render.words import escaped


def snapshot_line(operation: Operation) -> str:
    """What a watcher holds at its start, and again after a ``reset`` line."""
    return _line({"type": "snapshot", "operation": operation})


def event_line(event: LiveEvent) -> str:
    """One change, carrying the whole operation after it."""
    return _line(event)


def reset_line(reason: str) -> str:
    """Says that events may be missing before this point and that new snapshots follow."""
    return _line({"type": "reset", "reason": reason})


def _line(value: object) -> str:
    return escaped(msgspec.json.encode(value).decode())
