"""SIGTERM in a script: open operations end as cancelled and are told, then the process dies as it would have.

Python's default is to die on the spot, which leaves an operation running for ever in everybody's eyes. Only
that default is replaced; a program that handles the signal itself is left alone, and so is a worker running a job.
"""

from __future__ import annotations

import _thread
import os
import sys
import threading
import time
from types import FrameType
from typing import TYPE_CHECKING

from tracker.bus import event_bus
from tracker.model import Status
from tracker.place import terminated

if TYPE_CHECKING:
    from tracker.run import RunWriter

LAST_WORD = 2.0
"""Seconds the dying process waits until what it told is stored, or on disk."""

PATIENCE = 4.0
"""Seconds after which the process dies whatever it waits for: the signal may have come at any moment, locks held."""

_open: dict[RunWriter, None] = {}


def guard(run: RunWriter) -> None:
    """From now on ``run`` ends as cancelled when the process is terminated, unless it is inside a job.

    Only the main thread may set a handler: an operation of another thread is guarded once the main thread has
    had one open.
    """
    if run.around is not None and run.around not in _open:
        return
    import signal

    _open[run] = None
    if _in_main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminated)


def release(run: RunWriter) -> None:
    """``run`` has ended; with the last one the signal's default comes back, unless somebody has replaced ours.

    Not in a child of ``multiprocessing``: a pool terminates its processes as soon as their work is done.
    """
    if run not in _open:
        return
    del _open[run]
    if _open or not _in_main_thread() or _is_child():
        return
    import signal

    if signal.getsignal(signal.SIGTERM) is _terminated:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _is_child() -> bool:
    module = sys.modules.get("multiprocessing.process")
    return module is not None and module.parent_process() is not None


def _terminated(number: int, frame: FrameType | None) -> None:
    import signal

    # From here on the signal ends the process at once.
    signal.signal(number, signal.SIG_DFL)
    _thread.start_new_thread(_insist, (number,))
    try:
        # A forked child inherits the handler and the runs, but none of these is its own.
        ours = [run for run in reversed(_open) if run.worker.pid == os.getpid()]
        for run in ours:
            run.end(Status.CANCELLED, terminated(run))
        event_bus.settle(LAST_WORD)
    finally:
        os.kill(os.getpid(), number)


def _insist(number: int) -> None:
    time.sleep(PATIENCE)
    os.kill(os.getpid(), number)
