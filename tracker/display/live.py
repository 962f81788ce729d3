"""The live region: one picture at the bottom of a terminal, redrawn by a thread of its own.

Calls from the work only note what changed, so drawing costs the work next to nothing.
"""

from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, cast

from tracker import clock
from tracker.context import caller
from tracker.display.digest import Digest
from tracker.display.redirect import Redirect, real_file
from tracker.display.screen import Screen, picture
from tracker.display.terminal import Terminal, after_fork, terminal_of
from tracker.model import LogLine
from tracker.render.symbols import EMOJI, Symbols, fitting
from tracker.render.tree import FRAME, Node, draw
from tracker.run import RunWriter
from tracker.step import Step
from tracker.watcher import Watcher

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

REDRAW = 0.1
"""Seconds between two pictures, at the least."""

IDLE_REDRAW = 0.5
"""Seconds until the next picture although no step began or ended: for progress and elapsed time."""

SHARE = 0.025
"""Most of a core that drawing may take; a costly picture is drawn less often."""

PATIENCE = 1.0
"""Seconds that a run's end waits for the drawing thread; then its last picture is left out."""


class _Place:
    """A run in the region: its digest, and where in its parent it belongs."""

    def __init__(self, run: RunWriter, parent: _Place | None, at: int) -> None:
        self.digest, self.parent, self.at = Digest(run), parent, at
        self.below: list[_Place] = []
        if parent is not None:
            parent.digest.nested.opened(at)


class LiveRegion(Screen):
    """Draws the runs of one terminal; trackers that run side by side share it."""

    patience = PATIENCE

    def __init__(self, console: Console | None, device: Terminal) -> None:
        super().__init__(console)
        self._device = device
        # One lock for runs and device: two could be taken in either order.
        self._lock = device.lock
        self._places: dict[str, _Place] = {}
        self._symbols: Symbols = EMOJI
        self._stale = False
        self._prompts = 0
        self._stop = threading.Event()
        self._shown: Console | None = None
        self._terminal: Console | None = None
        self._redirect = Redirect(device)

    def draws_on(self, console: Console | None) -> bool:
        """Whether that console is on this terminal."""
        return terminal_of(real_file(console)) is self._device

    def changed(self, run: RunWriter, step: Step | None) -> None:
        """See ``Watcher``."""
        if step is not None:
            place = self._places.get(run.run)
            if place is not None:
                place.digest.changed(step)
        self._stale = True
        super().changed(run, step)

    def prompting(self) -> AbstractContextManager[None]:
        """The region is taken away for the length of the block."""

        @contextmanager
        def away() -> Iterator[None]:
            with self._lock:
                self._prompts += 1
                if self._prompts == 1:
                    self._guarded(self._take_away)
            try:
                yield
            finally:
                with self._lock:
                    self._prompts -= 1
                    if not self._prompts and self._runs:
                        self._guarded(self._begin)

        return away()

    # --- the runs ---

    def _opened(self, run: RunWriter) -> None:
        parent = next((place for place in self._places.values() if place.digest.run.operation == run.parent), None)
        step = _step_around(parent.digest.run) if parent is not None else None
        place = self._places[run.run] = _Place(run, parent, step.index if step is not None else 0)
        if parent is not None:
            parent.below.append(place)
        self._stale = True
        if len(self._places) == 1:
            self._begin()
            threading.Thread(target=self._redraw, name="tracker-display", daemon=True).start()

    def _changed(self, run: RunWriter, step: Step | None) -> None:
        """The drawing thread sees it."""

    def _said(self, run: RunWriter, line: LogLine) -> None:
        place = self._places.get(run.run)
        if place is not None:
            place.digest.said(line)
            self._stale = True

    def _closed(self, run: RunWriter) -> None:
        place = self._places[run.run]
        if place.parent is not None:
            self._fold(place, place.parent)
        elif len(self._places) > 1:
            del self._places[run.run]
            self._device.above(self._lines(self._picture(place)))
        else:
            self._end()

    def _fold(self, place: _Place, parent: _Place) -> None:
        """Of a nested operation that has ended its outcome remains."""
        run = place.digest.run
        del self._places[run.run]
        parent.below.remove(place)
        message = run.error.message or run.error.type if run.error is not None else ""
        parent.digest.nested.closed(place.at, run.title, run.status, message)

    def _stopped(self) -> None:
        self._end()

    def _abandoned(self) -> None:
        self._leave()
        self._device.abandon()

    # --- the region ---

    def _begin(self) -> None:
        from rich.console import Console

        if self._shown is None:
            self._shown = self._console or Console(stderr=True)
            self._terminal = _drawing_board(self._shown)
            self._symbols = fitting(self._shown.encoding, EMOJI)
        file = real_file(self._console)
        self._redirect.begin(self._shown)
        self._device.begin(file)
        self._draw()

    def _take_away(self) -> None:
        """Clear the region and give the terminal back."""
        self._redirect.end()
        self._device.take_away()

    def _end(self) -> None:
        """Leave the last picture, give the terminal back, and make room for another region."""
        try:
            if self._places and not self._off:
                self._device.finish(self._lines(self._frame()))
            else:
                self._device.is_up = False
        finally:
            self._leave()
            self._places.clear()

    def _leave(self) -> None:
        self._stop.set()
        if self._device.region is self:
            self._device.region = None
        self._redirect.end()

    def _redraw(self) -> None:
        drawn, pause = clock.elapsed(), REDRAW
        while not self._stop.wait(pause):
            if not (self._stale or self._device.stale) and clock.elapsed() - drawn < IDLE_REDRAW:
                continue
            drawn, self._stale = clock.elapsed(), False
            begun = time.thread_time()
            with self._lock:
                if not self._stop.is_set() and not self._prompts:
                    self._guarded(self._draw)
            pause = max(REDRAW, (time.thread_time() - begun) / SHARE)

    def _draw(self) -> None:
        """As it is now, with a line left for the cursor: what is typed must not move the region."""
        from rich.console import ConsoleDimensions

        assert self._shown is not None
        assert self._terminal is not None
        width, height = self._shown.size
        self._terminal.size = ConsoleDimensions(width, height - 1)
        self._device.draw(self._lines(self._frame()), height - 1)

    def _frame(self) -> RenderableType:
        from rich.console import Group

        with self._lock:
            roots = [place for place in self._places.values() if place.parent is None]
            return Group(*(self._picture(place, len(roots)) for place in roots))

    def _lines(self, picture: RenderableType) -> list[str]:
        assert self._terminal is not None
        with self._terminal.capture() as captured:
            self._terminal.print(picture)
        return captured.get().removesuffix("\n").split("\n")

    def _picture(self, place: _Place, of: int = 1) -> RenderableType:
        height = self._terminal.height if self._terminal is not None else 24
        run = place.digest.run
        whole = picture(run) if run.ended is not None else None
        room = max(2, height // of - FRAME)
        return draw(self._node(place, room), clock.now(), self._symbols, height // of, whole)

    def _node(self, place: _Place, room: int) -> Node:
        below = place.below[: max(1, room // 4)]
        share = max(1, (room - 1) // len(below)) if below else 0
        digest = place.digest
        steps = digest.choice(room, [inner.at for inner in below])
        indices = [step.index for step in steps]
        return Node(
            title=digest.run.title,
            total=digest.run.total,
            started=digest.run.started,
            ended=digest.run.ended is not None,
            steps=steps,
            counts=digest.counts(),
            lines=dict(digest.last_lines),
            at=place.at,
            below=[self._node(inner, share) for inner in below],
            outcomes=digest.nested.outcomes(indices),
            failures=digest.nested.failures(indices),
            nested=digest.nested.total,
        )


def _step_around(outer: RunWriter) -> Step | None:
    """The step in which the caller starts an operation: its own, else the one that began last."""
    return outer.open.innermost(caller()) or next(iter(outer.open.all()), None)


def live_region(console: Console | None, run: RunWriter) -> Watcher | None:
    """The region of this terminal: trackers that run side by side share it, for it can be drawn only once.

    ``None`` in a process forked from one with a region there: two would draw over each other.
    """
    device = terminal_of(real_file(console))
    if device.forked_from:
        return None
    with device.lock:
        device.region = device.region or LiveRegion(console, device)
        return device.region.open(run)


def _drawing_board(shown: Console) -> Console:
    """A console that looks like the one shown and writes nowhere; nobody else can hold its lock."""
    from rich.console import Console

    return Console(
        file=io.TextIOWrapper(io.BytesIO(), encoding=shown.encoding),
        force_terminal=True,
        color_system=cast(Any, shown.color_system),
        no_color=shown.no_color,
        legacy_windows=False,
    )


def _after_fork() -> None:
    """A forked child has no drawing thread, and must not draw over its parent's region."""
    for region in after_fork():
        region._redirect.end()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
