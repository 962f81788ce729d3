"""Queueing from outside: checks a request against what the workers publish, stores it, sends it.

The operation is stored before its message is sent, so that it is visible from the first moment; when
the broker does not take the message, the operation says so and counts as cancelled. Arguments are stored as they
may be shown; as they were given, they are in messages only.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any

from tracker.celery.schema import validate, validate_all
from tracker.clock import elapsed, now
from tracker.compose import compose
from tracker.errors import BrokerUnavailable, InvalidArguments, NoWorker, StoreUnavailable, UnknownJob
from tracker.history.batches import queued_children
from tracker.ids import new_id
from tracker.limits import BATCH_LIMIT
from tracker.model import Error, Operation, Parts, QueuePart, Status, Verdict
from tracker.queued import OnComplete
from tracker.redact import line, safe_labels, value
from tracker.settings import Settings
from tracker.store import Follow, Item, JobInfo, QueueItem, Seal, Sent, Store, VerdictItem

DISPATCH = "tracker.dispatch"
"""Name of the task that sends a batch's children."""

JOBS_HOLD = 1.0
"""Seconds for which a job that had a live worker counts as having one: whoever queues much asks once for all."""

STORED_AT_ONCE = 200
"""Children stored in one call."""


class Queueing:
    """Queues jobs of one namespace. Every refusal is raised before anything is stored or sent."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._jobs: dict[str, JobInfo] = {}
        self._read = 0.0

    def submit(self, job: str, args: dict[str, Any], labels: dict[str, str]) -> str:
        """Queue one operation; returns its id. Raises as ``queue``."""
        id = new_id()
        self.queue(job, args, labels, id)
        return id

    def queue(self, job: str, args: dict[str, Any], labels: dict[str, str], id: str) -> Operation | None:
        """Queue one operation under an ``id``; returns it as it was stored.

        Under an id that is queued already nothing is sent again, and the answer is ``None``. Raises ``UnknownJob``,
        ``NoWorker``, ``InvalidArguments``, ``StoreUnavailable``, ``BrokerUnavailable``.
        """
        info = self._recent(job)
        validate(info.schema, args, "/args")
        shown = value(args)
        title = _title(info.name, shown)
        part = QueuePart(
            info.name, now(), title=title, queue=info.queue, args=shown, labels=safe_labels(labels), whole=shown == args
        )
        (answer,) = self._store.append([QueueItem(id, part)])
        if answer.kind != "stored":
            return None
        operation = Parts(id, answer.number, queue=part)
        self.send(operation, info.name, args)
        return compose(operation)

    def batch(
        self,
        job: str,
        items: list[dict[str, Any]],
        labels: dict[str, str],
        title: str = "",
        id: str = "",
        on_complete: OnComplete | None = None,
    ) -> str:
        """Queue one operation per item, as children of a batch; returns the batch's id, which is ``id`` if given.

        All children are stored, as queued, before the batch's dispatch is sent. Under an id that is queued already
        nothing is stored or sent again. Once the batch and all its children have ended, however they did,
        ``on_complete`` is queued, once. Raises as ``submit``.
        """
        info = self._recent(job)
        _check_items(info, items)
        batch = id or new_id()
        follow = self._follow(batch, on_complete, labels) if on_complete is not None else None
        title = line(title or f"{info.name}: {len(items)} operations")
        part = QueuePart(info.name, now(), title=title, queue=info.queue, labels=safe_labels(labels), batch=True)
        (answer, *_) = self._store.append([QueueItem(batch, part), *([follow] if follow is not None else [])])
        if answer.kind != "stored":
            return batch
        children = [_child(part, batch, index, args) for index, args in enumerate(items, 1)]
        self._append([*children, Seal(batch, len(items))])
        hidden = {child.operation: args for child, args in zip(children, items, strict=True) if not child.part.whole}
        dispatched = {"batch": batch, "hidden": hidden}
        self.send(Parts(batch, queue=part), DISPATCH, dispatched, [child.operation for child in children])
        self._note_sent(batch)
        return batch

    def _follow(self, batch: str, on_complete: OnComplete, labels: dict[str, str]) -> Follow:
        """What follows a batch waits in the store, so it cannot have what is not stored."""
        info = self.job(on_complete.job, "/on_complete/job")
        takes_batch = "batch" in info.schema.get("properties", {})
        args = ({"batch": batch} if takes_batch else {}) | on_complete.args
        validate(info.schema, args, "/on_complete/args")
        if value(args) != args:
            message = "what runs after a batch waits in Redis, where no secrets or very long texts are kept"
            raise InvalidArguments(f"{message}; let the job look them up", "/on_complete/args")
        labels = safe_labels({"batch": batch, **labels})
        part = QueuePart(
            info.name, now(), title=_title(info.name, args), queue=info.queue, args=args, labels=labels, whole=True
        )
        return Follow(batch, f"{batch}.after", part)

    def _note_sent(self, batch: str) -> None:
        """If it cannot be noted, the dispatch itself will show that it was sent."""
        with suppress(StoreUnavailable):
            self._store.append([Sent(batch)])

    def give_up(self, id: str, why: str) -> bool:
        """Cancel an operation that waits and has not begun, with what is below it; ``False`` if it has.

        A message that is on its way to a worker all the same will find it so, and do nothing. Nothing follows it.
        """
        verdict = Verdict(Status.CANCELLED, now(), "sender", reason=why)
        (answer,) = self._store.append([VerdictItem(id, Status.QUEUED, verdict)])
        if answer.kind != "stored":
            return False
        below = [VerdictItem(child.id, Status.QUEUED, verdict) for child in queued_children(self._store, id)]
        self._append([Follow(id), *below])
        return True

    def job(self, name: str, pointer: str = "/job") -> JobInfo:
        """The job of that name, if it can be queued now; raises ``UnknownJob`` and ``NoWorker``.

        ``pointer`` says where it is named in a request.
        """
        self._jobs, self._read = {info.name: info for info in self._store.jobs()}, elapsed()
        info = self._jobs.get(name)
        if info is None:
            known = ", ".join(sorted(self._jobs)) or "none, as no worker has started yet"
            raise UnknownJob(f"there is no job {name[:200]!r}; published jobs: {known}", pointer)
        if not info.workers:
            raise NoWorker(f"no live worker runs {name!r}; start one with `tracker worker`")
        return info

    def _recent(self, name: str) -> JobInfo:
        """As ``job``, by what the workers said a moment ago: whoever queues much need not ask each time."""
        info = self._jobs.get(name)
        known = info is not None and info.workers and elapsed() - self._read <= JOBS_HOLD
        return info if info is not None and known else self.job(name)

    def _append(self, items: Sequence[Item]) -> None:
        for start in range(0, len(items), STORED_AT_ONCE):
            self._store.append(items[start : start + STORED_AT_ONCE])

    def send(
        self,
        operation: Parts,
        task: str,
        args: dict[str, Any],
        children: Sequence[str] = (),
        above: Sequence[str] = (),
    ) -> None:
        """Hand a stored operation to the broker; if that takes nothing, it and its ``children`` count as cancelled.

        ``above`` are the titles of the operations around it. Raises ``BrokerUnavailable``.
        """
        from kombu.exceptions import KombuError, OperationalError

        try:
            self._sender.send(operation, task, args, above, new_id())
        except (KombuError, OperationalError, OSError) as error:
            said = line(f"{type(error).__name__}: {error}")
            self._append([Follow(operation.id), *(_given_up(id, said) for id in (operation.id, *children))])
            raise BrokerUnavailable(
                f"the broker did not take the message ({type(error).__name__}); nothing will run, try again"
            ) from error

    @cached_property
    def _sender(self) -> Any:
        from tracker.celery.sending import Sender

        return Sender(self._settings)


def _given_up(operation: str, said: str) -> VerdictItem:
    error = Error("BrokerUnavailable", said)
    verdict = Verdict(Status.CANCELLED, now(), "sender", reason="the broker did not take it", error=error)
    return VerdictItem(operation, Status.QUEUED, verdict)


def _title(job: str, shown: dict[str, Any]) -> str:
    """What people read until the job gives a title of its own: its name and its plain arguments."""
    return line(" ".join([job, *(str(held) for held in shown.values() if isinstance(held, str | int | float))]))


def _child(batch: QueuePart, id: str, index: int, args: dict[str, Any]) -> QueueItem:
    shown = value(args)
    title = _title(batch.name, shown)
    part = QueuePart(
        batch.name, batch.created, title=title, queue=batch.queue, parent=id, index=index, args=shown,
        labels=batch.labels, whole=shown == args,
    )  # fmt: skip
    return QueueItem(f"{id}.{index}", part)


def _check_items(info: JobInfo, items: Sequence[dict[str, Any]]) -> None:
    if not items:
        raise InvalidArguments("a batch needs at least one item", "/items")
    if len(items) > BATCH_LIMIT:
        raise InvalidArguments(f"a batch takes at most {BATCH_LIMIT:,} items, not {len(items):,}", "/items")
    validate_all(info.schema, ((f"/items/{index}", args) for index, args in enumerate(items)))
