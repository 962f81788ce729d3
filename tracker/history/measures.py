"""How a namespace is doing, in numbers: what its queue and recorder look like, and what waits elsewhere.

Reads a bounded part of what is stored, however much that is: the newest top-level operations, the leases, and a few
counters.
"""

from __future__ import annotations

from collections import Counter

import msgspec

from tracker.clock import now
from tracker.compose import compose
from tracker.model import Children, Operation, Status
from tracker.store import Store, Upkeep

NEWEST = 1_000
"""Top-level operations that are looked at."""


class Measures(msgspec.Struct):
    """``operations`` are how many of a name have a status, among the newest that are in Redis; a batch counts as its
    children. ``waits`` are the seconds between the making and the start of those that have begun.
    """

    operations: dict[tuple[str, Status], int]
    waits: list[float]
    oldest_queued: float
    """Seconds since the making of the one that is queued the longest, 0 if none is."""
    upkeep: Upkeep
    workers: int
    """Workers that wait for jobs."""
    processes: int
    """Processes that execute something."""
    spool: int
    """What waits on the disks of these, in bytes."""
    dropped: int
    """Runs of which these could not store the end."""


def measures(store: Store) -> Measures:
    """Read them now; raises ``StoreUnavailable``."""
    found = [compose(parts, steps=False) for parts in store.operations(limit=NEWEST).items]
    leases = store.leases()
    queued = [operation.created for operation in found if operation.status is Status.QUEUED]
    return Measures(
        operations=_by_status(found),
        waits=sorted(max(0.0, operation.started - operation.created) for operation in found if operation.started),
        oldest_queued=max(0.0, now() - min(queued)) if queued else 0.0,
        upkeep=store.upkeep(),
        workers=len(store.workers()),
        processes=len(leases),
        spool=sum(lease.about.spool for lease in leases),
        dropped=sum(lease.about.dropped for lease in leases),
    )


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
