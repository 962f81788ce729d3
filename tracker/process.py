"""This process: the machine it runs on, its random token, and what becomes of its runs in a forked child."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import weakref
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from tracker.ids import new_run
from tracker.redact import line

if TYPE_CHECKING:
    from tracker.run import RunWriter

LAST = -1_000
"""Among what ``multiprocessing`` does at the end of a process: after the program's own, which may still track."""

_runs: set[weakref.ref[RunWriter]] = set()
_token = new_run()


@cache
def host() -> str:
    """The machine's name."""
    import socket

    return line(socket.gethostname())


def token() -> str:
    """Who this process is: 12 random characters, others in a forked child; unlike a process id never used again."""
    return _token


def settle_in() -> None:
    """A server has loaded what it needs: from now on Python's collector leaves that alone.

    It would look through all of it every few thousand operations, some 30 ms in which nobody is served.
    """
    gc.collect()
    gc.freeze()


def at_end(call: Callable[[], object]) -> Callable[[], None]:
    """Have ``call`` called when this process ends; answers what takes that back.

    A child of ``multiprocessing`` ends without asking ``atexit``, and has a list of its own.
    """
    atexit.register(call)
    util = sys.modules.get("multiprocessing.util")
    last = util.Finalize(None, call, exitpriority=LAST) if util is not None else None

    def take_back() -> None:
        atexit.unregister(call)
        if last is not None:
            last.cancel()

    return take_back


def writes(run: RunWriter) -> None:
    """``run`` is written by this process, and not by one forked off it."""
    _runs.add(weakref.ref(run, _runs.discard))  # As a WeakSet does, which takes three times as long.


def _after_fork() -> None:
    global _token
    _token = new_run()
    for held in list(_runs):
        run = held()
        if run is not None:
            run._forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
