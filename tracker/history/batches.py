"""What becomes of the children that a batch's dispatch leaves behind when it ends before all are sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tracker.archive import runs_of
from tracker.clock import now
from tracker.compose import compose, has_died
from tracker.errors import DispatchDied
from tracker.history.reads import Reads
from tracker.ids import new_run
from tracker.model import Again, Error, Event, EventType, Parts, QueuePart, RunPart, Status, Verdict
from tracker.record import Attempt, Record
from tracker.store import RunBlob, Store, VerdictItem

PAGE = 200
"""Children read, or given up, at once."""

DEATHS = 5
"""How often in a row the dispatch of a batch may die without coming further, before it is given up."""

FAILED = (Status.ERROR, Status.CANCELLED, Status.LOST)
"""What has ended otherwise than complete."""


def queued_children(store: Store, batch: str) -> Iterator[Parts]:
    """The children of ``batch`` that are queued, in order."""
    return all_children(store, batch, Status.QUEUED)


def all_children(store: Store | Reads, batch: str, status: Status | None = None) -> Iterator[Parts]:
    """The children of ``batch`` that are there, or those with one status, in order."""
    page: str | None = None
    while True:
        found = store.children(batch, page=page, limit=PAGE, status=status)
        yield from found.items
        page = found.next
        if page is None:
            return


def give_up(store: Store, batch: str, sent: int, error: Error, by: str = "worker") -> None:
    """Call those children lost that were never sent, so that none stays queued for ever.

    ``sent`` is how many were, as far as is known: one whose message got out all the same is running as
    soon as a worker takes it. A child that somebody has queued again by itself is no concern of the batch.
    """
    head = store.operation(batch)
    again = head.queue.again if head is not None and head.queue is not None else None
    unsent = [child.id for child in queued_children(store, batch) if _is_due(child, again) and _index(child) > sent]
    lose(store, unsent, error, by)


def lose(store: Store, children: Sequence[str], error: Error, by: str = "worker") -> None:
    """Call those of ``children`` lost that are queued."""
    verdict = Verdict(Status.LOST, now(), by, error=error)
    items = [VerdictItem(child, Status.QUEUED, verdict) for child in children]
    for start in range(0, len(items), PAGE):
        store.append_apart(items[start : start + PAGE])


def untold_run(batch: str, queue: QueuePart, process: str = "") -> RunBlob:
    """A run of a batch's dispatch that died before anything of it was stored: told by others, so that it counts."""
    at, run = now(), new_run()
    head = RunPart(run, queue.name, queue.title, queue.created, at, Status.RUNNING)
    event = Event(EventType.OPERATION_START, batch, at, run, 1, head=head)
    return RunBlob(batch, run, [event], queue.parent, queue.created, head, process=process)


def check_dispatch(record: Record, sent: int, run: str) -> int:
    """How often in a row whatever dispatched a batch has died, without one more child having been sent in between.

    ``sent`` is how many are by now, ``run`` the run that asks, which is to go on. Raises ``DispatchDied`` if it must
    not. What has died for an earlier request to run the batch counts no more.
    """
    queue = record.parts.queue
    earlier = queue.again.run if queue is not None and queue.again is not None else ""
    count = 0
    for attempt in reversed(runs_of(record)):
        if attempt.run.run == run:
            continue
        if attempt.run.run == earlier or not has_died(attempt) or _sent_by(attempt, sent) != sent:
            break
        count += 1
    if count >= DEATHS:
        raise DispatchDied(
            f"the process that sends the batch's children has died {count} times in a row without sending one more; "
            "see in the log of its workers what ended it, then resume the batch"
        )
    return count


def _sent_by(attempt: Attempt, unsaid: int) -> int:
    """How far the children were sent when the run ended, by its own last word: it says so before it sends any."""
    return int(max((step.current for step in attempt.steps if step.current is not None), default=unsaid))


def _index(child: Parts) -> int:
    return child.queue.index if child.queue is not None else 0


def _is_due(child: Parts, again: Again | None) -> bool:
    """Whether a child was to be sent by its batch's dispatch, or by the one that somebody has asked for since."""
    asked = child.queue.again if child.queue is not None else None
    return asked is None or (again is not None and asked.task == task_of_child(again, _index(child)))


def task_of_child(again: Again, index: int) -> str:
    """The id of the message of a batch's child that is queued again with its batch."""
    return f"{again.task}.{index}"


def give_up_rest(store: Store, batch: Parts) -> None:
    """Call those children lost that an ended dispatch had not sent, for the reason for which it ended."""
    why = compose(batch, steps=False).error
    message = "it was not sent to a worker" + (f": {why.message}" if why is not None else "")
    give_up(store, batch.id, store.messages.sent(batch.id), Error(str(Status.LOST), message), "recorder")
