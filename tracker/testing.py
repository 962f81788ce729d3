"""What users need to test code that is tracked: collect the events, compare the steps. No Redis, no terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from tracker.bus import EVERYTHING, BusEvent, event_bus

_ENDS = ("step.complete", "step.error", "step.skip")


@contextmanager
def capture_events(type: str = EVERYTHING) -> Iterator[list[BusEvent]]:
    """The events of this process while the block runs, in order (of one ``type``, or of all).

    >>> from tracker import StepTracker
    >>> with capture_events() as events, StepTracker("Import", display="quiet") as tracker:
    ...     step = tracker.step("Read")
    >>> [event.type for event in events]
    ['operation.start', 'step.start', 'step.complete', 'operation.complete']
    """
    events: list[BusEvent] = []
    unsubscribe = event_bus.subscribe(type, events.append)
    try:
        yield events
    finally:
        unsubscribe()


def assert_steps(events: Iterable[BusEvent], expected: Sequence[str | tuple[str, str]]) -> None:
    """Fail unless exactly these steps ended, in this order: each a name, or a name with its status.

    A plain name stands for a step that is ``complete``.
    """
    wanted = [(step, "complete") if isinstance(step, str) else step for step in expected]
    ended = [(event.data["step"], event.data["status"]) for event in events if event.type in _ENDS]
    if ended != wanted:
        raise AssertionError(f"steps ended as {ended}, expected {wanted}")
