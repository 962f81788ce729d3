"""The event bus of this process: hands every event to the publisher and to subscribers.

The one guard between tracking and the work: what a subscriber or the sink does wrong is logged once and
never reaches the caller. Holds no state of operations and does no I/O.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from tracker import clock
from tracker.errors import TrackerError
from tracker.interrupts import pass_on
from tracker.model import END_OF, Event, EventType, LogLine, RunPart, Status, StepState, StepStatus
from tracker.redact import TEXT, line

if TYPE_CHECKING:
    import logging

    from tracker.run import RunWriter
    from tracker.step import Step

# Bound once: looking up an enum's member costs several times as much as a plain name.
_PENDING, _RUNNING = StepStatus.PENDING, StepStatus.RUNNING
_START, _PROGRESS = EventType.STEP_START, EventType.STEP_PROGRESS

EVERYTHING = "*"
"""Subscribes to events of every type."""


class BusEvent(msgspec.Struct, frozen=True):
    """What subscribers get: ``type`` (``"step.start"`` …) and ``data``, described at ``EventBus.subscribe``.

    >>> from tracker import StepTracker
    >>> def on_end(event: BusEvent) -> None:
    ...     print(event.data["operation"], event.data["status"])
    >>> unsubscribe = event_bus.subscribe("operation.complete", on_end)
    >>> with StepTracker("Import", display="quiet"):
    ...     pass
    Import complete
    >>> unsubscribe()
    """

    type: str
    data: Mapping[str, Any]


Callback = Callable[[BusEvent], object]


class Sink(Protocol):
    """Takes changes out of the process, in the order they happen; ``put`` and ``step`` take microseconds."""

    def put(self, run: RunWriter, event: Event) -> None:
        """Take an event as it is. Never raises and never blocks."""

    def step(self, step: Step) -> None:
        """Take note that ``step`` has changed; how, ``news`` says when it is told. Never raises and never blocks."""

    def flush(self, timeout: float) -> bool:
        """Wait until all is delivered; ``False`` if that took longer than ``timeout`` seconds."""

    def settle(self, timeout: float) -> bool:
        """As ``flush``, for a process that ends: all is delivered, or safe where it outlives the process."""

    def note(self, item: Any) -> None:
        """Take a change of an operation that is not run here, as the store understands it. Never raises or blocks."""


def logger() -> logging.Logger:
    """The package's logger; logging is loaded when there is something to say."""
    import logging

    return logging.getLogger("tracker")


class _Subscriber:
    __slots__ = ("callback", "failed")

    def __init__(self, callback: Callback) -> None:
        self.callback = callback
        self.failed = False

    def call(self, event: BusEvent) -> None:
        try:
            self.callback(event)
        except Exception as error:
            pass_on(error)
            if not self.failed:
                self.failed = True
                logger().exception("a subscriber of %s failed; further failures of it are not logged", event.type)


class EventBus:
    """Events of this process, in the order they happen.

    >>> bus = EventBus()
    >>> unsubscribe = bus.subscribe("step.complete", print)
    >>> unsubscribe()
    """

    def __init__(self) -> None:
        self._subscribers: dict[str, tuple[_Subscriber, ...]] = {}
        self._factory: Callable[[], Sink | None] | None = None
        self._sink: Sink | None = None
        self._asked = False
        self._sink_broken = False
        self._lock = threading.RLock()

    def subscribe(self, type: str, callback: Callback) -> Callable[[], None]:
        """Call ``callback(event)`` for every event of ``type`` (``"*"``: of any); returns a function that ends it.

        ``event.data`` holds ``operation`` (the title given to ``StepTracker``), ``operation_id``, ``run``,
        ``status``, ``timestamp`` (ISO 8601, UTC), ``total_steps`` (``None`` while unknown); for steps also
        ``step``, ``step_index``, ``duration`` (seconds) and ``error``; for log lines ``line`` and ``level`` (``info``
        or ``warning``), with the step they are under or ``None``; at the end of an operation ``success``,
        ``steps`` (how many), ``duration`` and ``error``. The callback runs in the thread that made the change;
        what it raises is logged once and otherwise ignored. Raises ``TrackerError`` for a type that there is not.
        """
        if type not in (EVERYTHING, *EventType):
            types = ", ".join(EventType)
            raise TrackerError(f"there are no events of type {type!r}; use {EVERYTHING!r} or one of {types}")
        subscriber = _Subscriber(callback)
        with self._lock:
            self._subscribers = self._subscribers | {type: (*self._subscribers.get(type, ()), subscriber)}
        return lambda: self._unsubscribe(type, subscriber)

    def _unsubscribe(self, type: str, subscriber: _Subscriber) -> None:
        with self._lock:
            left = tuple(held for held in self._subscribers.get(type, ()) if held is not subscriber)
            others = {key: held for key, held in self._subscribers.items() if key != type}
            self._subscribers = others | {type: left} if left else others

    def connect(self, factory: Callable[[], Sink | None]) -> None:
        """Where events leave the process: ``factory`` is asked once, at the first event, and again after a fork."""
        self._factory = factory
        self.reconnect()

    def reconnect(self) -> None:
        """Ask the factory again at the next event."""
        with self._lock:
            self._asked, self._sink = False, None

    def emit(self, run: RunWriter, event: Event) -> None:
        """Hand on an event of the operation itself, or a log line."""
        sink = self._sink if self._asked else self._ask()
        if sink is not None:
            try:
                sink.put(run, event)
            except Exception as error:
                self._sink_failed(error)
        if self._subscribers:
            self._notify(run, event)

    def step(self, type: EventType, step: Step) -> None:
        """Hand on the change of a step; costs next to nothing while nobody listens.

        After ``step.progress`` without anybody to tell, the step stays dirty and does not ask again.
        """
        sink = self._sink if self._asked else self._ask()
        if sink is not None:
            try:
                sink.step(step)
            except Exception as error:
                self._sink_failed(error)
        if self._subscribers and (type in self._subscribers or EVERYTHING in self._subscribers):
            if sink is None:
                step.dirty = False
            self._notify(step._run, event_of(type, step))

    def note(self, item: Any) -> None:
        """Hand on a change of an operation that is not run here, such as one sent away; no subscriber hears of it."""
        sink = self._sink if self._asked else self._ask()
        if sink is not None:
            try:
                sink.note(item)
            except Exception as error:
                self._sink_failed(error)

    @property
    def publishes(self) -> bool:
        """Whether events leave the process; known from the first event on."""
        return self._sink is not None

    def flush(self, timeout: float) -> bool:
        """Wait until everything emitted so far is delivered, at most ``timeout`` seconds; whether it is."""
        try:
            return self._sink is None or self._sink.flush(timeout)
        except Exception as error:
            self._sink_failed(error)
            return False

    def settle(self, timeout: float) -> bool:
        """As ``flush``, for a process that ends: wait until all is delivered, or safe where it outlives the process."""
        try:
            return self._sink is None or self._sink.settle(timeout)
        except Exception as error:
            self._sink_failed(error)
            return False

    def _notify(self, run: RunWriter, event: Event) -> None:
        held = self._subscribers
        listeners = held.get(event.type, ()) + held.get(EVERYTHING, ())
        if not listeners:
            return
        told = BusEvent(str(event.type), payload(event, run))
        for subscriber in listeners:
            subscriber.call(told)

    def _ask(self) -> Sink | None:
        with self._lock:
            if not self._asked:
                self._sink = self._made()
                self._asked = True
            return self._sink

    def _made(self) -> Sink | None:
        try:
            return self._factory() if self._factory is not None else None
        except Exception as error:
            pass_on(error)
            logger().warning("events of this process are not published: %s", line(error, TEXT))
            return None

    def _sink_failed(self, error: Exception) -> None:
        pass_on(error)
        if not self._sink_broken:
            self._sink_broken = True
            logger().exception("the publisher failed; further failures of it are not logged")

    def _forget(self) -> None:
        """Start anew: a forked child has neither the sink's thread nor, perhaps, the lock's owner."""
        self._lock = threading.RLock()
        self._asked = self._sink_broken = False
        self._sink = None


def news(step: Step) -> EventType | None:
    """What is to be told of ``step`` next, and notes that it is told; ``None`` if there is nothing new.

    A sink notes every change as the step itself and asks here when it tells: once for each note, in their order. Of
    progress only the newest matters, and none once the step has ended.
    """
    status, told = step.status, step.told
    if told is _PENDING and status is not _PENDING:
        step.told = _RUNNING
        return _START
    if step.dirty:
        step.dirty = False
        return _PROGRESS if status is _RUNNING else None
    if told is _RUNNING and status is not _RUNNING:
        step.told = status
        return END_OF[status]
    return None


def event_of(type: EventType, step: Step) -> Event:
    """The event that tells ``type`` of ``step``: with its state as it began, or as it is."""
    run = step._run
    if type is _START:
        return Event(type, run.operation, step._started, run.run, step=step._begun())
    state = step.state()
    # Progress is that of now. What has ended changes no more.
    ts = clock.now() if state.duration is None else step._started + state.duration
    return Event(type, run.operation, ts, run.run, step=state)


def payload(event: Event, run: RunWriter) -> dict[str, Any]:
    """``BusEvent.data`` of an event."""
    data: dict[str, Any] = {
        "operation": run.title,
        "operation_id": event.operation,
        "run": event.run,
        "timestamp": datetime.fromtimestamp(event.ts, UTC).isoformat(),
        "total_steps": run.total,
    }
    if event.step is not None:
        data |= _of_step(event.step)
    if event.log is not None:
        return data | _of_line(event.log, run)
    if event.head is not None:
        data |= _of_operation(event.head, run)
    return data


def _of_step(step: StepState) -> dict[str, Any]:
    return {
        "step": step.name,
        "step_index": step.index,
        "status": str(step.status),
        "duration": step.duration,
        "error": step.error or None,
        "detail": step.detail,
        "current": step.current,
        "total": step.total,
        "unit": step.unit,
        "warned": step.warned,
        "reused": step.reused,
    }


def _of_line(log: LogLine, run: RunWriter) -> dict[str, Any]:
    step = run.steps[log.step] if log.step else None
    return {
        "status": str(step.status if step is not None else run.status),
        "step": step.name if step is not None else None,
        "step_index": log.step or None,
        "line": log.text,
        "level": log.level or "info",
    }


def _of_operation(head: RunPart, run: RunWriter) -> dict[str, Any]:
    data: dict[str, Any] = {"status": str(head.status), "steps": len(run.steps)}
    if head.ended is not None:
        error = head.error
        data["success"] = head.status is Status.COMPLETE
        data["duration"] = head.duration
        data["error"] = (error.message or error.type) if error is not None else None
    return data


event_bus = EventBus()
"""The bus every tracker of this process uses."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=event_bus._forget)
