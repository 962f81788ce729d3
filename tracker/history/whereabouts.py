"""Where everything is now: how many running operations of each name stand at which step, those in batches included."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

import msgspec

from tracker.compose import compose
from tracker.model import Operation, Status, Value
from tracker.store import Store

LOOKED_AT = 2_000
"""Runs that are looked at; as many are executed at the same time only by very many processes."""

FIRST = 0
"""The place of an operation before its first step."""


class Place(Value, frozen=True, omit_defaults=False):
    """A step, and how many operations stand at it; ``since`` is when the first of these was started, in UTC seconds."""

    index: int
    name: str
    count: int
    since: float


class Whereabouts(Value, frozen=True, omit_defaults=False):
    """The running operations of a name, by the step they are at; ``below`` is the one that all of them are below."""

    name: str
    running: int
    below: str
    places: list[Place]


class Everywhere(Value, frozen=True, omit_defaults=False):
    """All names in alphabetical order; with ``more`` some of what runs was not looked at."""

    items: list[Whereabouts]
    more: bool


class Survey(msgspec.Struct, frozen=True):
    """Operations that were running at one moment; with ``more`` some of what ran was not looked at."""

    operations: list[Operation]
    more: bool

    def everywhere(self, below: str | None = None) -> Everywhere:
        """Where all of them are, or those directly below one operation."""
        by_name: dict[str, list[Operation]] = {}
        for operation in self.operations:
            if below in (None, operation.parent):
                by_name.setdefault(operation.name, []).append(operation)
        return Everywhere([_whereabouts(name, by_name[name]) for name in sorted(by_name)], self.more)


def survey(store: Store) -> Survey:
    """Read what runs now; raises ``StoreUnavailable``."""
    live = list(islice(store.live_runs(), LOOKED_AT + 1))
    ids = list(dict.fromkeys(run.operation for run in live[:LOOKED_AT]))
    shown = (compose(parts, steps=False) for parts in store.heads(ids) if parts is not None)
    # A batch does no work itself: it only sends its children.
    at_work = [operation for operation in shown if operation.status is Status.RUNNING and not operation.batch]
    return Survey(at_work, len(live) > LOOKED_AT)


def _whereabouts(name: str, operations: list[Operation]) -> Whereabouts:
    parents = {operation.parent for operation in operations}
    return Whereabouts(name, len(operations), parents.pop() if len(parents) == 1 else "", _places(operations))


def _places(operations: Iterable[Operation]) -> list[Place]:
    """In the order of the steps; those of one index nearly always have one name."""
    counted: dict[tuple[int, str], tuple[int, float]] = {}
    for operation in operations:
        place = (operation.step.index, operation.step.name) if operation.step else (FIRST, "")
        begun = operation.started if operation.started is not None else operation.created
        count, since = counted.get(place, (0, begun))
        counted[place] = count + 1, min(since, begun)
    return [Place(*place, *counted[place]) for place in sorted(counted)]
