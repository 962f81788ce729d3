"""The live view on a terminal: the operation watched with its children, or the table of what runs now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from tracker.cli.screen import FRAME, Screen
from tracker.cli.subjects import Everything, One
from tracker.clock import elapsed, now
from tracker.model import ENDED, LiveEvent, Operation
from tracker.render.operation import render_operation
from tracker.render.overview import fitted, no_answer, overview, rows
from tracker.render.pace import pace_lines
from tracker.render.symbols import Symbols
from tracker.render.transitions import error_lines
from tracker.render.words import cleaned, clock_time

if TYPE_CHECKING:
    from rich.console import RenderableType

SECOND = 1.0
"""Seconds after which a frame is drawn although nothing has changed, for the clocks in it."""


class LiveWriter:
    """Draws a frame when something has changed, and once a second. ``hint`` is a last line for the person watching."""

    def __init__(
        self, screen: Screen, subject: One | Everything, where: str, symbols: Symbols, hint: Callable[[], str]
    ) -> None:
        self._screen = screen
        self._subject = subject
        self._where = where
        self._hint = hint
        self._symbols = symbols
        self._changed = True
        self._drawn = 0.0
        self._stale_since: float | None = None

    def snapshot(self, topic: str) -> None:
        self._changed = True

    def reset(self, reason: str) -> None:
        self._changed = True

    def events(self, events: list[LiveEvent]) -> None:
        self._changed = self._changed or bool(events)

    def refresh(self, stale_since: float | None) -> float:
        """Draw if it is time to; answers after how many seconds to ask again."""
        self._changed = self._changed or stale_since != self._stale_since
        self._stale_since = stale_since
        passed = elapsed() - self._drawn
        if passed >= SECOND or (self._changed and passed >= FRAME):
            self.draw()
            return SECOND
        return FRAME - passed if self._changed else SECOND - passed

    def end(self) -> None:
        """The last frame is drawn by whoever ends the watching, however it ends."""

    def draw(self, *, final: bool = False) -> None:
        """Draw a frame; the final one is not cut and carries no hint."""
        self._changed, self._drawn = False, elapsed()
        self._screen.draw(list(self._frame(final)), whole=final)

    def _frame(self, final: bool) -> Iterable[RenderableType]:
        width, height = self._screen.size()
        if isinstance(self._subject, Everything):
            operations = self._subject.operations()
            stale = None if final or self._stale_since is None else no_answer(self._where, self._stale_since, width)
            return overview(operations, now=now(), width=width, height=height - 1, stale=stale, symbols=self._symbols)
        return self._operation_frame(self._subject, width, height, final)

    def _operation_frame(self, subject: One, width: int, height: int, final: bool) -> list[RenderableType]:
        """The operation, its pace, its children, and what the person watching should know; at the end the failures."""
        operation = subject.operation()
        if operation is None:
            return [fitted(Text(f"waiting for operation {subject.id}"), width)]
        if final:
            picture = render_operation(cleaned(operation), now(), symbols=self._symbols)
            return [picture, *failures(operation, subject.children())]
        below = self._below(operation, width)
        has_children = operation.children.total > 0
        room = height - len(below) - 1 - (min(len(subject.children()), height // 2) if has_children else 0)
        picture = render_operation(cleaned(operation), now(), symbols=self._symbols, height=room)
        if has_children:
            room = max(1, height - len(below) - 1 - self._screen.lines_of(picture))
            below = self._children(subject.children(), width, room) + below
        return [picture, *below]

    def _children(self, children: Sequence[Operation], width: int, height: int) -> list[Text]:
        """Failed ones first, but never so many that those that run are not seen."""
        failed = [child for child in children if child.status in ENDED]
        running = [child for child in children if child.status not in ENDED]
        room = max(min(len(running), height // 2), height - len(failed))
        shown = rows(running, now=now(), width=width, height=room, symbols=self._symbols) if running else []
        failures = rows(failed, now=now(), width=width, height=height - len(shown), symbols=self._symbols)
        return [*failures, *shown]

    def _below(self, operation: Operation, width: int) -> list[Text]:
        lines = [Text(line) for line in pace_lines(operation, now())]
        if self._stale_since is not None:
            lines.append(no_answer(self._where, self._stale_since, width))
        lines.append(Text(self._hint() or f"as of {clock_time(now())}", "dim"))
        return [fitted(line, width) for line in lines]


def failures(operation: Operation, children: Sequence[Operation]) -> list[Text]:
    """The failed children with their errors, whole."""
    failed = [child for child in children if child.status in ENDED]
    return [Text(line, overflow="fold") for line in error_lines(operation, failed)]
