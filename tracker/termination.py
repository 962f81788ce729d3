"""SIGTERM in a script: open operations end as cancelled and are told, then the process dies as it would have.

Python's default is to die on the spot, which leaves an operation running for ever in everybody's eyes. Only
that default is replaced; a program that handles the signal itself is left alone.
"""

from __future__ import annotations

import os
import threading
from types import FrameType
from typing import TYPE_CHECKING

from tracker.bus import event_bus
from tracker.model import Error, Status

if TYPE_CHECKING:
    from tracker.run import RunWriter

LAST_WORD = 2.0
"""Seconds the dying process waits for the store."""

_open: list[RunWriter] = []


def guard(run: RunWriter) -> None:
    """From now on ``run`` ends as cancelled when the process is terminated; for the outermost run of a script."""
    import signal

    if threading.current_thread() is not threading.main_thread():
        return
    if _open or signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        _open.append(run)
        signal.signal(signal.SIGTERM, _terminated)


def release(run: RunWriter) -> None:
    """``run`` has ended; with the last one the signal's default comes back, unless somebody has replaced ours."""
    if run not in _open:
        return
    import signal

    _open.remove(run)
    if _open or threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is _terminated:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _terminated(number: int, frame: FrameType | None) -> None:
    import signal

    # A forked child inherits the handler and the list, but none of these runs is its own.
    ours = [run for run in _open if run.pid == os.getpid()]
    for run in reversed(ours):
        step, place = run.place_now()
        index, path = (step.index, [step.name]) if step is not None else (0, [place])
        run.end(Status.CANCELLED, Error("Terminated", "SIGTERM", [*run.above, run.title, *path], step=index))
    if ours:
        event_bus.flush(LAST_WORD)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
