"""Erases an operation with all below it from wherever it is kept: from Redis, from the archive, and what comes late.

The recorder takes what watchers were told of it out of the feed, of many operations at once: that may take a while.
"""

from __future__ import annotations

from collections.abc import Sequence

from tracker.archive import Archive
from tracker.compose import compose
from tracker.errors import NotEnded
from tracker.history.reads import Reads
from tracker.model import ENDED, Parts
from tracker.store import Erase, Store

AT_ONCE = 20
"""Operations in one call of the store, which does nothing else meanwhile."""


def erase(store: Store, archive: Archive | None, reads: Reads, parts: Parts) -> None:
    """Erase an operation as it was found. Whoever is stopped half-way may call again.

    Raises ``NotEnded`` if it is open, or what it is below, or anything below it: nothing is erased then.
    """
    kept = archive if archive is not None and archive.exists else None
    below = store.below(parts.id)
    _check(store, reads, parts, below)
    known = dict.fromkeys([*(kept.below(parts.id) if kept else ()), *below])
    # Redis first: from then on the recorder brings nothing of it to the archive that stays there.
    ids = [*known, parts.id]
    for start in range(0, len(ids), AT_ONCE):
        answers = store.append([Erase(id) for id in ids[start : start + AT_ONCE]])
        if any(answer.kind != "stored" for answer in answers):
            raise NotEnded(f"{parts.id} was begun again meanwhile; end it first")
        store.answers.erase(ids[start : start + AT_ONCE])
    for id in reversed(ids):
        if kept is not None:
            kept.erase(id)


def _check(store: Store, reads: Reads, parts: Parts, below: Sequence[str]) -> None:
    operation = compose(parts, steps=False)
    if operation.status not in ENDED:
        raise NotEnded(f"{parts.id} is {operation.status}; cancel it, and erase it when it has ended")
    above = reads.operation(operation.parent) if operation.parent else None
    if above is not None and compose(above, steps=False).status not in ENDED:
        raise NotEnded(f"{parts.id} belongs to {operation.parent}, which has not ended; erase it when that has")
    heads = store.heads(below)
    open_ones = [head.id for head in heads if head is not None and compose(head, steps=False).status not in ENDED]
    if open_ones:
        raise NotEnded(f"{len(open_ones)} operations below {parts.id} have not ended, such as {open_ones[0]}")
