"""This process: the machine it runs on, its random token, and what becomes of its runs in a forked child."""

from __future__ import annotations

import os
import weakref
from functools import cache
from typing import TYPE_CHECKING

from tracker.ids import new_run
from tracker.redact import line

if TYPE_CHECKING:
    from tracker.run import RunWriter

_runs: weakref.WeakSet[RunWriter] = weakref.WeakSet()
_token = new_run()


@cache
def host() -> str:
    """The machine's name."""
    import socket

    return line(socket.gethostname())


def token() -> str:
    """Who this process is: 12 random characters, others in a forked child; unlike a process id never used again."""
    return _token


def writes(run: RunWriter) -> None:
    """``run`` is written by this process, and not by one forked off it."""
    _runs.add(run)


def _after_fork() -> None:
    global _token
    _token = new_run()
    for run in list(_runs):
        run._forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
