"""What becomes of the children that a batch's dispatch leaves behind when it ends before all are sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tracker.clock import now
from tracker.compose import compose
from tracker.model import Error, Parts, Status, Verdict
from tracker.store import Store, VerdictItem

PAGE = 200
"""Children read, or given up, at once."""


def queued_children(store: Store, batch: str) -> Iterator[Parts]:
    """The children of ``batch`` that are queued, in order."""
    page: str | None = None
    while True:
        found = store.children(batch, page=page, limit=PAGE, status="queued")
        yield from found.items
        page = found.next
        if page is None:
            return


def give_up(store: Store, batch: str, sent: int, error: Error, by: str = "worker") -> None:
    """Call those children lost that were never sent, so that none stays queued for ever.

    ``sent`` is how many were, as far as is known: one whose message got out all the same is running as
    soon as a worker takes it.
    """
    lose(
        store,
        [child.id for child in queued_children(store, batch) if child.queue and child.queue.index > sent],
        error,
        by,
    )


def lose(store: Store, children: Sequence[str], error: Error, by: str = "worker") -> None:
    """Call those of ``children`` lost that are queued."""
    verdict = Verdict(Status.LOST, now(), by, error=error)
    items = [VerdictItem(child, Status.QUEUED, verdict) for child in children]
    for start in range(0, len(items), PAGE):
        store.append(items[start : start + PAGE])


def give_up_rest(store: Store, batch: Parts) -> None:
    """Call those children lost that an ended dispatch had not sent, for the reason for which it ended."""
    why = compose(batch, steps=False).error
    message = "it was not sent to a worker" + (f": {why.message}" if why is not None else "")
    give_up(store, batch.id, store.messages.sent(batch.id), Error(str(Status.LOST), message), "recorder")
