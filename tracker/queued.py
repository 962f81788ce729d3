"""What is said of an operation as it is queued: what follows a batch, and what a new attempt is expected to do."""

from __future__ import annotations

from typing import Any

import msgspec

from tracker.model import Operation, Value


class OnComplete(msgspec.Struct, forbid_unknown_fields=True):
    """The job to queue once a batch has ended; it gets the batch's id as ``batch``, if it takes such an argument."""

    job: str
    args: dict[str, Any] = {}


class Expected(Value, frozen=True, omit_defaults=False):
    """What a new attempt will do, by what is kept now; what is really reused is found out as it runs.

    ``step`` is the index of the first step that runs (0: not known) and ``reused`` how many others are not run; of a
    batch, ``children`` is how many run again. ``summary`` says so in words.
    """

    summary: str
    step: int = 0
    name: str = ""
    reused: int = 0
    children: int = 0


class Resumed(Operation):
    """An operation that was queued again, and what the new attempt is expected to do."""

    expected: Expected | None = None


def told(operation: Operation, expected: Expected | None) -> Operation:
    """``operation`` with what is expected of it, if that is known."""
    if expected is None:
        return operation
    fields = {name: getattr(operation, name) for name in operation.__struct_fields__}
    return Resumed(**fields, expected=expected)
