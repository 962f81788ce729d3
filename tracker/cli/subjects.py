"""What a watcher looks at: one operation with its children, or everything that runs now.

Holds state and folds in what a source tells; draws and prints nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Protocol

from msgspec.structs import replace

from tracker.cli.source.items import NOTHING, Events, Snapshot, Version, version
from tracker.clock import elapsed, now
from tracker.history.topics import CHILDREN
from tracker.model import ENDED, Children, LiveEvent, Operation, Status, StepState

RECENT = 300.0
"""How long an ended operation stays among what runs now, in seconds."""

FEW = 50
"""Up to so many children are all held."""

EVERY = frozenset(Status)

FAILED = (Status.ERROR, Status.LOST, Status.CANCELLED)

ORDER = {status: place for place, status in enumerate((*FAILED, Status.RUNNING, Status.QUEUED, Status.COMPLETE))}


class Subject(Protocol):
    """What ``tracker.cli.watching`` follows."""

    id: str | None

    def begin(self, snapshot: Snapshot) -> None:
        """Take a snapshot of one of the topics; what was held of it is forgotten."""

    def apply(self, events: Events) -> list[LiveEvent]:
        """Fold changes in; what comes back is what was not known yet."""

    def of_topic(self, topic: str) -> list[Operation]:
        """What is held of a topic."""

    def is_over(self) -> bool:
        """Whether it has ended."""

    def is_settled(self) -> bool:
        """Of what is over, whether all is known that belongs to it."""


class Held:
    """Operations by id, each as new as it was told."""

    def __init__(self) -> None:
        self.operations: dict[str, Operation] = {}

    def begin(self, operations: Iterable[Operation]) -> None:
        """Hold these and no others."""
        self.operations = {operation.id: operation for operation in operations}

    def apply(self, events: Iterable[LiveEvent]) -> list[LiveEvent]:
        """Take what is newer than what is held.

        Events of one message may tell of the same change, so they are compared with what was held before it.
        """
        before: dict[str, Version] = {}
        news = []
        for event in events:
            operation, held = event.operation, self.operations.get(event.operation.id)
            known = before.setdefault(operation.id, version(held) if held is not None else NOTHING)
            if version(operation) > known:
                self.operations[operation.id] = operation
                news.append(event)
        return news

    def drop(self, id: str) -> None:
        """Look at an operation no longer."""
        self.operations.pop(id, None)


class One:
    """One operation and its children.

    Of many children, those are held that run or have failed, which is what people look at. With ``rest``, which reads
    all there are, they all are, for a machine's eyes.
    """

    def __init__(self, id: str, rest: Callable[[], Iterable[Operation]] | None = None) -> None:
        self.id: str | None = id
        self._id = id
        self._rest = rest
        self._held = Held()
        self._children = Held()
        self._steps: dict[int, StepState] = {}

    def begin(self, snapshot: Snapshot) -> None:
        if snapshot.topic == f"operation:{self._id}":
            self._held.begin(snapshot.operations)
            held = self._own()
            self._steps = {step.index: step for step in (held.steps if held else None) or ()}
            return
        self._children.begin(snapshot.operations)
        if self._rest is not None and snapshot.operations and not snapshot.told:
            for child in self._rest():
                self._children.operations.setdefault(child.id, child)
        self._let_go()

    def apply(self, events: Events) -> list[LiveEvent]:
        if events.topic != f"operation:{self._id}":
            news = self._children.apply(events.events)
            self._let_go()
            return news
        run = self._run()
        news = self._held.apply(events.events)
        for event in news:
            if event.operation.run != run:
                run, self._steps = event.operation.run, {}
            if event.step is not None:
                self._steps[event.step.index] = event.step
        return news

    def _own(self) -> Operation | None:
        return self._held.operations.get(self._id)

    def _run(self) -> str:
        held = self._own()
        return held.run if held is not None else ""

    def _let_go(self) -> None:
        """Of what people do not look at."""
        if self._are_many():
            for child in list(self._children.operations.values()):
                if child.status in (Status.QUEUED, Status.COMPLETE):
                    self._children.drop(child.id)

    def _are_many(self) -> bool:
        held = self._own()
        return self._rest is None and held is not None and held.children.total > FEW

    def operation(self) -> Operation | None:
        """The operation as it is known now, with its steps."""
        held = self._own()
        return replace(held, steps=[self._steps[index] for index in sorted(self._steps)]) if held is not None else None

    def children(self) -> list[Operation]:
        """The children held: of many, failed ones first, then those that run; few in the order they were made."""
        held = self._children.operations.values()
        return listed(held) if self._are_many() or self._rest else sorted(held, key=lambda child: child.created)

    def of_topic(self, topic: str) -> list[Operation]:
        operation = self.operation()
        if topic.startswith("children:"):
            return self.children()
        return [operation] if operation is not None else []

    def is_over(self) -> bool:
        held = self._own()
        return held is not None and held.status in ENDED

    def is_settled(self) -> bool:
        held = self._own()
        counts = held.children if held is not None else Children()
        wanted = counts.ended if self._rest is not None else min(counts.failed, CHILDREN)
        return sum(child.status in ENDED for child in self._children.operations.values()) >= wanted


class Everything:
    """The top-level operations that are queued, run, or ended in the last minutes; their children only as counts.

    With ``statuses``, only those in one of them are told of; of one that leaves them, the change by which it does.
    """

    def __init__(self, statuses: Iterable[str] = ()) -> None:
        self.id: str | None = None
        self._statuses = frozenset(statuses) or EVERY
        self._held = Held()
        self._forgotten = 0.0

    def begin(self, snapshot: Snapshot) -> None:
        self._held.begin(snapshot.operations)

    def apply(self, events: Events) -> list[LiveEvent]:
        if elapsed() - self._forgotten > 1.0:
            self._forget()
        if self._statuses == EVERY:
            return self._held.apply(events.events)
        before = {event.operation.id for event in events.events if self._is_told(event.operation.id)}
        news = self._held.apply(events.events)
        return [event for event in news if event.operation.id in before or event.operation.status in self._statuses]

    def _is_told(self, id: str) -> bool:
        held = self._held.operations.get(id)
        return held is not None and held.status in self._statuses

    def _forget(self) -> None:
        """Let go of what ended more than some minutes ago."""
        self._forgotten = elapsed()
        since = now() - RECENT
        for operation in list(self._held.operations.values()):
            if operation.status in ENDED and (operation.ended or 0.0) < since:
                self._held.drop(operation.id)

    def operations(self) -> list[Operation]:
        """What runs now, the most important first."""
        self._forget()
        return listed(one for one in self._held.operations.values() if one.status in self._statuses)

    def counts(self) -> Counter[Status]:
        """How many of these stand where."""
        return Counter(one.status for one in self._held.operations.values() if one.status in self._statuses)

    def of_topic(self, topic: str) -> list[Operation]:
        return self.operations()

    def is_over(self) -> bool:
        return False

    def is_settled(self) -> bool:
        return True


def listed(operations: Iterable[Operation]) -> list[Operation]:
    """Failures first, then what runs, what waits, what is complete; the newest first in each."""
    return sorted(operations, key=lambda operation: (ORDER[operation.status], -(operation.ended or operation.created)))
