"""A step as tracked code sees it: the handle with which its progress and outcome are reported.

Keeps the step's values; the run it belongs to decides and emits. ``advance`` is the hottest call of all.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn, Self, TypeVar, overload

import msgspec

from tracker.bus import event_bus
from tracker.context import caller
from tracker.errors import TrackerError
from tracker.interrupts import pass_on
from tracker.limits import NAME_LIMIT
from tracker.model import EventType, StepState, StepStatus
from tracker.outcome import instance_of
from tracker.redact import bound, line

if TYPE_CHECKING:
    from tracker.run import RunWriter
else:  # ``help()`` looks for the types of a struct's fields.
    RunWriter = object

Item = TypeVar("Item")

UNIT_LIMIT = 32
"""Longest unit, in characters."""

# Bound once: looking up an enum's member costs several times as much as a plain name.
_PENDING, _RUNNING, _COMPLETE = StepStatus.PENDING, StepStatus.RUNNING, StepStatus.COMPLETE
_PROGRESS = EventType.STEP_PROGRESS
_LARGEST = 2**53
"""Beyond this, readers that know only double precision would see another number."""


class Step(msgspec.Struct, eq=False, weakref=True):
    """A part of an operation. As a context manager its outcome follows the block; exceptions pass through.

    >>> from tracker import StepTracker
    >>> with StepTracker("Import", display="quiet") as tracker:
    ...     with tracker.step("Read rows") as step:
    ...         for row in step.track(["a", "b"], unit="rows"):
    ...             pass
    >>> step.status.value, step.current
    ('complete', 2)
    """

    _run: RunWriter
    index: int
    """Place in the operation, from 1."""
    name: str
    status: StepStatus = _PENDING
    _started: float = 0.0
    _mark: float = 0.0
    _owner: object = None
    current: float = 0
    total: float | None = None
    unit: str = ""
    error: str | None = None
    """Why the step failed, for example ``"ValueError: no such field"``."""
    warn_after: float | None = None
    """Seconds after which the step is shown as over time; nothing is stopped."""
    warned: int = 0
    """How many warnings it gave."""
    warning: str = ""
    """The last of them."""
    reused: bool = False
    """Whether it was not run, as its kept result of an earlier attempt was taken."""
    kept: tuple[str, bytes] | None = None
    """Key and JSON of a result that waits to be stored; whoever has stored it sets this to ``None``."""
    dirty: bool = False
    """Whether progress waits to be sent; whoever sends it sets this to ``False`` first."""
    told: StepStatus = _PENDING
    """What was sent of it; belongs to whoever sends."""
    _detail: str = ""
    _outer: Step | None = None
    _scoped: bool = False
    _duration: float | None = None

    def __repr__(self) -> str:
        return f"<Step {self.index} {self.name!r} {self.status.value}>"

    # A struct has one that shows all fields, kept results among them; without it, Rich takes ``repr``.
    __rich_repr__ = None  # type: ignore[assignment]

    # --- what happened ---

    @property
    def duration(self) -> float | None:
        """Seconds the step took, by a clock that never goes back; ``None`` until it has ended."""
        return self._duration

    @property
    def start_time(self) -> datetime | None:
        """When it began, in UTC."""
        return None if self.status is _PENDING else datetime.fromtimestamp(self._started, UTC)

    @property
    def end_time(self) -> datetime | None:
        """When it ended, in UTC."""
        if self._duration is None:
            return None
        return datetime.fromtimestamp(self._started + self._duration, UTC)

    @property
    def status_icon(self) -> str:
        """A symbol for the status; show the word beside it."""
        from tracker.render.symbols import EMOJI

        return EMOJI.mark(self.status)

    @property
    def detail(self) -> str:
        """A few words shown beside the step, such as ``"2 warnings"``."""
        return self._detail

    @detail.setter
    def detail(self, text: str) -> None:
        if self.status is _RUNNING:
            self._detail = line(text)
            self._moved()

    def state(self) -> StepState:
        """A frozen copy; may be called from any thread."""
        # The status is written last and read first: a step seen as ended has all its values.
        status = self.status
        current, total = _number(self.current), None if self.total is None else _number(self.total)
        return StepState(
            self.index,
            self.name,
            status,
            self._started or None,
            None if status is _RUNNING else self._duration,
            current if current or total is not None else None,
            total,
            self.unit,
            self._detail,
            self.error or "",
            self.warn_after,
            self.warned,
            self.warning,
            self.reused,
        )

    def _begun(self) -> StepState:
        """A frozen copy as it was when the step began."""
        return StepState(self.index, self.name, _RUNNING, self._started, warn_after=self.warn_after)

    # --- progress ---

    def advance(self, n: float = 1) -> None:
        """``n`` more are done. Costs next to nothing; after the step's end it is ignored."""
        if self.status is _RUNNING:
            try:
                self.current += n
            except Exception as error:
                pass_on(error)
                self.current = self._sum(n)
            if not self.dirty:
                self._moved()

    def _sum(self, n: object) -> float:
        """What ``+`` could not add, such as a ``Decimal`` to a float."""
        try:
            return float(self.current) + float(n)  # type: ignore[arg-type]
        except Exception as error:
            pass_on(error)
            raise TrackerError(f"advance() got a {type(n).__name__}; give the number of what is done") from None

    def set_total(self, total: float | None) -> None:
        """How many there are to do; ``None`` if that is not known."""
        if self.status is _RUNNING:
            self.total = total
            self._moved()

    @overload
    def track(
        self, iterable: Iterable[Item], total: float | None = None, unit: str | None = None
    ) -> Iterator[Item]: ...

    @overload
    def track(
        self, iterable: AsyncIterable[Item], total: float | None = None, unit: str | None = None
    ) -> AsyncIterator[Item]: ...

    def track(
        self, iterable: Iterable[Item] | AsyncIterable[Item], total: float | None = None, unit: str | None = None
    ) -> Iterator[Item] | AsyncIterator[Item]:
        """Yield the items, counting each as done once the next one is asked for.

        ``total`` is taken from ``len(iterable)`` where it has one; ``unit`` is a plural such as ``"rows"``. What an
        ``async for`` goes through is tracked in one.
        """
        if unit and self.status is _RUNNING:
            self.unit = line(unit, UNIT_LIMIT)
        self.set_total(_length(iterable) if total is None else total)
        return self._counted_async(iterable) if isinstance(iterable, AsyncIterable) else self._counted(iterable)

    def _counted(self, iterable: Iterable[Item]) -> Iterator[Item]:
        for item in iterable:
            yield item
            self.advance()

    async def _counted_async(self, iterable: AsyncIterable[Item]) -> AsyncIterator[Item]:
        async for item in iterable:
            yield item
            self.advance()

    def _moved(self) -> None:
        if not self.dirty:
            # Asked here and not with every call: a step that is dirty is looked at soon, and is not so any more then.
            if self._run.cancelled_by is not None:
                self._run.stop()
            self.dirty = True
            event_bus.step(_PROGRESS, self)

    # --- what it says ---

    def log(self, text: object) -> None:
        """Keep a line of text under the step; more lines in ``text`` are kept as such, 2,048 characters of each."""
        self._run.log(text, self)

    def warn(self, text: object) -> None:
        """Say that something is not as it should be; the step goes on and may still complete."""
        self._run.log(text, self, warning=True)

    # --- outcome ---

    def complete(self, detail: str = "") -> None:
        """The step is done."""
        if not self._run.finish(self, _COMPLETE, caller(), detail):
            self._refuse(_COMPLETE)

    def skip(self, reason: str = "") -> None:
        """The step turned out not to be needed."""
        if not self._run.finish(self, StepStatus.SKIPPED, caller(), reason):
            self._refuse(StepStatus.SKIPPED)

    def fail(self, message: str) -> None:
        """The step failed, and the work goes on; ``error`` then holds the message."""
        if not self._run.finish(self, StepStatus.ERROR, caller(), error=message):
            self._refuse(StepStatus.ERROR)

    def _refuse(self, status: StepStatus) -> NoReturn:
        raise TrackerError(
            f"step {self.index} {self.name!r} is {self.status.value}, so it cannot become {status.value}; "
            "a step is started once and ended once"
        )

    def __enter__(self) -> Self:
        if self.status is not StepStatus.RUNNING or self._scoped:
            raise TrackerError(
                f"step {self.index} {self.name!r} cannot be entered again; write `with tracker.step(...)` once per step"
            )
        self._scoped = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run.leave(self, instance_of(kind, exc))

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, exc, trace)

    # --- for the run, under its lock ---

    def _warn(self, text: str) -> StepState | None:
        """Count a warning; gives the state it leads to, ``None`` after the step's end."""
        if self.status is not _RUNNING:
            return None
        self.warned, self.warning = self.warned + 1, bound(text, NAME_LIMIT)
        return self.state()


def _number(value: float) -> float | None:
    """``value`` as JSON can hold it; counts of other numeric types arrive as floats."""
    if type(value) is int and -_LARGEST < value < _LARGEST:
        return value
    try:
        number = float(value)
    except Exception as error:
        pass_on(error)
        return None
    return number if math.isfinite(number) else None


def _length(iterable: object) -> int | None:
    try:
        return len(iterable)  # type: ignore[arg-type]
    except Exception as error:
        pass_on(error)
        return None
