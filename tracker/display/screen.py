"""What every display has in common: the runs it draws, and the guard between drawing and the work."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import TYPE_CHECKING

from tracker.bus import logger
from tracker.compose import compose
from tracker.interrupts import pass_on
from tracker.model import LogLine, Operation, Parts
from tracker.run import RunWriter
from tracker.step import Step

if TYPE_CHECKING:
    from rich.console import Console


def switched_off(error: BaseException) -> None:
    """Say, to those who listen closely, why nothing is drawn any more."""
    logger().debug("the display is switched off: %r", error)


def picture(run: RunWriter) -> Operation:
    """The run as people see it, with all its steps."""
    parts = Parts(id=run.operation, attempt=1, run=run.part(), steps={state.index: state for state in run.states()})
    return compose(parts)


class Screen(ABC):
    """Draws runs: the first one whole, runs nested in it below or indented."""

    patience = -1.0
    """Seconds that a run's end waits for whoever is drawing; -1: as long as it takes."""

    def __init__(self, console: Console | None) -> None:
        self._console = console
        self._runs: list[tuple[RunWriter, int]] = []
        self._lock = threading.RLock()
        self._off = False

    def draws_on(self, console: Console | None) -> bool:
        """Whether it uses this very console (``None``: stderr)."""
        return self._console is console

    def open(self, run: RunWriter) -> Screen:
        """Take one more run in."""
        with self._lock:
            outer = {held.operation: depth for held, depth in self._runs}
            self._runs.append((run, outer.get(run.parent, -1) + 1))
            self._guarded(lambda: self._opened(run))
        return self

    def changed(self, run: RunWriter, step: Step | None) -> None:
        """See ``Watcher``."""
        self._guarded(lambda: self._changed(run, step))
        if run.ended is not None and step is None and not self._off:
            self._end_of(run)

    def _end_of(self, run: RunWriter) -> None:
        # The end may be told by a signal's handler that has interrupted what the other thread waits for.
        if not self._lock.acquire(timeout=self.patience):
            self._off = True
            with suppress(Exception):
                self._abandoned()
            return
        try:
            self._guarded(lambda: self._closed(run))
            self._runs = [held for held in self._runs if held[0] is not run]
            if not self._runs:
                self._guarded(self._stopped)
        finally:
            self._lock.release()

    def said(self, run: RunWriter, line: LogLine) -> None:
        """See ``Watcher``."""
        self._guarded(lambda: self._said(run, line))

    def prompting(self) -> AbstractContextManager[None]:
        """See ``Watcher``."""
        return nullcontext()

    def _depth(self, run: RunWriter) -> int:
        return next((depth for held, depth in self._runs if held is run), 0)

    def _guarded(self, draw: Callable[[], object]) -> None:
        if self._off:
            return
        try:
            draw()
        # Rich ends the program on a closed pipe; the work must not end with it.
        except (Exception, SystemExit) as error:
            pass_on(error)
            self._off = True
            switched_off(error)
            with suppress(Exception, SystemExit):
                self._stopped()

    def _abandoned(self) -> None:
        """Nothing more will be drawn, although whoever is drawing is held up; may not wait."""
        self._stopped()

    @abstractmethod
    def _opened(self, run: RunWriter) -> None:
        """Draw a run for the first time."""

    @abstractmethod
    def _changed(self, run: RunWriter, step: Step | None) -> None:
        """Draw what changed."""

    @abstractmethod
    def _said(self, run: RunWriter, line: LogLine) -> None:
        """Draw a log line."""

    @abstractmethod
    def _closed(self, run: RunWriter) -> None:
        """Draw the run's end."""

    @abstractmethod
    def _stopped(self) -> None:
        """Nothing more will be drawn."""
