"""Signs of life: which processes execute tracked runs, when each was last heard of, and which runs are alive."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from tracker.complaints import Complaints
from tracker.model import Value
from tracker.store.client import Client
from tracker.store.decoding import SENSELESS, named
from tracker.store.keys import Keys

PAGE = 500
"""Leases, or live runs, read at once."""


class About(Value, frozen=True):
    """What a process says of itself with every sign of life.

    ``started`` is since when it tracks, in UTC seconds of its own clock; ``offset`` how many seconds Redis's clock is
    ahead of that, ``None`` while unknown. ``spool`` is what waits on its disk, in bytes; ``dropped`` counts runs of
    which it could not store the end.
    """

    host: str
    pid: int
    started: float
    release: str = ""
    offset: float | None = None
    spool: int = 0
    dropped: int = 0


class LeaseInfo(Value, frozen=True, omit_defaults=False):
    """A process that executes tracked runs. ``seen`` (UTC seconds) and ``age`` (seconds) are by Redis's clock.

    ``seqs`` are how far each of ``runs`` is stored, as far as the process knows.
    """

    process: str
    count: int
    seen: float
    age: float
    runs: list[str]
    seqs: list[int]
    about: About


class LiveRun(Value, frozen=True):
    """A run that has begun and not ended, as far as is known."""

    run: str
    operation: str
    process: str


_about = msgspec.json.Decoder(About).decode


class Leases:
    """Reads the leases and live runs of one namespace."""

    def __init__(self, client: Client, keys: Keys, complaints: Complaints) -> None:
        self._client = client
        self._keys = keys
        self._complaints = complaints

    def all(self) -> list[LeaseInfo]:
        """Every lease, the longest silent first."""
        with self._client.answering() as redis:
            processes = [named(name) for name in redis.zrange(self._keys.leases, 0, -1)]
            pages = [processes[start : start + PAGE] for start in range(0, len(processes), PAGE)]
            return [lease for page in pages for lease in self._page(redis, page)]

    def _page(self, redis: Any, processes: list[str]) -> Iterator[LeaseInfo]:
        pipe = redis.pipeline(transaction=False)
        pipe.time()
        for process in processes:
            pipe.hmget(self._keys.lease(process), "count", "seen", "runs", "about")
        (seconds, microseconds), *rows = pipe.execute()
        now = seconds + microseconds / 1_000_000
        for process, row in zip(processes, rows, strict=True):
            if None not in row:  # Else it was given back meanwhile.
                yield from self._lease(process, row, now)

    def _lease(self, process: str, row: list[bytes], now: float) -> Iterator[LeaseInfo]:
        try:
            yield _lease(process, row, now)
        except SENSELESS as error:
            self._complaints.say("lease", f"the sign of life of process {process!r} cannot be read: {error}")

    def runs(self) -> Iterator[LiveRun]:
        """Every live run, read in pages; one that begins or ends meanwhile may be among them or not."""
        cursor = 0
        while True:
            with self._client.answering() as redis:
                cursor, page = redis.hscan(self._keys.live, cursor, count=PAGE)
            for run, owner in page.items():
                operation, _, process = named(owner).partition(" ")
                yield LiveRun(named(run), operation, process)
            if cursor == 0:
                return


def _lease(process: str, row: list[bytes], now: float) -> LeaseInfo:
    count, seen, runs, about = row
    moment, held = float(seen), runs.decode().split()
    age, seqs = max(0.0, now - moment), [int(seq) for _, seq in zip(held[::2], held[1::2], strict=True)]
    return LeaseInfo(process, int(count), moment, age, held[::2], seqs, _about(about))
