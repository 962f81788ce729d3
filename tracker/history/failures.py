"""Why children of an operation have failed: grouped by what went wrong, so that one cause is one line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

import msgspec

from tracker.compose import compose
from tracker.history.batches import all_children
from tracker.history.reads import Reads
from tracker.model import Operation, Parts, Status

LOOKED_AT = 2_000
"""Most failed children that are looked at."""

GROUPS = 50
"""Most groups that are told."""

EXAMPLES = 3

VARYING = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b(?=[a-f]*\d)[0-9a-f]{8,}\b|\d+", re.IGNORECASE)
"""What differs between messages about the same thing: ids and numbers."""


class FailureGroup(msgspec.Struct):
    """Children that failed alike: ``count`` of those looked at, and the ids of the first.

    ``step`` is the name of the step they were at, empty for none. What differs within ``message`` is told as ``…``.
    """

    type: str
    message: str
    step: str
    count: int = 0
    examples: list[str] = []


class Failures(msgspec.Struct):
    """At most 50 groups, most frequent first, made from the first 2,000 failed children or fewer, ``looked_at``."""

    items: list[FailureGroup]
    looked_at: int
    next: str | None = None


def failures_of(reads: Reads, id: str) -> Failures:
    """Why the children of an operation have failed or were lost."""
    groups: dict[tuple[str, str, str], FailureGroup] = {}
    looked_at = 0
    for child in islice(_failed(reads, id), LOOKED_AT):
        looked_at += 1
        _count(groups, compose(child, steps=False))
    ordered = sorted(groups.values(), key=lambda group: -group.count)
    return Failures(ordered[:GROUPS], looked_at)


def _failed(reads: Reads, id: str) -> Iterator[Parts]:
    for status in (Status.ERROR, Status.LOST):
        yield from all_children(reads, id, status)


def _count(groups: dict[tuple[str, str, str], FailureGroup], child: Operation) -> None:
    step = child.step.name if child.step is not None else ""
    type, message = (child.error.type, child.error.message) if child.error is not None else (str(child.status), "")
    alike = VARYING.sub("…", message)
    group = groups.setdefault((type, step, alike), FailureGroup(type, message, step))
    if group.message != message:
        group.message = alike
    group.count += 1
    if len(group.examples) < EXAMPLES:
        group.examples.append(child.id)
