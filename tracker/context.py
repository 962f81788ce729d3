"""Where the calling code is: inside which run, inside which block, in which thread or asyncio task.

Holds context variables only; knows nothing of events or displays.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from threading import current_thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tracker.run import RunWriter
    from tracker.step_tracker import StepTracker

_modules = sys.modules
_running_loop: Callable[[], object] | None = None
"""Bound once, as every step asks."""


class Latent:
    """What becomes a run only if somebody asks for it. No ``ABC``: asking for those takes ten times as long."""

    __slots__ = ()

    def run(self) -> RunWriter:
        """The run, from now on."""
        raise NotImplementedError

    def filled(self, title: str, steps: Sequence[str], labels: Mapping[str, str]) -> RunWriter | None:
        """The run, from now on, with what a block says of it; ``None`` if it is one already."""
        raise NotImplementedError


current_run: ContextVar[RunWriter | Latent | None] = ContextVar("tracker_current_run", default=None)
"""The run the code is inside of; an operation started here becomes its child."""

_current_tracker: ContextVar[StepTracker | None] = ContextVar("tracker_current_tracker", default=None)


def current_tracker() -> StepTracker | None:
    """The innermost ``StepTracker`` block the code is inside of, or ``None``.

    For code deep in the call stack that wants to report progress without being handed the tracker. A new
    thread starts outside every block; hand it the tracker or a step.

    >>> from tracker import StepTracker
    >>> with StepTracker("Import", display="quiet"):
    ...     current_tracker().operation_name
    'Import'
    >>> current_tracker() is None
    True
    """
    tracker = _current_tracker.get()
    while tracker is not None and tracker._open is None:
        tracker = tracker._around
    return tracker


def enclosing_run() -> RunWriter | None:
    """The innermost run around the caller that is still open.

    A task outlives the block it was started in, and blocks in generators end in any order.
    """
    held = current_run.get()
    run = held.run() if isinstance(held, Latent) else held
    while run is not None and run.ended is not None:
        run = run.around
    return run


def filled_run(title: str, steps: Sequence[str], labels: Mapping[str, str]) -> RunWriter | None:
    """The run that a block makes of what the caller is inside of; ``None`` if there is one already, or nothing."""
    held = current_run.get()
    return held.filled(title, steps, labels) if isinstance(held, Latent) else None


@contextmanager
def inside(run: RunWriter) -> Iterator[RunWriter]:
    """Make ``run`` the current one for the length of a block; used by whoever runs jobs."""
    before = current_run.get()
    current_run.set(run)
    try:
        yield run
    finally:
        _restore(current_run, run, before)


def enter(tracker: StepTracker, run: RunWriter) -> None:
    """Make ``tracker`` and its run the current ones."""
    tracker._around, tracker._run_around = current_tracker(), current_run.get()
    current_run.set(run)
    _current_tracker.set(tracker)


def leave(tracker: StepTracker, run: RunWriter) -> None:
    """Undo ``enter``, as far as it came; a generator may do so in another context than it was started in."""
    _restore(current_run, run, tracker._run_around)
    _restore(_current_tracker, tracker, tracker._around)


def _restore(variable: ContextVar[Any], held: object, before: object) -> None:
    """Set ``variable`` back, unless something else has been entered since."""
    if variable.get() is held:
        variable.set(before)


def caller() -> object:
    """The asyncio task or, outside of one, the thread that is calling; steps of the plain form belong to it."""
    if _running_loop is not None:
        # Without a running loop, current_task() raises, which costs more than all the rest of a step.
        if _running_loop() is not None:
            return _modules["asyncio"].current_task() or current_thread()
    elif "asyncio" in _modules:
        _learn_of_asyncio()
        return caller() if _running_loop is not None else current_thread()
    return current_thread()


def _learn_of_asyncio() -> None:
    """Somebody has loaded it, or is about to, and then nobody runs in a task yet."""
    global _running_loop
    _running_loop = getattr(_modules["asyncio"], "_get_running_loop", None)
