"""Who works: the workers that wait for jobs, and the processes that execute tracked runs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import msgspec

from tracker.clock import now
from tracker.compose import compose
from tracker.model import CurrentStep, Parts, Value
from tracker.store import JobInfo, JobWorker, LeaseInfo, Store

FORGOTTEN_AFTER = 3600.0
"""Seconds after its last sign of life for which a process is told of; what became of its runs, their operations say."""

TOLD = 1_000
"""Operations that are told of with title and step, in all."""


class Running(Value, frozen=True, omit_defaults=False):
    """An operation that a process executes: ``started`` in UTC seconds, ``step`` the one it is at."""

    id: str
    run: str
    name: str
    title: str
    started: float | None
    step: CurrentStep | None
    flags: list[str]


class WorkerInfo(msgspec.Struct, frozen=True):
    """A worker or process, with its last sign of life: ``seen`` in UTC seconds, ``age`` seconds ago by Redis's clock.

    ``runs`` are what it executes now, and ``running`` the operations these belong to, of the first 1,000 in all.
    ``offset`` is how many seconds Redis's clock is ahead of its own, ``None`` while unknown; ``spool`` what waits on
    its disk, in bytes; ``dropped`` counts runs of which it could not store the end. A worker that waits for jobs
    (``jobs``, from ``queues``) executes them in processes of their own.
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
    running: list[Running] = []
    offset: float | None = None
    spool: int = 0
    dropped: int = 0


def found(store: Store) -> list[WorkerInfo]:
    """Workers by name, then processes that were heard in the last hour, the longest silent first."""
    jobs = {job.name: job for job in store.jobs()}
    leases = [lease for lease in store.leases() if lease.age < FORGOTTEN_AFTER]
    running = _running(store, leases)
    working = [_working(lease, [running[run] for run in lease.runs if run in running]) for lease in leases]
    return [*(_waiting(worker, jobs) for worker in store.workers()), *working]


def _running(store: Store, leases: Sequence[LeaseInfo]) -> dict[str, Running]:
    """The operations that are executed, by run."""
    executed = {run for lease in leases for run in lease.runs}
    if not executed:
        return {}
    known = islice((live for live in store.live_runs() if live.run in executed), TOLD)
    operations = {live.run: live.operation for live in known}
    heads = zip(operations, store.heads(list(operations.values())), strict=True)
    return {run: _told(run, parts) for run, parts in heads if parts is not None}


def _told(run: str, parts: Parts) -> Running:
    shown = compose(parts, steps=False)
    return Running(shown.id, run, shown.name, shown.title, shown.started, shown.step, shown.flags)


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


def _working(lease: LeaseInfo, running: list[Running]) -> WorkerInfo:
    about = lease.about
    return WorkerInfo(
        lease.process,
        about.host,
        about.pid,
        lease.seen,
        lease.age,
        release=about.release,
        runs=lease.runs,
        running=running,
        offset=about.offset,
        spool=about.spool,
        dropped=about.dropped,
    )
