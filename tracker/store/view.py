"""A view of some operations, kept up to date: folds changes into parts and tells what is new."""

from __future__ import annotations

from collections.abc import Callable

from tracker.clock import now
from tracker.compose import apply, compose, moved, of_steps
from tracker.errors import Unreadable
from tracker.model import Children, Event, EventType, LiveEvent, Operation, Parts
from tracker.store.follow import Change


class View:
    """The parts of the operations somebody looks at.

    ``put`` what a snapshot gave, then ``apply`` every change: what is older than the snapshot is
    recognised by its ``rev``, and an operation with a hole is read again with ``load``.
    """

    def __init__(self, load: Callable[[str], Parts | None]) -> None:
        self.parts: dict[str, Parts] = {}
        self._load = load
        self._shown: dict[str, tuple[Parts, Operation]] = {}
        """What was told of each last, and of which parts."""

    def put(self, parts: Parts) -> None:
        """Hold an operation as a snapshot gave it, unless what is held is newer."""
        held = self.parts.get(parts.id)
        if held is None or parts.rev >= held.rev:
            self.parts[parts.id] = parts

    def drop(self, id: str) -> None:
        """Look at an operation no longer."""
        self.parts.pop(id, None)
        self._shown.pop(id, None)

    def clear(self) -> None:
        """Look at nothing any more."""
        self.parts.clear()
        self._shown.clear()

    def apply(self, change: Change) -> list[LiveEvent]:
        """Fold a change; what comes back is only what was not known yet, in order.

        A child's change also tells of its parent, if that is held and its counts moved.
        """
        return _at(change.cursor, self._apply_to_operation(change)) + self.apply_counts(change)

    def apply_counts(self, change: Change) -> list[LiveEvent]:
        """Fold only what a child's change says of its parent: for those who do not look at the child."""
        parent = self.parts.get(change.parent)
        if parent is None or change.children is None or not _newer(change.children, parent.children):
            return []
        parent.children = change.children
        news = LiveEvent(EventType.OPERATION_UPDATE, _when(change), self._composed(parent))
        return _at(change.cursor, [news])

    def _apply_to_operation(self, change: Change) -> list[LiveEvent]:
        held = self.parts.get(change.operation)
        if not (change.events or change.hole):  # What it told was erased.
            return []
        if held is not None and change.rev <= held.rev and not change.hole:
            return []
        if change.fresh:
            held = _before(change)  # Whatever was held is of a history that is over.
        if change.hole or held is None or change.first_rev > held.rev + 1:
            return self._reload(change, self.parts.get(change.operation))
        return self._fold(held, change)

    def _fold(self, parts: Parts, change: Change) -> list[LiveEvent]:
        """Apply the events of a change, of which the first follows on what the parts tell, or is known already."""
        self.parts[change.operation] = parts
        news: list[LiveEvent] = []
        for rev, event in enumerate(change.events, change.first_rev):
            if apply(parts, event, rev, change.attempt):
                operation = self._composed(parts, event)
                if event.run and event.run != operation.run:
                    # Of an older run: its steps are not those that the operation shows.
                    news.append(LiveEvent(EventType.OPERATION_UPDATE, event.ts, operation))
                    continue
                news.append(LiveEvent(event.type, event.ts, operation, event.step, log=event.log))
                news += [LiveEvent(EventType.OPERATION_UPDATE, event.ts, operation, step) for step in event.pending]
        return news

    def _composed(self, parts: Parts, event: Event | None = None) -> Operation:
        """The operation as ``parts`` are now, after an ``event`` of which nothing has been told yet."""
        held, shown = self._shown.get(parts.id, (None, None))
        if event is not None and shown is not None and held is parts and of_steps(event):
            operation = moved(shown, parts)
        else:
            operation = compose(parts, steps=False)
        self._shown[parts.id] = parts, operation
        return operation

    def _reload(self, change: Change, held: Parts | None) -> list[LiveEvent]:
        """Read the operation again; its steps come as one event each, so that nothing stays unsaid.

        Log lines are not among what is read: those of the change are told as they came.
        """
        try:
            parts = self._load(change.operation)
        except Unreadable:
            return []  # Others go on; whoever asks for this one learns why.
        if parts is None:
            # It has left since. A run that begins here tells all of itself, and nobody else will tell of it.
            return self._fold(_before(change), change) if _begins(change) else []
        if held is not None and not _is_news(parts, held):
            return []
        self.parts[change.operation] = parts
        operation = self._composed(parts)
        steps = [parts.steps[index] for index in sorted(parts.steps)]
        lines = [event for event in change.events if event.log is not None and event.run == operation.run]
        news = [LiveEvent(EventType.STEP_PROGRESS, _when(change), operation, step) for step in steps]
        news += [LiveEvent(event.type, event.ts, operation, event.step, log=event.log) for event in lines]
        return [*news, LiveEvent(EventType.OPERATION_UPDATE, _when(change), operation)]


def _at(cursor: str, news: list[LiveEvent]) -> list[LiveEvent]:
    for event in news:
        event.cursor = cursor
    return news


def _before(change: Change) -> Parts:
    """An operation of which nothing is known, as of the moment before a change."""
    return Parts(change.operation, rev=change.first_rev - 1)


def _begins(change: Change) -> bool:
    """Whether a run begins with it, so that what came before need not be known."""
    return bool(change.events) and change.events[0].type == EventType.OPERATION_START


def _is_news(parts: Parts, held: Parts) -> bool:
    """What the store holds now may also be older: then its history is another one than what is held."""
    return parts.rev != held.rev or _newer(parts.children, held.children)


def _newer(children: Children, held: Children) -> bool:
    return children.version > held.version


def _when(change: Change) -> float:
    events: list[Event] = change.events
    return events[-1].ts if events else now()
