"""The words and values of the system: events, the three parts of an operation, and ``compose``.

Pure data without I/O. Everything here has one JSON form, used in Redis, over HTTP, on the
WebSocket and in ``--json``; unknown fields are ignored, so that versions may differ by one.
"""

from __future__ import annotations

import os
import secrets
import time
from enum import StrEnum
from typing import Any

import msgspec

NAME_LIMIT = 200
"""Longest name, title, label or detail, in characters."""

ERROR_LIMIT = 8 * 1024
"""Longest error message or traceback, in characters."""

EVENT_LIMIT = 16 * 1024
"""Largest event, in bytes of JSON."""


class StepStatus(StrEnum):
    """Where a step stands."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETE = "complete"
    ERROR = "error"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class Status(StrEnum):
    """Where an operation stands."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETE = "complete"
    ERROR = "error"
    CANCELLED = "cancelled"
    LOST = "lost"


STEP_ENDED = frozenset({StepStatus.COMPLETE, StepStatus.ERROR, StepStatus.SKIPPED, StepStatus.CANCELLED})
"""Step statuses that never change again."""

ENDED = frozenset({Status.COMPLETE, Status.ERROR, Status.CANCELLED, Status.LOST})
"""Operation statuses in which nothing runs any more."""


class EventType(StrEnum):
    """What an event is about; the first five are the public vocabulary of the step tracker."""

    OPERATION_START = "operation.start"
    OPERATION_COMPLETE = "operation.complete"
    STEP_START = "step.start"
    STEP_COMPLETE = "step.complete"
    STEP_ERROR = "step.error"
    STEP_SKIP = "step.skip"
    STEP_PROGRESS = "step.progress"
    OPERATION_QUEUED = "operation.queued"
    OPERATION_UPDATE = "operation.update"
    OPERATION_VERDICT = "operation.verdict"
    GAP = "gap"


class Wire(msgspec.Struct, omit_defaults=True):
    """Base of what has a JSON form; fields at their default are left out of it."""


class Value(msgspec.Struct, frozen=True, omit_defaults=True):
    """As ``Wire``, for what never changes once made."""


class Error(Value, frozen=True):
    """Why something failed: ``type`` is the exception's class name, ``path`` leads to the failing step."""

    type: str
    message: str
    path: list[str] = []
    traceback: str = ""


class Worker(Value, frozen=True):
    """The process that runs an operation."""

    host: str
    pid: int
    queue: str = ""


class StepState(Value, frozen=True):
    """One step, whole. ``started`` is UTC seconds, ``duration`` seconds of the step's own monotonic clock."""

    index: int
    name: str
    status: StepStatus = StepStatus.PENDING
    started: float | None = None
    duration: float | None = None
    current: float | None = None
    total: float | None = None
    unit: str = ""
    detail: str = ""
    error: str = ""


class QueuePart(Value, frozen=True):
    """What the sender of a message says of an operation; written once, when it is queued."""

    name: str
    created: float
    title: str = ""
    queue: str = ""
    eta: float | None = None
    parent: str = ""
    batch: bool = False
    index: int = 0
    args: dict[str, Any] | None = None
    labels: dict[str, str] = {}


class RunPart(Value, frozen=True):
    """What the one writer of a run says of it, apart from its steps.

    ``total`` is the number of declared steps, ``None`` while it is unknown.
    ``status`` is ``queued`` for a run that asked to be run again later (``next_at``, UTC seconds).
    """

    run: str
    name: str
    title: str
    created: float
    started: float
    status: Status = Status.RUNNING
    total: int | None = None
    ended: float | None = None
    duration: float | None = None
    worker: Worker | None = None
    parent: str = ""
    labels: dict[str, str] = {}
    error: Error | None = None
    next_at: float | None = None
    release: str = ""
    app: str = ""


class Verdict(Value, frozen=True):
    """What was judged from outside: about which run (empty: about the queued operation), by whom, when."""

    status: Status
    at: float
    by: str
    run: str = ""
    reason: str = ""
    error: Error | None = None


class Event(Wire):
    """One change, carrying the full new state of what it is about.

    (``run``, ``seq``) identifies it; the publisher numbers it when it cuts a blob. ``pending`` are declared
    steps that have not begun, told with the operation's own events.
    """

    type: str
    operation: str
    ts: float
    run: str = ""
    seq: int = 0
    v: int = 1
    step: StepState | None = None
    head: RunPart | None = None
    queue: QueuePart | None = None
    verdict: Verdict | None = None
    pending: list[StepState] = []


class Children(Value, frozen=True, omit_defaults=False):
    """How many children stand where; ``version`` grows with every change, so older counts are recognised."""

    total: int = 0
    queued: int = 0
    running: int = 0
    complete: int = 0
    error: int = 0
    cancelled: int = 0
    lost: int = 0
    version: int = 0


class Parts(Wire):
    """Everything the store holds of one operation: each part whole, as its owner wrote it."""

    id: str
    rev: int = 0
    attempt: int = 0
    queue: QueuePart | None = None
    run: RunPart | None = None
    verdict: Verdict | None = None
    steps: dict[int, StepState] = {}
    children: Children = Children()


class CurrentStep(Value, frozen=True, omit_defaults=False):
    """The step an operation is at; ``total`` is ``None`` while unknown."""

    index: int
    name: str
    total: int | None
    current: float | None = None
    of: float | None = None
    unit: str = ""


class Operation(Wire, omit_defaults=False):
    """An operation as people see it: the one shape of HTTP, ``--json``, live views and the archive.

    ``steps`` is filled in the single view only, ``None`` in lists.
    """

    id: str
    name: str
    title: str
    status: Status
    created: float
    flags: list[str] = []
    attempt: int = 0
    run: str = ""
    rev: int = 0
    parent: str = ""
    batch: bool = False
    labels: dict[str, str] = {}
    worker: Worker | None = None
    started: float | None = None
    ended: float | None = None
    duration: float | None = None
    step: CurrentStep | None = None
    error: Error | None = None
    children: Children = Children()
    args: dict[str, Any] | None = None
    steps: list[StepState] | None = None


class LiveEvent(Wire, omit_defaults=False):
    """One change as watchers get it: the operation after it (without steps) and, for ``step.*``, the step."""

    type: str
    ts: float
    operation: Operation
    step: StepState | None = None
    cursor: str = ""


def new_id() -> str:
    """A fresh operation id: a UUID version 7 (RFC 9562), so ids sort by the time they were made."""
    stamp = time.time_ns() // 1_000_000
    value = (stamp << 80) | (0x7 << 76) | (secrets.randbits(12) << 64) | (0b10 << 62) | secrets.randbits(62)
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def new_run() -> str:
    """A fresh run id: 12 random characters, made by the run's writer and never reused."""
    return os.urandom(6).hex()


def status_of(queue: QueuePart | None, run: RunPart | None, verdict: Verdict | None) -> Status:
    """Where an operation stands, from its three parts; ``append.lua`` holds the same rule for its indexes.

    A batch is settled by its children, so only a verdict (or a failed dispatch) ends it. Otherwise the
    newest run decides: its own outcome is final, a verdict speaks only about a run still open.
    """
    if queue is not None and queue.batch:
        return _batch_status(run, verdict)
    if run is None:
        return verdict.status if verdict is not None and not verdict.run else Status.QUEUED
    if run.status is Status.RUNNING and verdict is not None and verdict.run == run.run:
        return verdict.status
    return run.status


def _batch_status(run: RunPart | None, verdict: Verdict | None) -> Status:
    if verdict is not None:
        return verdict.status
    if run is None:
        return Status.QUEUED
    return run.status if run.status in (Status.ERROR, Status.CANCELLED) else Status.RUNNING


def compose(parts: Parts, *, steps: bool = True) -> Operation:
    """The operation that ``parts`` add up to; the only place where people's view of it is made."""
    queue, run, verdict = parts.queue, parts.run, parts.verdict
    status = status_of(queue, run, verdict)
    settled = verdict if verdict is not None and verdict.status is status else None
    ended = _ended(status, run, settled)
    return Operation(
        id=parts.id,
        name=queue.name if queue else run.name if run else "",
        title=_title(queue, run),
        status=status,
        created=queue.created if queue else run.created if run else 0.0,
        attempt=parts.attempt,
        run=run.run if run else "",
        rev=parts.rev,
        parent=queue.parent if queue else run.parent if run else "",
        batch=queue.batch if queue else False,
        labels=(queue.labels if queue else {}) | (run.labels if run else {}),
        worker=run.worker if run else None,
        started=run.started if run else None,
        ended=ended,
        duration=_duration(run, ended),
        step=_current_step(parts),
        error=_error(run, settled, status),
        children=parts.children,
        args=queue.args if queue else None,
        steps=[parts.steps[index] for index in sorted(parts.steps)] if steps else None,
    )


def _title(queue: QueuePart | None, run: RunPart | None) -> str:
    if queue is not None and (queue.batch or run is None):
        return queue.title or queue.name
    return run.title if run is not None else ""


def _ended(status: Status, run: RunPart | None, settled: Verdict | None) -> float | None:
    if status not in ENDED:
        return None
    if settled is not None:
        return settled.at
    return run.ended if run is not None else None


def _duration(run: RunPart | None, ended: float | None) -> float | None:
    """Seconds from the run's start to the operation's end; two machines' clocks never make it negative."""
    if run is None or ended is None:
        return None
    if run.duration is not None and run.ended == ended:
        return run.duration
    return max(0.0, ended - run.started)


def _error(run: RunPart | None, settled: Verdict | None, status: Status) -> Error | None:
    if status not in (Status.ERROR, Status.LOST, Status.CANCELLED):
        return None
    if settled is not None:
        return settled.error or (Error(type=str(status), message=settled.reason) if settled.reason else None)
    return run.error if run is not None else None


def _current_step(parts: Parts) -> CurrentStep | None:
    """The failed step if there is one, else the newest that has begun."""
    begun = [step for step in parts.steps.values() if step.status is not StepStatus.PENDING]
    if not begun:
        return None
    failed = [step for step in begun if step.status is StepStatus.ERROR]
    step = max(failed or begun, key=lambda step: step.index)
    total = parts.run.total if parts.run else None
    return CurrentStep(step.index, step.name, total, step.current, step.total, step.unit)


def apply(parts: Parts, event: Event, rev: int, attempt: int = 0) -> bool:
    """Fold one stored event into ``parts``; ``False`` if it was known already (``rev`` not newer).

    The caller has checked that ``rev`` follows without a hole. ``attempt`` is what the store gave the
    event's run; an event of an older run changes nothing but ``rev``.
    """
    if rev <= parts.rev:
        return False
    parts.rev = rev
    if event.queue is not None:
        parts.queue = event.queue
    if event.verdict is not None:
        parts.verdict = event.verdict
    if event.head is not None and attempt >= parts.attempt:
        if parts.run is None or parts.run.run != event.head.run:
            parts.steps = {}
        parts.run, parts.attempt = event.head, attempt
    if parts.run is not None and parts.run.run == event.run:
        _apply_steps(parts, event)
    return True


def _apply_steps(parts: Parts, event: Event) -> None:
    for step in event.pending:
        parts.steps.setdefault(step.index, step)
    if event.step is not None:
        parts.steps[event.step.index] = event.step
