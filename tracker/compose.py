"""What an operation's parts add up to, and how events fold into them; pure functions of values.

The only place where an operation's status and people's view of it are made.
"""

from __future__ import annotations

import msgspec

from tracker.model import (
    ENDED,
    CurrentStep,
    Error,
    Event,
    Flag,
    Operation,
    Pace,
    Parts,
    QueuePart,
    RunPart,
    Status,
    StepState,
    StepStatus,
    Verdict,
)
from tracker.record import Attempt

ENOUGH = 2.0
"""Seconds after which a rate means something."""

# Looked up once: before Python 3.12 a member of an enum takes longer to find than all that is asked about it.
RUNNING, QUEUED, CANCELLED = Status.RUNNING, Status.QUEUED, Status.CANCELLED
PENDING, STEP_FAILED = StepStatus.PENDING, StepStatus.ERROR

LIFE = "life"
"""Who withdraws what was judged of a run that was silent."""

UNSUCCESSFUL = frozenset({Status.ERROR, Status.LOST, Status.CANCELLED})
"""Of which there may be an error to tell."""


def status_of(queue: QueuePart | None, run: RunPart | None, verdict: Verdict | None) -> Status:
    """Where an operation stands, from its three parts; ``settling.lua`` holds the same rule for the indexes.

    A batch is settled by its children, so only a verdict (or a failed dispatch) ends it. Otherwise the
    newest run decides: its own outcome is final, a verdict speaks only about a run still open, and of one that
    asked to be run again only to cancel that. A verdict ``running`` decides nothing.
    """
    if queue is not None and queue.batch:
        return _batch_status(run, verdict)
    if run is None:
        return verdict.status if verdict is not None and not verdict.run else QUEUED
    if verdict is None or verdict.run != run.run:
        return run.status
    waits = run.status is QUEUED and verdict.status is CANCELLED
    return verdict.status if run.status is RUNNING or waits else run.status


def _batch_status(run: RunPart | None, verdict: Verdict | None) -> Status:
    if verdict is not None and verdict.status is not RUNNING:
        return verdict.status
    if run is None:
        return QUEUED
    return run.status if run.status in (Status.ERROR, CANCELLED) else RUNNING


def compose(parts: Parts, *, steps: bool = True) -> Operation:
    """The operation that ``parts`` add up to; the only place where people's view of it is made."""
    queue, run, verdict, cancel = parts.queue, parts.run, parts.verdict, parts.cancel
    status = status_of(queue, run, verdict)
    settled = verdict if verdict is not None and verdict.status is status else None
    ended = _ended(status, run, settled)
    return Operation(
        id=parts.id,
        name=queue.name if queue else run.name if run else "",
        title=_title(queue, run),
        status=status,
        created=queue.created if queue else run.created if run else 0.0,
        flags=_flags(parts) if status is RUNNING else [],
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
        next_at=_next_at(queue, run) if status is QUEUED else None,
        step=_current_step(parts),
        error=_error(run, settled, status),
        warned=run.warned if run else 0,
        cancel=cancel if cancel is not None and cancel.run == (run.run if run else "") else None,
        children=parts.children,
        # The message to the worker carries what was given; whoever only looks gets it without secrets.
        args=queue.args if queue else None,
        release=run.release if run else "",
        app=run.app if run else "",
        steps=[parts.steps[index] for index in sorted(parts.steps)] if steps else None,
    )


def moved(shown: Operation, parts: Parts) -> Operation:
    """What ``parts`` add up to, without steps, if they have changed by ``of_steps`` events only since they were shown.

    That is most of what happens, and takes a quarter of the time.
    """
    return msgspec.structs.replace(shown, rev=parts.rev, step=_current_step(parts))


def of_steps(event: Event) -> bool:
    """Whether an event changes nothing of an operation but its steps."""
    others = (event.head, event.queue, event.verdict, event.cancel, event.duplicate, event.quiet)
    return others == (None, None, None, None, None, None)


def pace_of(operation: Operation, now: float) -> Pace | None:
    """How fast the children of a running operation end, by all of them since it began; ``None`` while that says little.

    >>> children = Children(total=40, running=20, complete=20)
    >>> pace_of(Operation("a", "a", "A", Status.RUNNING, 100.0, children=children), 110.0)
    Pace(per_second=2.0, left=10.0)
    """
    ended, passed = operation.children.ended, now - (operation.started or operation.created)
    if operation.status is not Status.RUNNING or not ended or passed < ENOUGH:
        return None
    rate = ended / passed
    return Pace(rate, (operation.children.total - ended) / rate)


def as_of(parts: Parts, attempt: Attempt) -> Operation:
    """The operation as it was at one of its attempts, with the steps of that run.

    What became of its children is told of the newest one only.
    """
    run, queue, verdict = attempt.run, parts.queue, attempt.verdict
    if parts.run is not None and parts.run.run == run.run:
        return compose(parts)
    if queue is not None and queue.batch:
        # An attempt with which its children did not settle a batch was only a dispatch.
        settled = verdict is not None and not verdict.run and verdict.status in ENDED
        queue = msgspec.structs.replace(queue, batch=settled)
    if verdict is not None and has_died(attempt):
        verdict = msgspec.structs.replace(verdict, status=Status.LOST)
    steps = {step.index: step for step in attempt.steps}
    shown = compose(Parts(parts.id, parts.rev, attempt.number, queue, run, verdict, steps))
    if run.ended is not None and shown.ended is None:  # It asked to be run again, which ended it as a run.
        shown.ended, shown.duration = run.ended, run.duration
    return shown


def has_died(attempt: Attempt) -> bool:
    """Whether a run has ended without a word of its own, as far as others have said so.

    Of one that another one follows, it is only noted what the operation does all the same: it waits, or a batch runs.
    """
    run, verdict = attempt.run, attempt.verdict
    if run.status is not RUNNING or verdict is None or verdict.run != run.run:
        return False
    if verdict.status is RUNNING:
        return verdict.by != LIFE and not verdict.flags
    return verdict.status in (QUEUED, Status.LOST)


def _flags(parts: Parts) -> list[str]:
    run, verdict = parts.run, parts.verdict
    judged = verdict.flags if verdict is not None and run is not None and verdict.run == run.run else []
    quiet = [Flag.QUIET] if parts.quiet and not judged else []  # Of a process that is silent itself, it says nothing.
    return [*judged, *quiet, *([Flag.DUPLICATE] if parts.duplicate else [])]


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


def _next_at(queue: QueuePart | None, run: RunPart | None) -> float | None:
    """For when its run asked to be run again, or its sender wanted it to begin; whoever resumes it says nothing."""
    if run is not None:
        return run.next_at
    return queue.eta if queue is not None and queue.again is None else None


def _error(run: RunPart | None, settled: Verdict | None, status: Status) -> Error | None:
    """Why it did not succeed; of one that waits to be run again, why its run asked for that."""
    if status is QUEUED and run is not None and run.status is QUEUED:
        return run.error
    if status not in UNSUCCESSFUL:
        return None
    if settled is not None:
        return settled.error or (Error(type=str(status), message=settled.reason) if settled.reason else None)
    return run.error if run is not None else None


def _current_step(parts: Parts) -> CurrentStep | None:
    """The failed step if there is one, else the newest that has begun."""
    here: StepState | None = None
    for step in parts.steps.values():
        if step.status is not PENDING and (here is None or _rank(step) > _rank(here)):
            here = step
    if here is None:
        return None
    total = parts.run.total if parts.run else None
    return CurrentStep(here.index, here.name, total, here.current, here.total, here.unit)


def _rank(step: StepState) -> tuple[bool, int]:
    return step.status is STEP_FAILED, step.index


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
    if event.cancel is not None:
        parts.cancel = event.cancel
    if event.duplicate is not None:
        parts.duplicate = event.duplicate
    if event.quiet is not None:
        parts.quiet = event.quiet
    if event.head is not None and attempt >= parts.attempt:
        if parts.run is None or parts.run.run != event.head.run:
            parts.steps, parts.quiet = {}, False
        parts.run, parts.attempt = event.head, attempt
    if parts.run is not None and parts.run.run == event.run:
        _apply_steps(parts, event)
    return True


def _apply_steps(parts: Parts, event: Event) -> None:
    for step in event.pending:
        parts.steps.setdefault(step.index, step)
    if event.step is not None:
        parts.steps[event.step.index] = event.step
