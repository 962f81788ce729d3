"""Operations as rows of which each can be opened: to its steps, and to the operations below it, at any depth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec

from tracker.cli.board.branch import Branch
from tracker.cli.subjects import One
from tracker.model import Operation, StepState, StepStatus

SHOWN = 50
"""Most children that an open row shows; the rest is counted."""


class OperationRow(msgspec.Struct, frozen=True):
    """A row of an operation; ``is_open``: its steps and children stand below it."""

    operation: Operation
    depth: int
    is_open: bool


class StepRow(msgspec.Struct, frozen=True):
    """A row of a step of the operation above it."""

    step: StepState
    operation: Operation
    depth: int


class RestRow(msgspec.Struct, frozen=True):
    """How many are not shown."""

    number: int
    depth: int


TreeRow = OperationRow | StepRow | RestRow

Grow = Callable[[str], Branch[One]]
"""Begins to follow the operation of that id."""


class Tree:
    """What is open below some operations, and which of the rows is chosen."""

    def __init__(self, grow: Grow) -> None:
        self.chosen = ""
        """The id of the operation that keys are about."""
        self._grow = grow
        self._open: dict[str, Branch[One]] = {}
        self._offered: set[str] = set()
        self._place = 0

    def rows(self, operations: Sequence[Operation]) -> list[TreeRow]:
        """The rows of these operations with all that is open below them."""
        if self._open:
            found = [row for operation in operations for row in self._below(operation, 0)]
        else:  # As it mostly is, and there may be many.
            found = [OperationRow(operation, 0, is_open=False) for operation in operations]
        if self.chosen:
            self._choose([row.operation.id for row in found if isinstance(row, OperationRow)])
        return found

    def _below(self, operation: Operation, depth: int) -> Iterator[TreeRow]:
        branch = self._open.get(operation.id)
        yield OperationRow(operation, depth, branch is not None)
        if branch is None:
            return
        whole = branch.subject.operation()
        for step in (whole.steps if whole is not None else None) or ():
            if step.status is not StepStatus.PENDING:
                yield StepRow(step, operation, depth + 1)
        children = branch.subject.children()
        for child in children[:SHOWN]:
            yield from self._below(child, depth + 1)
        if len(children) > SHOWN:
            yield RestRow(len(children) - SHOWN, depth + 1)

    def _choose(self, ids: Sequence[str]) -> None:
        """Keep the choice on its operation; when that has gone, on the place where it was."""
        if self.chosen in ids:
            self._place = ids.index(self.chosen)
        else:
            self._place = max(0, min(self._place, len(ids) - 1))
            self.chosen = ids[self._place] if ids else ""

    def move(self, ids: Sequence[str], by: int) -> None:
        """Choose another of the operations in sight; the first move chooses one of the ends."""
        if not ids:
            return
        if self.chosen not in ids:
            self._place = 0 if by > 0 else len(ids) - 1
        else:
            self._place = max(0, min(len(ids) - 1, ids.index(self.chosen) + by))
        self.chosen = ids[self._place]

    def is_open(self, id: str) -> bool:
        """Whether what is below an operation is shown."""
        return id in self._open

    def open(self, id: str) -> None:
        """Show what is below an operation."""
        if id not in self._open:
            self._open[id] = self._grow(id)

    def offer(self, ids: Sequence[str]) -> None:
        """Open these of themselves, each once: what somebody has shut stays so."""
        for id in ids:
            if id not in self._offered:
                self._offered.add(id)
                self.open(id)

    def shut(self, id: str) -> None:
        """Show it no longer."""
        branch = self._open.pop(id, None)
        if branch is None:
            return
        for child in branch.subject.children():
            self.shut(child.id)
        branch.close()

    def close(self) -> None:
        """Follow nothing any more."""
        for id in list(self._open):
            self.shut(id)
