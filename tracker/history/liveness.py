"""Judges runs whose process gives no sign of life: first ``unresponsive``, then ``lost``.

Time is the judge's own monotonic clock, and only counts while it hears of Redis without interruption: two machines'
clocks are never compared, and after an outage everybody has the whole time again. The store checks every judgement
once more, and withdraws it by itself when the run lives.
"""

from __future__ import annotations

import time

import msgspec

from tracker import clock
from tracker.history.quiet import QuietRuns
from tracker.model import Flag, Status, Verdict
from tracker.store import LeaseInfo, LiveRun, Silence, Store

UNRESPONSIVE_AFTER = 30.0
"""Seconds without a sign of life after which a run is called unresponsive."""

LOST_AFTER = 300.0
"""Seconds without a sign of life after which a run is called lost."""

AT_ONCE = 100
"""Judgements in one call, so that nobody else waits for Redis."""


class _Mark(msgspec.Struct, frozen=True):
    """Since when a run has given no sign, and what its lease has counted since then; ``None``: it is not listed."""

    count: int | None
    since: float


class Liveness:
    """Judges the runs of one namespace. ``late`` is after how many seconds a turn comes too late to trust the clock.

    Those that live are looked at by ``quiet`` as well, if there is a history to hold them against.
    """

    def __init__(self, store: Store, late: float, quiet: QuietRuns | None = None) -> None:
        self._store = store
        self._late = late
        self._quiet = quiet
        self._marks: dict[str, _Mark] = {}
        self._turned: float | None = None

    def forget(self) -> None:
        """Nothing was observed for a while: every run has the whole time again."""
        self._marks.clear()
        self._turned = None
        if self._quiet is not None:
            self._quiet.forget()

    def turn(self) -> None:
        """Look at every live run once, and judge those that were silent too long; raises ``StoreUnavailable``."""
        started = clock.elapsed()
        if self._turned is not None and started - self._turned > self._late:
            self.forget()
        self._turned = started
        runs = list(self._store.live_runs())
        leases = {lease.process: lease for lease in self._store.leases()} if runs else {}
        self._marks = {run.run: self._mark(run, leases.get(run.process)) for run in runs}
        due = [item for run in runs if (item := self._judgement(run, leases.get(run.process))) is not None]
        for start in range(0, len(due), AT_ONCE):
            self._judge(due[start : start + AT_ONCE])
        if self._quiet is not None:
            self._quiet.turn(_told(runs, leases, {run for run, mark in self._marks.items() if mark.since >= started}))

    def _mark(self, run: LiveRun, lease: LeaseInfo | None) -> _Mark:
        """The run's mark; a new one if its process has counted on since, or has only now ceased to list it."""
        sign = lease.count if lease is not None and run.run in lease.runs else None
        mark = self._marks.get(run.run)
        if mark is None or sign != mark.count:
            return _Mark(sign, clock.elapsed())
        return mark

    def _judgement(self, run: LiveRun, lease: LeaseInfo | None) -> Silence | None:
        silent = clock.elapsed() - self._marks[run.run].since
        if silent < UNRESPONSIVE_AFTER:
            return None
        lost = silent >= LOST_AFTER
        status, flags = (Status.LOST, []) if lost else (Status.RUNNING, [Flag.UNRESPONSIVE.value])
        at = clock.now()
        reason = _reason(run, lease, at - silent)
        verdict = Verdict(status, at, "recorder", run=run.run, reason=reason, flags=flags)
        return Silence(run.process, lease.count if lease is not None else None, run.operation, verdict)

    def _judge(self, items: list[Silence]) -> None:
        """Every turn anew, as long as it is due: the store knows what it has been told before."""
        self._store.append_apart(items)


def _told(runs: list[LiveRun], leases: dict[str, LeaseInfo], heard: set[str]) -> dict[LiveRun, int]:
    """How far each run has told that was heard of."""
    seqs = {process: dict(zip(lease.runs, lease.seqs, strict=True)) for process, lease in leases.items()}
    listed = [run for run in runs if run.run in heard and run.run in seqs.get(run.process, ())]
    return {run: seqs[run.process][run.run] for run in listed}


def _reason(run: LiveRun, lease: LeaseInfo | None, since: float) -> str:
    if lease is not None and run.run not in lease.runs and lease.age < UNRESPONSIVE_AFTER:
        return "its process goes on without it"
    moment = lease.seen if lease is not None else since
    return f"no sign of life since {time.strftime('%H:%M:%S', time.gmtime(moment))} UTC"
