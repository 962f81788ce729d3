"""What users need to test code that is tracked: collect the events, compare the steps. No Redis, no terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from tracker import clock
from tracker.bus import EVERYTHING, BusEvent, event_bus

_ENDS = ("step.complete", "step.error", "step.skip")


@contextmanager
def capture_events(type: str = EVERYTHING) -> Iterator[list[BusEvent]]:
    """The events of this process while the block runs, in order (of one ``type``, or of all).

    It only listens: where ``TRACKER_REDIS_URL`` is set, the events are published as usual. In tests, the pytest fixture
    ``tracker_events`` keeps them inside; without pytest, ``tracker.configure(redis_url="")`` does.

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

    A plain name stands for a step that is ``complete``. Raises ``AssertionError`` that shows both lists.

    >>> from tracker import StepTracker
    >>> with capture_events() as events, StepTracker("Import", display="quiet") as tracker:
    ...     tracker.step("Read").complete()
    ...     tracker.step("Check").skip("nothing to check")
    >>> assert_steps(events, ["Read", ("Check", "skipped")])
    """
    wanted = [(step, "complete") if isinstance(step, str) else tuple(step) for step in expected]
    ended = [(event.data["step"], event.data["status"]) for event in events if event.type in _ENDS]
    if ended == wanted:
        return
    same = next((place for place, pair in enumerate(zip(ended, wanted, strict=False)) if pair[0] != pair[1]), None)
    place = min(len(ended), len(wanted)) if same is None else same
    raise AssertionError(
        f"step {place + 1} differs: it {_said(ended, place, 'ended as')}, expected {_said(wanted, place, '')}\n"
        f"  ended:    {ended}\n  expected: {wanted}"
    )


def _said(steps: Sequence[tuple[str, ...]], place: int, verb: str) -> str:
    if place >= len(steps):
        return "did not end" if verb else "nothing"
    name, status = steps[place]
    return f"{verb} {name!r} {status}".lstrip()


class FakeClock:
    """A clock that moves only when told to: durations in tests become exact. Both kinds of time move together.

    ``start`` is UTC seconds since the epoch. Blocks may be nested, also of the same clock.

    >>> from tracker import StepTracker
    >>> with FakeClock() as clock, StepTracker("Import", display="quiet") as tracker:
    ...     step = tracker.step("Read", warn_after=60)
    ...     clock.advance(90)
    ...     step.complete()
    >>> step.duration
    90.0
    """

    def __init__(self, start: float = 1_800_000_000.0) -> None:
        self._now = start
        self._elapsed = 0.0
        self._before: list[tuple[Callable[[], float], Callable[[], float]]] = []

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        self._now += seconds
        self._elapsed += seconds

    def __enter__(self) -> Self:
        self._before.append((clock.now, clock.elapsed))
        clock.now, clock.elapsed = (lambda: self._now), (lambda: self._elapsed)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        clock.now, clock.elapsed = self._before.pop()
