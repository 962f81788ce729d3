"""What each key does on the board."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from tracker.cli.board.errands import Errands
from tracker.cli.board.panes import EVERYTHING, ListPane, OperationPane, Pane, chosen, ids_of
from tracker.model import ENDED, Operation, Status
from tracker.render.transitions import title_of

if TYPE_CHECKING:
    from tracker.cli.source import Source

FAR = 1_000_000
"""More rows than there are."""


class Question(NamedTuple):
    """Something to be answered with y before it is done; ``work`` gives the sentence to say afterwards."""

    text: str
    work: Callable[[], str]


class Commands:
    """Turns keys into what happens to a pane; ``open`` looks at an operation of its own.

    ``message`` is what was said last; ``typing`` that a filter is being typed; ``helps`` that the keys are shown.
    """

    def __init__(self, source: Source, errands: Errands, open: Callable[[str], None]) -> None:
        self.is_left = False
        self.message = ""
        self.question: Question | None = None
        self.is_typing = False
        self.helps = False
        self._source = source
        self._errands = errands
        self._open = open

    def say(self, words: str) -> None:
        """Show a sentence until the next key."""
        self.message = words

    def press(self, key: str, pane: Pane, height: int) -> bool:
        """Do what a key stands for; ``True`` if it means to leave the pane."""
        self.message = ""
        if self.question is not None:
            self._answer(key)
        elif self.is_typing and isinstance(pane, ListPane):
            self._type(key, pane)
        elif self.helps:
            self.helps = False
        else:
            return self._command(key, pane, height)
        return False

    def _command(self, key: str, pane: Pane, height: int) -> bool:
        moves = {"up": -1, "k": -1, "down": 1, "j": 1, "page up": -height // 2, "page down": height // 2}
        moves |= {"home": -FAR, "g": -FAR, "end": FAR, "G": FAR}
        if key in moves:
            pane.tree.move(ids_of(pane.rows()), moves[key])
        elif key == "q":
            self.is_left = True
        elif key in ("escape", "left", "h", "backspace"):
            return self._shut_or_leave(key, pane)
        elif key in ("enter", "right"):
            self._enter(key, pane)
        else:
            self._act(key, pane)
        return False

    def _shut_or_leave(self, key: str, pane: Pane) -> bool:
        if key in ("left", "h") and pane.tree.is_open(pane.tree.chosen):
            pane.tree.shut(pane.tree.chosen)
            return False
        if key == "escape" and isinstance(pane, ListPane) and pane.filter != EVERYTHING:
            pane.filter = EVERYTHING
            return False
        return key == "escape" or isinstance(pane, OperationPane)

    def _enter(self, key: str, pane: Pane) -> None:
        if not pane.tree.chosen:
            pane.tree.move(ids_of(pane.rows()), 1)
        elif key == "right":
            pane.tree.open(pane.tree.chosen)
        else:
            self._open(pane.tree.chosen)

    def _act(self, key: str, pane: Pane) -> None:
        if key == "?":
            self.helps = True
        elif key == " ":
            self._fold(pane)
        elif key == "/" and isinstance(pane, ListPane):
            self.is_typing = True
        elif key == "f" and isinstance(pane, ListPane):
            pane.filter = pane.filter.next()
        elif key == "l":
            self._show_log(pane)
        elif key in ("c", "r"):
            self._ask(key, pane)

    def _fold(self, pane: Pane) -> None:
        id = pane.tree.chosen
        if not id:
            self.say("choose a row first, with the arrow keys")
        elif pane.tree.is_open(id):
            pane.tree.shut(id)
        else:
            pane.tree.open(id)

    def _show_log(self, pane: Pane) -> None:
        if isinstance(pane, OperationPane):
            pane.turn_log()
        else:
            self.say("open an operation first, with enter")

    def _type(self, key: str, pane: ListPane) -> None:
        text = pane.filter.text
        if key in ("enter", "escape"):
            self.is_typing = False
            text = text if key == "enter" else ""
        elif key == "backspace":
            text = text[:-1]
        elif len(key) == 1 and key.isprintable():
            text += key
        pane.filter = pane.filter._replace(text=text)

    def _ask(self, key: str, pane: Pane) -> None:
        operation = chosen(pane)
        if operation is None:
            self.say("choose a row first, with the arrow keys")
        elif (operation.status in ENDED) == (key == "c"):
            self.say(f"{title_of(operation)} has ended" if key == "c" else f"{title_of(operation)} has not ended")
        else:
            self.question = self._cancelling(operation) if key == "c" else self._resuming(operation)

    def _cancelling(self, operation: Operation) -> Question:
        below = operation.children.queued + operation.children.running
        more = f" with {below} open below it" if below else ""

        def cancel() -> str:
            self._source.cancel(operation.id)
            waits = operation.status is Status.QUEUED
            return f"cancelled {title_of(operation)}" if waits else f"asked {title_of(operation)} to end"

        return Question(f"cancel {title_of(operation)}{more}?", cancel)

    def _resuming(self, operation: Operation) -> Question:
        def resume() -> str:
            return f"queued again: {self._source.resume(operation.id).summary}"

        return Question(f"resume {title_of(operation)}?", resume)

    def _answer(self, key: str) -> None:
        asked, self.question = self.question, None
        if asked is not None and key in ("y", "Y"):
            self.say("…")
            self._errands.run(asked.work, self.say)
        else:
            self.say("nothing was done")
