"""New attempts of operations that have ended: rerun starts over, resume reuses what steps have kept.

Every refusal is raised before anything is stored or sent. Which attempt is meant is said with the request: of two who
ask at once, one is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from msgspec.structs import replace

from tracker.archive import runs_of
from tracker.celery.expected import NOTHING, of_children, of_steps
from tracker.celery.queueing import Queueing
from tracker.celery.schema import validate
from tracker.clock import now
from tracker.compose import compose
from tracker.errors import CannotRunAgain, InvalidArguments, NotFound, UnknownJob
from tracker.history import History
from tracker.ids import new_id
from tracker.model import ENDED, Again, Operation, Parts, QueuePart
from tracker.queued import Expected
from tracker.record import Record
from tracker.redact import line
from tracker.store import JobInfo, QueueAgain, Store

DISPATCH_AGAIN = "tracker.dispatch_again"
"""Name of the task that queues children of a batch again."""


class Plan(NamedTuple):
    """What resuming an operation comes to: with what it was queued, the job that runs it, and what is to be expected.

    ``children`` are those of a batch that run again.
    """

    record: Record
    queue: QueuePart
    job: JobInfo
    expected: Expected
    children: Sequence[str] = ()


class Repeating:
    """Makes new attempts of operations of one namespace.

    What cannot be run again raises ``CannotRunAgain``; both calls also raise ``NotFound``, ``NoWorker``,
    ``StoreUnavailable``, ``ArchiveUnavailable`` and ``BrokerUnavailable``. Only the last one leaves the operation
    otherwise than it was: cancelled, and free to be run again.
    """

    def __init__(self, store: Store, history: History, queueing: Queueing) -> None:
        self._store = store
        self._history = history
        self._queueing = queueing

    def rerun(self, id: str, by: str) -> Expected:
        """Queue an operation once more, to start over."""
        record = self._history.record(id)
        queue, job = self._checked(record)
        if queue.batch:
            raise CannotRunAgain(f"{id} is a batch, which is not run over; resume what has failed, or queue a new one")
        _check_arguments(queue, job)
        self._queue(record, replace(queue, again=_asked(record, by)), job, job.name, queue.args or {})
        return Expected(NOTHING)

    def resume(self, id: str, by: str, *, force: bool = False) -> Expected:
        """Queue an operation once more, to go on with what its steps have kept; of a batch, what has not completed.

        With ``force`` also if the workers run another release than the last attempt; then nothing can be reused.
        """
        plan = self._plan(id, force=force)
        part = replace(plan.queue, again=_asked(plan.record, by, resumes=True))
        if part.batch:
            self._history.bring_back(*plan.children)
            self._queue(plan.record, part, plan.job, DISPATCH_AGAIN, {"batch": id})
        else:
            self._queue(plan.record, part, plan.job, plan.job.name, part.args or {})
        return plan.expected

    def expected(self, id: str) -> Expected:
        """What ``resume`` would do now. Changes nothing, and raises what that would raise before anything is sent."""
        return self._plan(id, force=False).expected

    def _plan(self, id: str, *, force: bool) -> Plan:
        record = self._history.record(id)
        queue, job = self._checked(record)
        if not force:
            _check_release(record, job)
        if queue.batch:
            return self._plan_of_batch(record, queue, job)
        _check_arguments(queue, job)
        last = runs_of(record)[-1:]
        steps = last[0].steps if last else []
        return Plan(record, queue, job, of_steps(steps, self._history.results(id), job.release))

    def _checked(self, record: Record) -> tuple[QueuePart, JobInfo]:
        """What the operation was queued with, and the job that would run it."""
        operation, queue = compose(record.parts), record.parts.queue
        if operation.status not in ENDED:
            raise CannotRunAgain(f"{operation.id} is {operation.status}; wait until it has ended, or cancel it")
        if queue is None:
            raise _no_job(operation)
        try:
            return queue, self._queueing.job(queue.name)
        except UnknownJob:
            raise _no_job(operation) from None

    def _plan_of_batch(self, record: Record, queue: QueuePart, job: JobInfo) -> Plan:
        id = record.parts.id
        failed = [(child.id, _is_whole(child)) for child in self._history.failed_children(id)]
        again = [child for child, is_whole in failed if is_whole]
        if not failed:
            raise CannotRunAgain(f"all children of {id} have completed; there is nothing to resume")
        if not again:
            raise CannotRunAgain(f"no child of {id} can run again: their arguments were not kept as they were given")
        return Plan(record, queue, job, of_children(len(again), len(failed) - len(again)), again)

    def _queue(self, record: Record, part: QueuePart, job: JobInfo, task: str, args: dict[str, Any]) -> None:
        id, shown = record.parts.id, compose(record.parts)
        part = replace(part, queue=job.queue, title=shown.title or part.title)
        self._history.bring_back(id)
        (answer,) = self._store.append([QueueAgain(id, shown.status, part)])
        if answer.kind != "stored":
            raise CannotRunAgain(f"{id} has changed meanwhile; look at it, and ask again if you still want to")
        self._queueing.send(Parts(id, queue=part), task, args, above=self._above(shown))

    def _above(self, operation: Operation) -> Sequence[str]:
        """The title of what it is below, if that is known."""
        with suppress(NotFound):
            return [self._history.operation(operation.parent).title] if operation.parent else []
        return []


def _asked(record: Record, by: str, *, resumes: bool = False) -> Again:
    run = record.parts.run
    return Again(line(by), now(), new_id(), run.run if run is not None else "", resumes)


def _no_job(operation: Operation) -> CannotRunAgain:
    what = f"no worker has published a job {operation.name!r}" if operation.name else "it was no job"
    return CannotRunAgain(f"nothing here can start {operation.id} again: {what}; start it where it was started before")


def _is_whole(child: Parts) -> bool:
    return child.queue is not None and child.queue.whole


def _check_arguments(queue: QueuePart, job: JobInfo) -> None:
    if not queue.whole:
        why = "they were masked or cut" if queue.args is not None else "none were kept"
        raise CannotRunAgain(f"its arguments are not known as they were given: {why}; queue a new operation")
    try:
        validate(job.schema, queue.args or {}, "/args")
    except InvalidArguments as error:
        raise CannotRunAgain(f"its arguments no longer fit the job {job.name!r}: {error}") from None


def _check_release(record: Record, job: JobInfo) -> None:
    runs = runs_of(record)
    if runs and runs[-1].run.release != job.release:
        raise CannotRunAgain(
            f"its last attempt ran release {runs[-1].run.release!r}, and the workers now run {job.release!r}, "
            "so nothing it kept can be reused; rerun it, or resume it with force"
        )
