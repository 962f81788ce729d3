"""How a namespace is doing, in numbers: what its queue and recorder look like, and what waits elsewhere.

Reads a bounded part of what is stored, however much that is: the newest top-level operations, the leases, and a few
counters.
"""

from __future__ import annotations

from collections import Counter

import msgspec

from tracker.clock import now
from tracker.compose import compose
from tracker.history.liveness import LOST_AFTER
from tracker.model import Children, Operation, Parts, Status
from tracker.store import Store, Upkeep

NEWEST = 1_000
"""Top-level operations that are looked at."""


class Measures(msgspec.Struct):
    """``operations`` are how many of a name have a status, among the newest that are in Redis; a batch counts as its
    children. ``waits`` are the seconds that those that have begun for the first time had waited for a worker.
    """

    operations: dict[tuple[str, Status], int]
    waits: list[float]
    oldest_queued: float
    """Seconds for which the one that is queued the longest might have begun, 0 if there is none."""
    upkeep: Upkeep
    workers: int
    """Workers that wait for jobs."""
    processes: int
    """Processes that execute something and are not lost."""
    spool: int
    """What waits on the disks of these, in bytes."""
    dropped: int
    """Runs of which these could not store the end."""


def measures(store: Store) -> Measures:
    """Read them now; raises ``StoreUnavailable``."""
    parts = store.operations(limit=NEWEST).items
    found = [compose(each, steps=False) for each in parts]
    leases = store.leases()
    queued = (operation for operation in found if operation.status is Status.QUEUED)
    return Measures(
        operations=_by_status(found),
        waits=sorted(wait for wait in map(_wait, parts) if wait is not None),
        oldest_queued=max([0.0, *(now() - max(each.created, each.next_at or 0.0) for each in queued)]),
        upkeep=store.upkeep(),
        workers=len(store.workers()),
        processes=sum(lease.age < LOST_AFTER for lease in leases),
        spool=sum(lease.about.spool for lease in leases),
        dropped=sum(lease.about.dropped for lease in leases),
    )


def _wait(parts: Parts) -> float | None:
    """Seconds from its making, or from when its sender wanted it to begin, to the start of a first attempt."""
    queue, run = parts.queue, parts.run
    if run is None or parts.attempt > 1:
        return None
    sent = queue.created if queue is not None else run.created
    wanted = (queue.eta if queue is not None else None) or 0.0
    return max(0.0, run.started - max(sent, wanted))


def _by_status(found: list[Operation]) -> dict[tuple[str, Status], int]:
    counts: Counter[tuple[str, Status]] = Counter()
    for operation in found:
        if operation.batch:
            counts.update({(operation.name, status): _number(operation.children, status) for status in Status})
        else:
            counts[operation.name, operation.status] += 1
    return {place: count for place, count in counts.items() if count}


def _number(children: Children, status: Status) -> int:
    return int(getattr(children, status))
