"""The display of trackers in their own process: a live region in a terminal, plain lines elsewhere.

Draws after the event is out and guards itself: whatever goes wrong while drawing switches the display off,
and the work goes on. Loads Rich only when something is to be drawn with it.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from tracker.display.screen import Screen, switched_off
from tracker.interrupts import pass_on
from tracker.run import RunWriter
from tracker.watcher import Watcher

if TYPE_CHECKING:
    from rich.console import Console


def attach(run: RunWriter, mode: str, console: Console | None, outer: RunWriter | None) -> Watcher | None:
    """Start drawing ``run``; gives what its changes are to be told to, ``None`` if nothing is drawn.

    ``mode`` is ``auto``, ``live``, ``plain`` or ``json``; a ``console`` is drawn on instead of stderr. ``outer`` is
    the run around this one, on whose screen it appears.
    """
    try:
        return _attach(run, mode, console, outer)
    except (Exception, SystemExit) as error:
        pass_on(error)
        switched_off(error)
        return None


def _attach(run: RunWriter, mode: str, console: Console | None, outer: RunWriter | None) -> Watcher | None:
    if console is None and sys.stderr is None:
        return None
    above = outer.watcher if outer is not None else None
    # A job is drawn by nobody, so neither is what runs inside it.
    if console is None and mode == "auto" and outer is not None:
        return above.open(run) if isinstance(above, Screen) else None
    if isinstance(above, Screen) and above.draws_on(console):
        return above.open(run)
    if mode == "json":
        from tracker.display.json_lines import JsonLines

        return JsonLines(console).open(run)
    if mode != "plain" and _is_terminal(console):
        from tracker.display.live import live_region

        return live_region(console, run)
    from tracker.display.lines import Lines

    return Lines(console).open(run)


def _is_terminal(console: Console | None) -> bool:
    """Whether a region can be drawn there: a real one, whatever is said of colours, and not another one's already."""
    file = console.file if console is not None else sys.stderr
    # Rich stands before the streams while it draws something of the program's own.
    if not _is_tty(file) or hasattr(sys.stderr, "rich_proxied_file"):
        return False
    from rich.console import Console

    shown = console or Console(stderr=True)
    return shown.is_terminal and shown.is_interactive and not shown.is_dumb_terminal


def _is_tty(file: object) -> bool:
    try:
        return os.isatty(file.fileno())  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):
        return False
