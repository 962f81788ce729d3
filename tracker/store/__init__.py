"""The store: everything that is written to and read from Redis; the only package that imports redis.

Times that order things come from Redis or from the caller's own monotonic clock, never from a
comparison of two machines' clocks; what a write refuses or has done already it says in its answer.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

from tracker.complaints import Complaints
from tracker.model import LogLine, Parts, Status
from tracker.record import Record
from tracker.settings import Settings
from tracker.store.answers import Answers, Claim, InProgress, KnownRequest
from tracker.store.append import (
    Answer,
    Appender,
    Cancel,
    Earlier,
    Erase,
    Hold,
    Item,
    Lease,
    Leave,
    Passed,
    QueueItem,
    Quiet,
    RunBlob,
    Seal,
    Silence,
    Trim,
    VerdictItem,
)
from tracker.store.brief import Brief
from tracker.store.client import MAKES_NO_SENSE, Client
from tracker.store.erasing import Erasing
from tracker.store.follow import CURSOR, Change, Changes, Follower, Reset, Tick, age_of, changes_after, feed_last
from tracker.store.jobs import JobInfo, Jobs, JobWorker
from tracker.store.keys import Keys
from tracker.store.leases import About, LeaseInfo, Leases, LiveRun
from tracker.store.leaving import ArchiveInfo, Leaving
from tracker.store.messages import Follow, Messages, Paid, Sent, Take
from tracker.store.returning import Back, Below, Kept, QueueAgain
from tracker.store.server import ServerFacts, server_facts, slots
from tracker.store.snapshot import PAGE_PATTERN, Fits, Page, Snapshot
from tracker.store.trial import trial
from tracker.store.upkeep import Standing, Upkeep, standing, upkeep
from tracker.store.view import View

__all__ = [
    "CURSOR",
    "MAKES_NO_SENSE",
    "PAGE_PATTERN",
    "About",
    "Answer",
    "ArchiveInfo",
    "Back",
    "Below",
    "Cancel",
    "Change",
    "Changes",
    "Claim",
    "Earlier",
    "Erase",
    "Follow",
    "Hold",
    "InProgress",
    "Item",
    "JobInfo",
    "JobWorker",
    "Kept",
    "KnownRequest",
    "Lease",
    "LeaseInfo",
    "Leave",
    "LiveRun",
    "Page",
    "Paid",
    "Passed",
    "QueueAgain",
    "QueueItem",
    "Quiet",
    "Reset",
    "RunBlob",
    "Seal",
    "Sent",
    "ServerFacts",
    "Silence",
    "Standing",
    "Store",
    "Take",
    "Tick",
    "Trim",
    "Upkeep",
    "VerdictItem",
    "View",
]


CANCELLED_AT_ONCE = 20
"""Operations asked to end in one call, so that nobody else waits for Redis."""


class Store:
    """One namespace in one Redis. Connects at first use; calls raise ``StoreUnavailable``.

    >>> Store("redis://localhost:6379/0").keys.feed
    'tracker:{default}:feed'
    """

    def __init__(self, url: str, namespace: str = "default", *, live_days: int = 7, budget: int = 0) -> None:
        self.client = Client(url)
        self.keys = Keys(namespace)
        self.complaints = Complaints()
        self.appender = Appender(self.client, self.keys, live_days, budget)
        self._snapshot = Snapshot(self.client, self.keys, self.complaints)
        self._jobs = Jobs(self.client, self.keys, self.complaints)
        self._leases = Leases(self.client, self.keys, self.complaints)
        self.leaving = Leaving(self.client, self.keys, self.appender)
        self.brief = Brief(self.client, self.keys)
        self.answers = Answers(self.client, self.keys)
        self.erasing = Erasing(self.client, self.keys)
        self.messages = Messages(self.client, self.keys, self.complaints)

    @classmethod
    def of(cls, settings: Settings) -> Store:
        """The store that the settings name."""
        days, budget = settings.live_days, settings.redis_budget
        return cls(settings.redis_url or "", settings.namespace, live_days=days, budget=budget)

    def ping(self) -> None:
        """Return if Redis answers."""
        with self.client.answering() as redis:
            redis.ping()

    def server_facts(self) -> ServerFacts:
        """What the server says of itself; what it may not or cannot say is ``None``."""
        return server_facts(self.client)

    def slots(self) -> int:
        """Over how many slots of a cluster the keys are spread: one, or no script could reach them all."""
        return slots(self.client, self.keys)

    def upkeep(self) -> Upkeep:
        """Whether a recorder is active, and what waits for it."""
        return upkeep(self.client, self.keys)

    def standing(self) -> Standing:
        """How many top-level operations wait, and how many run."""
        return standing(self.client, self.keys)

    def trial(self) -> float:
        """Store an event and hear of it, unseen by every reader; the seconds that took. Nothing is left of it."""
        return trial(self.client, self.keys.namespace)

    def append(self, items: Sequence[Item]) -> list[Answer]:
        """Store and publish changes, in one call; one answer per item."""
        if not items:
            return []
        with self.client.answering():
            return self.appender(items)

    def append_apart(self, items: Sequence[Item]) -> None:
        """Store and publish changes of operations that have nothing to do with one another, in one call.

        One of which Redis can make no sense holds up no other.
        """
        try:
            self.append(items)
        except MAKES_NO_SENSE as error:
            if len(items) == 1:
                self.complaints.say("left out", f"a change is left out: {error}")
                return
            for item in items:
                self.append_apart([item])

    def cancel(self, id: str, by: str) -> bool:
        """Ask an operation to end, and everything open below it; ``False`` if there is none, or it has ended.

        What waits ends at once, and never begins; what runs is told at its next call, and ends if it heeds that.
        ``by`` says who asks. Whoever stops half-way may call again: what was asked before stays as it is.
        """
        (first,) = self.append([Cancel(id, by)])
        parents, seen = [id] if first.number else [], {id}
        while parents:
            below = [child for child in self._snapshot.open_children(parents.pop()) if child not in seen]
            seen.update(below)
            for start in range(0, len(below), CANCELLED_AT_ONCE):
                items = [Cancel(child, by) for child in below[start : start + CANCELLED_AT_ONCE]]
                answers = zip(items, self.append(items), strict=True)
                parents += [item.operation for item, answer in answers if answer.number]
        return first.kind != "ignored"

    def below(self, id: str) -> list[str]:
        """All operations below one that are known here, each before those it is below; they may have left."""
        return self._snapshot.below(id)

    def status(self, id: str) -> Status | None:
        """Where an operation stands, in one short read; ``None`` if it is not stored.

        One that must not begin any more is ``cancelled`` also for a while after it has left.
        """
        return self._snapshot.status(id)

    def waits(self, id: str) -> tuple[Status | None, str]:
        """Where an operation stands, and the id of the message it is to run again by; empty if it is not."""
        return self._snapshot.waits(id)

    def operation(self, id: str) -> Parts | None:
        """One operation with its steps, ``None`` if it is not stored."""
        return self._snapshot.operation(id)

    def runs(self, id: str) -> Record | None:
        """One operation with all its runs, ``None`` if it is not stored; without log lines and kept results."""
        return self._snapshot.runs(id)

    def heads(self, ids: Sequence[str]) -> list[Parts | None]:
        """Operations with only the step they are at; ``None`` for what is not stored."""
        return self._snapshot.heads(ids)

    def logs(self, id: str) -> list[LogLine]:
        """The last log lines of an operation, of all its attempts, oldest first; at most 1,000."""
        return self._snapshot.logs(id)

    def results(self, id: str) -> dict[str, bytes]:
        """Results that steps of an operation have kept for a later attempt, by key."""
        return self._snapshot.results(id)

    def operations(
        self,
        *,
        page: str | None = None,
        limit: int = 50,
        status: str | None = None,
        name: str | None = None,
        fits: Fits | None = None,
    ) -> Page:
        """Top-level operations, newest first, without their steps; of those that fit."""
        return self._snapshot.top_level(page, limit, status, name, fits)

    def children(self, id: str, *, page: str | None = None, limit: int = 50, status: str | None = None) -> Page:
        """Children of an operation in the order they were queued, without their steps."""
        return self._snapshot.children(id, page, limit, status)

    def publish_jobs(self, worker: str, jobs: Sequence[JobInfo]) -> None:
        """Say that ``worker`` is alive and runs ``jobs``."""
        self._jobs.publish(worker, jobs)

    def withdraw_worker(self, worker: str) -> None:
        """Say that ``worker`` has ended."""
        self._jobs.withdraw(worker)

    def workers(self) -> list[JobWorker]:
        """Every worker that waits for jobs, with its last sign of life."""
        return self._jobs.workers()

    def is_alive(self, worker: str) -> bool:
        """Whether ``worker`` has said lately that it is alive."""
        return self._jobs.is_alive(worker)

    def jobs(self) -> list[JobInfo]:
        """Every published job with the number of live workers that run it."""
        return self._jobs.all()

    def leases(self) -> list[LeaseInfo]:
        """Every process that executes tracked runs and has not said that it ends, the longest silent first."""
        return self._leases.all()

    def live_runs(self) -> Iterator[LiveRun]:
        """Every run that has begun and neither ended nor been lost, as far as is known."""
        return self._leases.runs()

    def cursor(self) -> str:
        """Where the feed ends now."""
        with self.client.answering() as redis:
            return feed_last(redis, self.keys)

    def events(self, id: str, after: str, limit: int, *, below: bool = False) -> Changes:
        """Changes of an operation behind a cursor, with ``below`` also of its children; raises ``EventsGone``."""
        return changes_after(self.client, self.keys, id, after, limit, below=below)

    def follow(
        self, *, operation: str | None = None, stop: threading.Event | None = None
    ) -> Iterator[Reset | Change | Tick]:
        """Every change from now on: of the namespace, or of one operation and its children.

        The first item is ``Reset("start", …)``, given once the follower listens: take the snapshot then.
        """
        return iter(Follower(Client(self.client.url), self.keys, operation, stop))

    def age(self, cursor: str) -> float:
        """How many seconds ago what is at ``cursor`` was stored, by Redis's clock."""
        return age_of(self.client, cursor)
