"""The loop of the board: hears what is followed and which keys are pressed, and draws when something has changed."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

from tracker.cli.board.branch import Branch, S, Told
from tracker.cli.board.commands import Commands
from tracker.cli.board.drawing import Drawing
from tracker.cli.board.errands import Done, Errands
from tracker.cli.board.keys import Keyboard
from tracker.cli.board.panes import ListPane, OperationPane, Pane
from tracker.cli.feed import LIMIT, Inbox
from tracker.cli.screen import FRAME, Screen
from tracker.cli.source.resuming import followed
from tracker.cli.subjects import Everything, One
from tracker.cli.watching import LONGEST_WAIT, Ending, check_time
from tracker.clock import elapsed

if TYPE_CHECKING:
    from tracker.cli.source import Source
    from tracker.cli.watch import View
    from tracker.render.symbols import Symbols

SECOND = 1.0
"""Seconds after which a frame is drawn although nothing has changed, for the clocks in it."""


class Session:
    """Shows a subject on ``screen`` until it is over, or somebody quits; ``view`` says how."""

    def __init__(self, source: Source, screen: Screen, symbols: Symbols, subject: One | Everything, view: View) -> None:
        self._source = source
        self._view = view
        self._inbox = Inbox[Told | str | Done]()
        self._stop = threading.Event()
        self._panes: list[Pane] = []
        self._errands = Errands(self._tell)
        self._commands = Commands(source, self._errands, self.open)
        self._drawing = Drawing(screen, symbols, source.where, view, self._commands)
        self._changed, self._drawn = True, 0.0
        screen.resumed = self._wake
        self._screen = screen
        self._begin(subject)

    @property
    def pane(self) -> Pane:
        """What is looked at now."""
        return self._panes[-1]

    @property
    def root(self) -> Pane:
        """What was asked for."""
        return self._panes[0]

    def _begin(self, subject: One | Everything) -> None:
        if isinstance(subject, Everything):
            self._panes.append(ListPane(self._branch(subject), self._grow))
            return
        pane = OperationPane(self._branch(subject), self._grow, self._read_log)
        self._panes.append(pane)
        if self._view.logs:
            pane.turn_log()

    def open(self, id: str) -> None:
        """Look at an operation."""
        self._panes.append(OperationPane(self._grow(id), self._grow, self._read_log))

    def _grow(self, id: str) -> Branch[One]:
        return self._branch(One(id))

    def _branch(self, subject: S) -> Branch[S]:
        return Branch(subject, partial(followed, self._source, subject.id), self._hand)

    def _read_log(self, pane: OperationPane) -> None:
        self._errands.read(pane, self._source.logs, self._commands.say)

    def _hand(self, told: Told, stop: threading.Event) -> None:
        self._inbox.put(told, stop)

    def _tell(self, done: Done) -> None:
        self._inbox.put(done, self._stop)

    def _wake(self) -> None:
        """Draw anew: the terminal is ours again."""
        self._changed = True

    def run(self) -> None:
        """Return when it is over or left; raises ``TimedOut``, and what ended the following."""
        deadline = elapsed() + self._view.timeout if self._view.timeout is not None else None
        ending = Ending(self.root.branch.subject)
        try:
            if not self._view.keys:
                self._loop(deadline, ending)
                return
            with Keyboard(lambda key: self._inbox.put(key, self._stop)):
                self._loop(deadline, ending)
        finally:
            self._stop.set()
            for pane in self._panes:
                pane.close()

    def _loop(self, deadline: float | None, ending: Ending) -> None:
        while not self._commands.is_left and not (len(self._panes) == 1 and ending.is_reached()):
            self._view.check()
            check_time(deadline, self._view.timeout)
            self._listen()
            if self._is_due():
                self.draw()

    def _listen(self) -> None:
        """Take what has come; all that comes before the next frame may be drawn is taken then, which is cheaper."""
        if self._changed:
            self._stop.wait(self._pause())
        elif (heard := self._inbox.next(self._pause())) is not None:
            self._take(heard)
        for _ in range(LIMIT):
            if (heard := self._inbox.next(0.0)) is None:
                return
            self._take(heard)

    def _take(self, heard: Told | str | Done) -> None:
        if isinstance(heard, str):
            self._press(heard)
        elif isinstance(heard, Told):
            self._hear(heard)
        else:
            heard()
            self._changed = True

    def _press(self, key: str) -> None:
        self._changed = True
        if self._commands.press(key, self.pane, self._screen.size()[1]) and not self._back():
            self._commands.is_left = True

    def _back(self) -> bool:
        """Look at what was looked at before; ``False`` if that was nothing."""
        if len(self._panes) == 1:
            return False
        self._panes.pop().close()
        return True

    def _hear(self, told: Told) -> None:
        news = told.branch.take(told.item)
        if news is None:
            return
        self._changed = True
        for pane in self._panes:
            if isinstance(pane, OperationPane) and pane.branch is told.branch:
                pane.hear(news)
                if not self._view.compact:
                    pane.unfold()

    def _is_due(self) -> bool:
        passed = elapsed() - self._drawn
        self._changed = self._changed or self._screen.is_resized()
        return passed >= SECOND or (self._changed and passed >= FRAME)

    def _pause(self) -> float:
        left = (FRAME if self._changed else SECOND) - (elapsed() - self._drawn)
        return max(0.0, min(LONGEST_WAIT, left))

    def draw(self, *, final: bool = False) -> None:
        """Draw a frame; the last one is of what was asked for, and not cut."""
        self._changed, self._drawn = False, elapsed()
        if final:
            self._drawing.draw_last(self.root)
        else:
            self._drawing.draw(self.pane)
