"""The display of trackers in their own process: a live region in a terminal, plain lines elsewhere.

Draws after the event is out and guards itself: whatever goes wrong while drawing switches the display off,
and the work goes on. Loads Rich only when something is to be drawn with it.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

from tracker import clock, config
from tracker.compose import compose
from tracker.model import Operation, Parts
from tracker.render import texts
from tracker.render.symbols import EMOJI, Symbols, fitting
from tracker.run import RunWriter, Step, Watcher

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

log = logging.getLogger("tracker")

REDRAW = 0.1
"""Seconds between two pictures of the live region, at the least."""

IDLE_REDRAW = 0.5
"""Seconds until the live region is drawn again although no step began or ended: for progress and elapsed time."""

_live_regions: dict[int, _LiveRegion] = {}
_lock = threading.RLock()


def attach(run: RunWriter, mode: str, console: Console | None, outer: RunWriter | None) -> Watcher | None:
    """Start drawing ``run``; gives what its changes are to be told to, ``None`` if nothing is drawn."""
    try:
        return _attach(run, config.default_display() if mode == "auto" else mode, console, outer)
    except (Exception, SystemExit) as error:
        _switched_off(error)
        return None


def _attach(run: RunWriter, mode: str, console: Console | None, outer: RunWriter | None) -> Watcher | None:
    if mode == "quiet" or (console is None and sys.stderr is None):
        return None
    above = outer.watcher if outer is not None else None
    # A job is drawn by nobody, so neither is what runs inside it.
    if console is None and mode == "auto" and outer is not None:
        return above.open(run) if isinstance(above, _Screen) else None
    if isinstance(above, _Screen) and above.draws_on(console):
        return above.open(run)
    if mode != "plain" and _is_terminal(console):
        return _live_region(console, run)
    return _Lines(console).open(run)


def _is_terminal(console: Console | None) -> bool:
    if console is not None:
        return console.is_terminal and not console.is_dumb_terminal
    return sys.stderr.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown")


def _switched_off(error: BaseException) -> None:
    log.debug("the display is switched off: %r", error)


def picture(run: RunWriter) -> Operation:
    """The run as people see it."""
    parts = Parts(id=run.operation, attempt=1, run=run.part(), steps={state.index: state for state in run.states()})
    return compose(parts)


class _Screen(ABC):
    """Draws runs: the first one whole, runs nested in it below or indented."""

    def __init__(self, console: Console | None) -> None:
        self._console = console
        self._runs: list[tuple[RunWriter, int]] = []
        self._lock = threading.RLock()
        self._off = False

    def draws_on(self, console: Console | None) -> bool:
        """Whether it uses this very console (``None``: stderr)."""
        return self._console is console

    def open(self, run: RunWriter) -> _Screen:
        """Take one more run in."""
        with self._lock:
            outer = {held.operation: depth for held, depth in self._runs}
            self._runs.append((run, outer.get(run.parent, -1) + 1))
            self._guarded(lambda: self._opened(run))
        return self

    def changed(self, run: RunWriter, step: Step | None) -> None:
        """See ``Watcher``."""
        self._guarded(lambda: self._changed(run, step))
        if run.ended is not None and step is None:
            with self._lock:
                self._guarded(lambda: self._closed(run))
                self._runs = [held for held in self._runs if held[0] is not run]

    def _depth(self, run: RunWriter) -> int:
        return next((depth for held, depth in self._runs if held is run), 0)

    def _guarded(self, draw: Callable[[], None]) -> None:
        if self._off:
            return
        try:
            draw()
        # Rich ends the program on a closed pipe; the work must not end with it.
        except (Exception, SystemExit) as error:
            self._off = True
            _switched_off(error)
            with suppress(Exception, SystemExit):
                self._stopped()

    @abstractmethod
    def _opened(self, run: RunWriter) -> None:
        """Draw a run for the first time."""

    @abstractmethod
    def _changed(self, run: RunWriter, step: Step | None) -> None:
        """Draw what changed."""

    @abstractmethod
    def _closed(self, run: RunWriter) -> None:
        """Draw the run's end."""

    @abstractmethod
    def _stopped(self) -> None:
        """Nothing more will be drawn."""


class _Lines(_Screen):
    """One line per transition; nothing is ever drawn over."""

    def __init__(self, console: Console | None) -> None:
        super().__init__(console)
        self._stream: TextIO = sys.stderr
        self._encoding = (console.encoding if console else getattr(self._stream, "encoding", None)) or "utf-8"
        self._symbols = fitting(self._encoding, EMOJI)

    def _opened(self, run: RunWriter) -> None:
        self._say(run, run.title)

    def _changed(self, run: RunWriter, step: Step | None) -> None:
        if step is not None:
            self._say(run, texts.transition(step.state(), run.total, self._symbols))

    def _closed(self, run: RunWriter) -> None:
        operation = picture(run)
        if self._depth(run):
            headline = texts.headline(operation, self._symbols)
            self._say(run, f"{headline} {texts.seconds(operation.duration)}")
        elif self._console is not None:
            self._panel(operation, self._console)
        else:
            self._say(run, "\n".join([texts.headline(operation, self._symbols), *texts.summary(operation)]))

    def _panel(self, operation: Operation, console: Console) -> None:
        from tracker.render.operation import summary_panel

        if self._encoding.lower().replace("-", "") == "utf8":
            console.print(summary_panel(operation, self._symbols))
        else:
            self._print("\n".join([texts.headline(operation, self._symbols), *texts.summary(operation)]))

    def _say(self, run: RunWriter, text: str) -> None:
        self._print("  " * self._depth(run) + text)

    def _print(self, text: str) -> None:
        text = text.encode(self._encoding, "replace").decode(self._encoding)
        with self._lock:
            if self._console is None:
                self._stream.write(text + "\n")
                self._stream.flush()
            else:
                from rich.text import Text

                self._console.print(Text(text), soft_wrap=True)

    def _stopped(self) -> None:
        """Every line is out already."""


class _LiveRegion(_Screen):
    """One region at the bottom of a terminal, redrawn by a thread of its own; what ended moves above it.

    Calls from the work only leave a mark, so drawing costs the work nothing.
    """

    def __init__(self, console: Console | None) -> None:
        super().__init__(console)
        self._symbols: Symbols = EMOJI
        self._stale = False
        self._stop = threading.Event()
        self._live: Live | None = None
        self._terminal: Console | None = None

    def changed(self, run: RunWriter, step: Step | None) -> None:
        """See ``Watcher``."""
        self._stale = True
        if run.ended is not None:
            # Against a tracker that joins the region while its last one leaves.
            with _lock:
                super().changed(run, step)

    def _opened(self, run: RunWriter) -> None:
        self._stale = True
        if self._live is None:
            self._live = self._started()
            threading.Thread(target=self._redraw, name="tracker-display", daemon=True).start()

    def _started(self) -> Live:
        from rich.console import Console
        from rich.live import Live

        self._terminal = console = self._console or Console(stderr=True)
        self._symbols = fitting(console.encoding, EMOJI)
        live = Live(
            console=console,
            get_renderable=self._frame,
            auto_refresh=False,
            # What is printed meanwhile appears above the region, unless it goes to a file.
            redirect_stdout=sys.stdout is not None and sys.stdout.isatty(),
            vertical_overflow="crop",
        )
        live.start(refresh=True)
        return live

    def _redraw(self) -> None:
        drawn = clock.elapsed()
        while not self._stop.wait(REDRAW):
            if self._stale or clock.elapsed() - drawn >= IDLE_REDRAW:
                drawn, self._stale = clock.elapsed(), False
                with self._lock:
                    if self._live is not None:
                        self._guarded(self._live.refresh)

    def _frame(self) -> RenderableType:
        from rich.console import Group
        from rich.padding import Padding

        runs = self._runs
        return Group(*(Padding(self._drawn(run, len(runs)), (0, 0, 0, 4 * depth)) for run, depth in runs))

    def _drawn(self, run: RunWriter, of: int) -> RenderableType:
        from tracker.render.operation import render_operation

        height = self._terminal.height // of if self._terminal is not None else None
        return render_operation(picture(run), clock.now(), symbols=self._symbols, height=height)

    def _changed(self, run: RunWriter, step: Step | None) -> None:
        pass  # The drawing thread sees it.

    def _closed(self, run: RunWriter) -> None:
        if self._live is None:
            return
        others = [held for held in self._runs if held[0] is not run]
        if not others:
            self._stopped()
        elif not self._depth(run):
            self._live.console.print(self._drawn(run, 1))

    def _stopped(self) -> None:
        """Leave the last picture, give the terminal back, and make room for another region."""
        self._stop.set()
        _live_regions.pop(id(self._console), None)
        live, self._live = self._live, None
        if live is not None:
            live.stop()


def _live_region(console: Console | None, run: RunWriter) -> Watcher:
    """The region of this terminal: trackers that run side by side share it, for it can be drawn only once."""
    with _lock:
        region = _live_regions.setdefault(id(console), _LiveRegion(console))
        return region.open(run)


def _after_fork() -> None:
    """A forked child has no drawing thread, and must not draw over its parent's region."""
    global _lock
    _lock = threading.RLock()
    if _live_regions:
        _live_regions.clear()
        sys.stdout = getattr(sys.stdout, "rich_proxied_file", sys.stdout)
        sys.stderr = getattr(sys.stderr, "rich_proxied_file", sys.stderr)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
