"""The sign of life of this process: one lease, renewed while any of its runs is open.

It travels with the events where there are some; where there are none, the publisher wakes for it.
"""

from __future__ import annotations

import os
from collections.abc import Collection

from tracker import process
from tracker.clock import elapsed, now
from tracker.publish.lane import Lane
from tracker.store import About, Answer, Lease

LEASE_EVERY = 5.0
"""Seconds between two renewals."""


class LeaseKeeper:
    """Says when the lease is to be renewed, and with what.

    At once with the first events of a run, so that it is known whose run it is however soon the process dies, then
    every ``LEASE_EVERY`` seconds; given back with the last events of the last run.
    """

    def __init__(self) -> None:
        self._started = now()
        self._offset: float | None = None
        self._told: frozenset[str] = frozenset()
        self._under_way: frozenset[str] | None = None
        self._sent = self._renew_at = 0.0

    def due(self, lanes: Collection[Lane], *, dropped: int = 0, spool: int = 0) -> list[Lease]:
        """The renewal that goes with the next call of the store, if one is due."""
        self._under_way = None
        open_runs = [lane.run for lane in lanes if lane.open]
        runs = frozenset(run.run for run in open_runs)
        if runs <= self._told and bool(runs) == bool(self._told) and (not runs or elapsed() < self._renew_at):
            return []
        worker = open_runs[0].worker if open_runs else None
        host, release = (worker.host if worker else process.host()), (open_runs[0].release if open_runs else "")
        about = About(host, os.getpid(), self._started, release, self._offset, spool, dropped)
        self._under_way, self._sent = runs, now()
        return [Lease(process.token(), {lane.run.run: lane.stored_seq for lane in lanes if lane.open}, about)]

    def answered(self, answer: Answer) -> None:
        """The store has the renewal; its answer tells the time."""
        self._told, self._under_way = self._under_way or frozenset(), None
        self._renew_at = elapsed() + LEASE_EVERY
        self._offset = round(answer.number / 1e6 - (self._sent + now()) / 2, 6)

    @property
    def waits(self) -> bool:
        """A renewal was sent and not answered yet."""
        return self._under_way is not None

    def pause(self) -> float | None:
        """Seconds until the next renewal, ``None`` while no run is open."""
        return max(0.0, self._renew_at - elapsed()) if self._told else None
