"""The live region: one picture at the bottom of a terminal, redrawn by a thread of its own.

Calls from the work only note what changed, so drawing costs the work next to nothing.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from tracker import clock
from tracker.context import caller
from tracker.display.digest import Digest
from tracker.display.redirect import Redirect
from tracker.display.screen import Screen, picture
from tracker.model import LogLine
from tracker.render.symbols import EMOJI, Symbols, fitting
from tracker.render.tree import FRAME, Node, draw
from tracker.run import RunWriter
from tracker.step import Step
from tracker.watcher import Watcher

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

REDRAW = 0.1
"""Seconds between two pictures, at the least."""

IDLE_REDRAW = 0.5
"""Seconds until the next picture although no step began or ended: for progress and elapsed time."""

SHARE = 0.025
"""Most of a core that drawing may take; a costly picture is drawn less often."""

_regions: dict[int, LiveRegion] = {}
_lock = threading.RLock()


class _Place:
    """A run in the region: its digest, and where in its parent it belongs."""

    def __init__(self, run: RunWriter, parent: _Place | None, at: int) -> None:
        self.digest, self.parent, self.at = Digest(run), parent, at
        self.below: list[_Place] = []
        if parent is not None:
            parent.digest.nested.opened(at)


class LiveRegion(Screen):
    """Draws the runs of one terminal; trackers that run side by side share it."""

    def __init__(self, console: Console | None) -> None:
        super().__init__(console)
        self._places: dict[str, _Place] = {}
        self._symbols: Symbols = EMOJI
        self._stale = False
        self._prompts = 0
        self._stop = threading.Event()
        self._live: Live | None = None
        self._terminal: Console | None = None
        self._redirect = Redirect()

    def changed(self, run: RunWriter, step: Step | None) -> None:
        """See ``Watcher``."""
        if step is not None:
            place = self._places.get(run.run)
            if place is not None:
                place.digest.changed(step)
        self._stale = True
        if run.ended is not None and step is None:
            # Against a tracker that joins the region while its last one leaves.
            with _lock:
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
        elif len(self._places) > 1 and self._terminal is not None:
            del self._places[run.run]
            self._terminal.print(self._picture(place))
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

    # --- the region ---

    def _begin(self) -> None:
        from rich.console import Console
        from rich.live import Live

        if self._terminal is None:
            self._terminal = self._console or Console(stderr=True)
            self._symbols = fitting(self._terminal.encoding, EMOJI)
        self._live = Live(
            console=self._terminal,
            get_renderable=self._frame,
            auto_refresh=False,
            # What is printed meanwhile appears above the region, unless it goes to a file.
            redirect_stdout=sys.stdout is not None and sys.stdout.isatty(),
            vertical_overflow="crop",
        )
        before = sys.stdout, sys.stderr
        self._live.start(refresh=True)
        self._redirect.begin(before, (sys.stdout, sys.stderr))

    def _take_away(self) -> None:
        """Clear the region and give the terminal back."""
        if self._live is not None:
            self._live.transient = True
        self._leave()

    def _end(self) -> None:
        """Leave the last picture, give the terminal back, and make room for another region."""
        self._stop.set()
        if _regions.get(id(self._console)) is self:
            del _regions[id(self._console)]
        if self._live is None and self._terminal is not None and self._places:
            self._terminal.print(self._frame())
        self._leave()
        self._places.clear()

    def _leave(self) -> None:
        live, self._live = self._live, None
        self._redirect.end()
        if live is not None:
            live.stop()

    def _redraw(self) -> None:
        drawn, pause = clock.elapsed(), REDRAW
        while not self._stop.wait(pause):
            if not self._stale and clock.elapsed() - drawn < IDLE_REDRAW:
                continue
            drawn, self._stale = clock.elapsed(), False
            begun = time.thread_time()
            with self._lock:
                if self._live is not None:
                    self._guarded(self._live.refresh)
            pause = max(REDRAW, (time.thread_time() - begun) / SHARE)

    def _frame(self) -> RenderableType:
        from rich.console import Group

        with self._lock:
            roots = [place for place in self._places.values() if place.parent is None]
            return Group(*(self._picture(place, len(roots)) for place in roots))

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


def live_region(console: Console | None, run: RunWriter) -> Watcher:
    """The region of this terminal: trackers that run side by side share it, for it can be drawn only once."""
    with _lock:
        region = _regions.setdefault(id(console), LiveRegion(console))
        return region.open(run)


def _after_fork() -> None:
    """A forked child has no drawing thread, and must not draw over its parent's region."""
    global _lock
    _lock = threading.RLock()
    for region in _regions.values():
        region._redirect.end()
        sys.stdout = getattr(sys.stdout, "rich_proxied_file", sys.stdout)
        sys.stderr = getattr(sys.stderr, "rich_proxied_file", sys.stderr)
    _regions.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
