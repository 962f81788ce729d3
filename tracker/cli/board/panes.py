"""What the board shows: the list of what runs now, or one operation; their state, and what keys do to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tracker.cli.board.branch import Branch
from tracker.cli.board.tree import Grow, OperationRow, Tree, TreeRow
from tracker.cli.subjects import FAILED, Everything, One
from tracker.model import LiveEvent, LogLine, Operation, Status

LINES = 200
"""Log lines that are held."""

FEW = 4
"""So many children are opened of themselves."""

NARROWINGS: tuple[tuple[str, frozenset[Status]], ...] = (
    ("", frozenset(Status)),
    ("failed", frozenset(FAILED)),
    ("running", frozenset({Status.RUNNING})),
    ("queued", frozenset({Status.QUEUED})),
    ("complete", frozenset({Status.COMPLETE})),
)
"""What one can narrow the list to, by its name."""


class Filter(NamedTuple):
    """Which operations of a list are shown."""

    text: str = ""
    statuses: frozenset[Status] = frozenset(Status)
    words: str = ""
    """The statuses, as people are told of them."""

    def fits(self, operation: Operation) -> bool:
        """Whether an operation is one of those."""
        if operation.status not in self.statuses:
            return False
        wanted = self.text.casefold()
        worker = operation.worker.host if operation.worker is not None else ""
        texts = (operation.id, operation.name, operation.title, operation.status, worker)
        return not wanted or any(wanted in text.casefold() for text in texts)

    def next(self) -> Filter:
        """The next narrowing by status."""
        names = [name for name, _ in NARROWINGS]
        place = names.index(self.words) + 1 if self.words in names else 0
        words, statuses = NARROWINGS[place % len(NARROWINGS)]
        return self._replace(words=words, statuses=statuses)


EVERYTHING = Filter()
"""Lets all through."""


class ListPane:
    """What runs now, the failed ones first."""

    def __init__(self, branch: Branch[Everything], grow: Grow) -> None:
        self.branch = branch
        self.tree = Tree(grow)
        self.filter = EVERYTHING
        self.top = 0
        """The first row in sight."""

    def shown(self) -> list[Operation]:
        """The operations that the filter lets through."""
        operations = self.branch.subject.operations()
        return operations if self.filter == EVERYTHING else [one for one in operations if self.filter.fits(one)]

    def rows(self) -> list[TreeRow]:
        """The rows of these, with what is open below them."""
        return self.tree.rows(self.shown())

    def close(self) -> None:
        """Follow nothing any more."""
        self.tree.close()
        self.branch.close()


class OperationPane:
    """One operation with its steps, its children, and if wanted what it logs; ``read`` begins to read its log."""

    def __init__(self, branch: Branch[One], grow: Grow, read: Callable[[OperationPane], None]) -> None:
        self.branch = branch
        self.tree = Tree(grow)
        self.log: list[LogLine] | None = None
        """The last lines, ``None`` while they are not wanted."""
        self.top = 0
        self._read = read

    @property
    def id(self) -> str:
        return self.branch.subject.id or ""

    def rows(self) -> list[TreeRow]:
        """The rows of its children."""
        return self.tree.rows(self.branch.subject.children())

    def unfold(self) -> None:
        """Open the children, if they are so few that they fit."""
        children = self.branch.subject.children()
        if len(children) <= FEW:
            self.tree.offer([child.id for child in children])

    def turn_log(self) -> None:
        """Show the log, or show it no longer."""
        if self.log is not None:
            self.log = None
            return
        self.log = []
        self._read(self)

    def hear(self, events: Sequence[LiveEvent]) -> None:
        """Add the lines among the events; a hole in their numbers means that some were left out on the way."""
        if self.log is None:
            return
        for event in events:
            if event.log is not None and event.operation.id == self.id:
                line = event.log if event.log.attempt else _of_attempt(event.log, event.operation.attempt)
                if self.log and (line.attempt, line.number) > (self.log[-1].attempt, self.log[-1].number + 1):
                    self._read(self)
                self.take([line])

    def take(self, lines: Sequence[LogLine]) -> None:
        """Add lines to those that are held, each once."""
        if self.log is not None:
            found = {(line.attempt, line.number): line for line in (*self.log, *lines)}
            self.log = [found[place] for place in sorted(found)][-LINES:]

    def close(self) -> None:
        """Follow nothing any more."""
        self.tree.close()
        self.branch.close()


Pane = ListPane | OperationPane


def ids_of(rows: Sequence[TreeRow]) -> list[str]:
    """The operations among rows, in their order."""
    return [row.operation.id for row in rows if isinstance(row, OperationRow)]


def chosen(pane: Pane) -> Operation | None:
    """The operation that keys are about: the chosen row's, else that of the pane."""
    for row in pane.rows():
        if isinstance(row, OperationRow) and row.operation.id == pane.tree.chosen:
            return row.operation
    return pane.branch.subject.operation() if isinstance(pane, OperationPane) else None


def _of_attempt(line: LogLine, attempt: int) -> LogLine:
    from msgspec.structs import replace

    return replace(line, attempt=attempt)
