"""Puts the frames of the board together, fitted to the terminal's height."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.text import Text

from tracker.cli.board import frame
from tracker.cli.board.commands import Commands
from tracker.cli.board.frame import Look
from tracker.cli.board.panes import ListPane, OperationPane, Pane
from tracker.cli.board.tree import TreeRow
from tracker.cli.screen import Screen
from tracker.cli.subjects import FAILED
from tracker.clock import now
from tracker.model import ENDED, Operation, StepStatus
from tracker.render.operation import render_operation
from tracker.render.overview import rows
from tracker.render.pieces import Line, fitted
from tracker.render.symbols import STYLES, Symbols
from tracker.render.transitions import error_lines, operation_line
from tracker.render.words import clean, cleaned, clock_time

if TYPE_CHECKING:
    from tracker.cli.watch import View

LOG_LINES = 8
"""Lines of a log beside an operation, if there is room."""

FEWEST = 3
"""Rows of children for which there is always room."""

FRAMED = 14
"""From so many lines of the terminal on a title is framed."""

TELLING = (StepStatus.RUNNING, StepStatus.ERROR, StepStatus.CANCELLED)
"""Steps that are shown where only what is telling is wanted."""


class Drawing:
    """Draws panes on a screen."""

    def __init__(self, screen: Screen, symbols: Symbols, where: str, view: View, commands: Commands) -> None:
        self._screen = screen
        self._symbols = symbols
        self._where = where
        self._view = view
        self._commands = commands

    def _look(self) -> tuple[Look, int]:
        width, height = self._screen.size()
        return Look(now(), width, self._symbols, self._where), height

    def draw(self, pane: Pane) -> None:
        """A frame of what is looked at, with the keys below it."""
        look, height = self._look()
        if self._commands.helps:
            self._screen.draw([*frame.help_lines(look), fitted("any key goes back", look.width, "dim")])
        elif isinstance(pane, ListPane):
            self._screen.draw(self._list(pane, look, height))
        else:
            self._screen.draw(self._operation(pane, look, height))

    def draw_last(self, pane: Pane) -> None:
        """What stays on the screen when it is left."""
        look, height = self._look()
        if isinstance(pane, ListPane):
            head = frame.list_head(pane, look)
            lines = rows(pane.shown(), now=look.now, width=look.width, height=height - 3, symbols=look.symbols)
            self._screen.draw([*head, *lines, frame.summary(pane.shown(), look)], whole=True)
            return
        operation = pane.branch.subject.operation()
        if operation is None:
            self._screen.draw([fitted(f"waiting for operation {pane.id}", look.width)])
            return
        picture = render_operation(cleaned(operation), look.now, symbols=look.symbols)
        self._screen.draw([picture, *failures(operation, pane.branch.subject.children())], whole=True)

    def _list(self, pane: ListPane, look: Look, height: int) -> list[RenderableType]:
        head, foot = frame.list_head(pane, look), self._foot(pane, look)
        return [*head, *self._rows(pane, pane.rows(), height - 1 - len(head) - len(foot), look), *foot]

    def _rows(self, pane: Pane, rows: Sequence[TreeRow], room: int, look: Look) -> list[Line]:
        if not pane.tree.chosen:
            rows = frame.glance(rows, room)
        pane.top = frame.window(rows, pane.top, pane.tree.chosen, room)
        return frame.tree_lines(rows, pane.top, pane.tree.chosen, room, look)

    def _operation(self, pane: OperationPane, look: Look, height: int) -> list[RenderableType]:
        """The operation, its children, its log, its pace, and what the person watching should know."""
        operation = pane.branch.subject.operation()
        if operation is None:
            waiting = fitted(f"waiting for operation {pane.id}", look.width)
            return [waiting, *frame.stale(pane.branch.stale_since, look), *self._foot(pane, look)]
        below = [*frame.operation_notes(pane, operation, look), *self._foot(pane, look)]
        room = height - 1 - len(below)
        log = self._log(pane, room, look)
        children = pane.rows()
        picture = self._picture(operation, room - len(log) - min(len(children), room // 2), height)
        if children and room - len(log) - self._screen.lines_of(picture) < FEWEST:
            picture = self._brief(operation, look)
        room = max(0, room - len(log) - self._screen.lines_of(picture))
        return [picture, *self._rows(pane, children, room, look), *log, *below]

    def _picture(self, operation: Operation, room: int, height: int) -> RenderableType:
        framed = height >= FRAMED and not self._view.compact
        if self._view.compact and operation.status not in ENDED:
            telling = sum(step.status in TELLING for step in operation.steps or ())
            room = min(room, 2 + max(2, telling + 1))
        return render_operation(cleaned(operation), now(), symbols=self._symbols, height=room, framed=framed)

    def _brief(self, operation: Operation, look: Look) -> Line:
        """In one line, where all the rest of the screen is wanted for the children."""
        mark = (f"{self._symbols.mark(operation.status)} ", "")
        return fitted([mark, (operation_line(operation), "bold")], look.width, STYLES[operation.status])

    def _log(self, pane: OperationPane, room: int, look: Look) -> list[Line]:
        if pane.log is None or room < 4:
            return []
        return frame.log_lines(pane.log, min(LOG_LINES, room // 3), look)

    def _foot(self, pane: Pane, look: Look) -> list[Line]:
        """A question, what is typed, what was said, or which keys there are."""
        commands = self._commands
        if commands.question is not None:
            return [fitted(f"{commands.question.text}  y: yes, any other key: no", look.width, "bold")]
        if commands.is_typing and isinstance(pane, ListPane):
            return [fitted(f"/{clean(pane.filter.text)}▏", look.width, "bold")]
        if commands.message:
            return [fitted(clean(commands.message), look.width, "bold")]
        return [fitted(self._words(pane, look), look.width, "dim")]

    def _words(self, pane: Pane, look: Look) -> str:
        if isinstance(pane, OperationPane):
            operation = pane.branch.subject.operation()
            hint = self._view.hint(operation, pane.branch.subject.children())
            if hint or not self._view.keys:
                return hint or f"as of {clock_time(look.now)}"
            act = "r resume" if operation is not None and operation.status in FAILED else "c cancel"
            return f"as of {clock_time(look.now)}   esc back  l log  {act}  ? keys  q quit"
        return "enter open  space unfold  / filter  f narrow  c cancel  ? keys  q quit" if self._view.keys else ""


def failures(operation: Operation, children: list[Operation]) -> list[Text]:
    """The failed children with their errors, whole."""
    failed = [child for child in children if child.status in FAILED]
    return [Text(line, overflow="fold") for line in error_lines(operation, failed)]
