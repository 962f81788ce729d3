"""The words and values of the system: events, the three parts of an operation, and the operation people see.

Pure data without I/O, in one JSON form everywhere; unknown fields are ignored, so that versions may differ by one.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec


class Flag(StrEnum):
    """What is said of an operation while it runs."""

    UNRESPONSIVE = "unresponsive"
    DUPLICATE = "duplicate"
    QUIET = "quiet"


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
    STEP_LOG = "step.log"
    OPERATION_QUEUED = "operation.queued"
    OPERATION_UPDATE = "operation.update"
    OPERATION_VERDICT = "operation.verdict"
    GAP = "gap"


END_OF = {
    StepStatus.COMPLETE: EventType.STEP_COMPLETE,
    StepStatus.SKIPPED: EventType.STEP_SKIP,
    StepStatus.ERROR: EventType.STEP_ERROR,
    StepStatus.CANCELLED: EventType.STEP_ERROR,
}
"""The one event that ends a step so; its state tells a failed step from a cancelled one."""


class Wire(msgspec.Struct, omit_defaults=True, gc=False):
    """Base of what has a JSON form; fields at their default are left out of it. None ever holds itself (``gc``)."""


class Value(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """As ``Wire``, for what never changes once made."""


class Error(Value, frozen=True, omit_defaults=False):
    """Why something failed: ``type`` is the exception's class name, ``path`` leads to the failing step.

    ``step`` is the index of the operation's own step it happened in (0: in none), ``log`` its last log lines.
    """

    type: str
    message: str
    path: list[str] = []
    traceback: str = ""
    step: int = 0
    log: list[str] = []


class Worker(Value, frozen=True, omit_defaults=False):
    """The process that runs an operation."""

    host: str
    pid: int
    queue: str = ""


class StepState(Value, frozen=True):
    """One step, whole. ``started`` is UTC seconds, ``duration`` seconds of the step's own monotonic clock.

    A step that takes longer than ``warn_after`` seconds is over time. ``warned`` counts its warnings, ``warning``
    is the last of them. ``reused`` steps were not run: their kept result of an earlier attempt was taken.
    """

    index: int
    name: str
    # Made anew for each, as a default would be left out of the JSON form, and with it what people look for first.
    status: StepStatus = msgspec.field(default_factory=lambda: StepStatus.PENDING)
    started: float | None = None
    duration: float | None = None
    current: float | None = None
    total: float | None = None
    unit: str = ""
    detail: str = ""
    error: str = ""
    warn_after: float | None = None
    warned: int = 0
    warning: str = ""
    reused: bool = False


class LogLine(Value, frozen=True):
    """A line logged under a step (``step`` 0: under the operation), numbered per run from 1.

    ``level`` is ``"warning"`` or empty. ``attempt`` is known to readers only: the run the line belongs to.
    """

    number: int
    ts: float
    text: str
    step: int = 0
    level: str = ""
    attempt: int = 0


class Again(Value, frozen=True):
    """Somebody wants an operation to run once more: who, when (UTC seconds), after which run (empty: it never ran).

    ``task`` is the id of Celery's message, a new one each time. The new attempt ``resumes``, or starts over.
    """

    by: str
    at: float
    task: str
    run: str = ""
    resumes: bool = False


class QueuePart(Value, frozen=True):
    """What the sender says of an operation when it is queued; once more, with ``again``, for each later attempt.

    ``whole`` says that ``args`` are what was given, with nothing masked or cut, so that they may be sent once more.
    """

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
    whole: bool = False
    again: Again | None = None


class RunPart(Value, frozen=True):
    """What the one writer of a run says of it, apart from its steps.

    ``total`` is the number of declared steps, ``None`` while it is unknown; ``warned`` counts all warnings.
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
    warned: int = 0


class Verdict(Value, frozen=True):
    """What is judged from outside about a run (empty: the queued operation); ``running`` only flags, or withdraws."""

    status: Status
    at: float
    by: str
    run: str = ""
    reason: str = ""
    error: Error | None = None
    flags: list[str] = []


class CancelRequest(Value, frozen=True):
    """Somebody wants an operation to end: who, when (UTC seconds), and which run of it is meant (empty: it waited)."""

    by: str
    at: float
    run: str = ""


class Event(Wire):
    """One change, carrying the full new state of what it is about.

    (``run``, ``seq``) identifies it; the publisher numbers it when it cuts a blob, and adds what of the plan is
    ``pending``, once. ``log`` is a log line; a warning also carries the state of its step and of the run. ``dropped``
    counts log lines left out before a ``gap``. ``duplicate`` says that two runs are alive at once, ``quiet`` that the
    step tells nothing for unusually long, ``cancel`` that it is to end.
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
    pending: tuple[StepState, ...] = ()
    log: LogLine | None = None
    dropped: int = 0
    duplicate: bool | None = None
    quiet: bool | None = None
    cancel: CancelRequest | None = None


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

    @property
    def failed(self) -> int:
        """How many have ended otherwise than complete."""
        return self.error + self.cancelled + self.lost

    @property
    def ended(self) -> int:
        """How many have ended, good or bad."""
        return self.complete + self.failed


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
    duplicate: bool = False
    quiet: bool = False
    cancel: CancelRequest | None = None


class CurrentStep(Value, frozen=True, omit_defaults=False):
    """The step an operation is at; ``total`` is ``None`` while unknown."""

    index: int
    name: str
    total: int | None
    current: float | None = None
    of: float | None = None
    unit: str = ""


class Pace(Value, frozen=True, omit_defaults=False):
    """How fast children end, ``per_second``, and how many seconds are ``left`` at that rate, if that can be said."""

    per_second: float
    left: float | None = None


class Operation(Wire, omit_defaults=False):
    """An operation as people see it. ``steps`` and ``pace`` are ``None`` in lists; ``next_at``: when it may begin."""

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
    next_at: float | None = None
    step: CurrentStep | None = None
    error: Error | None = None
    warned: int = 0
    cancel: CancelRequest | None = None
    children: Children = Children()
    args: dict[str, Any] | None = None
    release: str = ""
    app: str = ""
    steps: list[StepState] | None = None
    pace: Pace | None = None


class LiveEvent(Wire, omit_defaults=False):
    """One change as watchers get it: the operation after it, without steps; and the step or the line it is about."""

    type: str
    ts: float
    operation: Operation
    step: StepState | None = None
    cursor: str = ""
    log: LogLine | None = None
