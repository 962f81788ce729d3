"""Who works: the workers that wait for jobs, and the processes that execute tracked runs."""

from __future__ import annotations

import msgspec

from tracker.clock import now
from tracker.store import JobInfo, JobWorker, LeaseInfo, Store


class WorkerInfo(msgspec.Struct, frozen=True):
    """A worker or process, with its last sign of life: ``seen`` in UTC seconds, ``age`` seconds ago by Redis's clock.

    ``runs`` are what it executes now. ``offset`` is how many seconds Redis's clock is ahead of its own, ``None`` while
    unknown; ``spool`` what waits on its disk, in bytes; ``dropped`` counts runs of which it could not store the end.
    A worker that waits for jobs (``jobs``, from ``queues``) executes them in processes of their own.
    """

    name: str
    host: str
    pid: int | None
    seen: float
    age: float
    release: str = ""
    queues: list[str] = []
    jobs: list[str] = []
    runs: list[str] = []
    offset: float | None = None
    spool: int = 0
    dropped: int = 0


def found(store: Store) -> list[WorkerInfo]:
    """Workers by name, then processes, the longest silent first."""
    jobs = {job.name: job for job in store.jobs()}
    return [*(_waiting(worker, jobs) for worker in store.workers()), *map(_working, store.leases())]


def _waiting(worker: JobWorker, jobs: dict[str, JobInfo]) -> WorkerInfo:
    known = [jobs[name] for name in worker.jobs if name in jobs]
    releases = {job.release for job in known}
    return WorkerInfo(
        worker.name,
        worker.name.partition("@")[2] or worker.name,
        None,
        now() - worker.age,
        worker.age,
        release=releases.pop() if len(releases) == 1 else "",
        queues=sorted({job.queue for job in known}),
        jobs=worker.jobs,
    )


def _working(lease: LeaseInfo) -> WorkerInfo:
    about = lease.about
    return WorkerInfo(
        lease.process,
        about.host,
        about.pid,
        lease.seen,
        lease.age,
        release=about.release,
        runs=lease.runs,
        offset=about.offset,
        spool=about.spool,
        dropped=about.dropped,
    )
