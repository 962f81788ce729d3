"""This process: the machine it runs on, and what becomes of its runs in a forked child."""

from __future__ import annotations

import os
import weakref
from functools import cache
from typing import TYPE_CHECKING

from tracker.redact import line

if TYPE_CHECKING:
    from tracker.run import RunWriter

_runs: weakref.WeakSet[RunWriter] = weakref.WeakSet()


@cache
def host() -> str:
    """The machine's name."""
    import socket

    return line(socket.gethostname())


def writes(run: RunWriter) -> None:
    """``run`` is written by this process, and not by one forked off it."""
    _runs.add(run)


def _after_fork() -> None:
    for run in list(_runs):
        run._forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
