"""A producer that kills itself at a named point of the publisher; it needs no help of the product for that.

``python -m tests.faults.crashing FOLDER NAME POINT`` says ``begun`` with one operation open and stored, works when it
is sent a line, says ``safe`` when all that is stored or on disk, and then works on, each time it is sent one, until its
standard input ends. From ``safe`` on, or in a replay from the start, the calls that the point names are counted.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, NamedTuple

from tests.checker.history import Intent, Journal
from tests.checker.producer import Producer, told_to_end
from tracker import StepTracker, publish
from tracker.publish import Publisher, backlog, lease, outage
from tracker.publish.backlog import Backlog
from tracker.publish.lease import LeaseKeeper
from tracker.publish.spool import Spool
from tracker.store import Store

Situation = Literal["well", "outage", "drain", "replay"]
"""Redis answers; it does not; it does again; it does, and somebody else has left a spool behind."""

OPERATIONS = 10
"""Done before it says ``safe``."""

LONGEST = 30.0
"""Seconds to wait for what should take none."""


class Point(NamedTuple):
    """The process dies before or after the n-th call of a method, or of a function where a module finds it."""

    owner: type | ModuleType
    method: str
    when: Literal["before", "after"]
    nth: int
    situation: Situation


POINTS: dict[str, Point] = {
    "before an append": Point(Store, "append", "before", 3, "well"),
    "after an append, before its answer is handled": Point(Store, "append", "after", 3, "well"),
    "before the lease is renewed": Point(LeaseKeeper, "due", "before", 20, "well"),
    "when the lease is renewed, before that is noted": Point(LeaseKeeper, "answered", "before", 3, "well"),
    "at exit, before what waits is settled": Point(Publisher, "settle", "before", 1, "well"),
    "at exit, after what waited was settled": Point(Producer, "leave", "after", 1, "well"),
    "before a spool write": Point(Spool, "put", "before", 3, "outage"),
    "after a spool write, before it is noted": Point(Spool, "put", "after", 3, "outage"),
    "at exit, before what waits is on disk": Point(Publisher, "settle", "before", 1, "outage"),
    "at exit, after what waited is on disk": Point(Producer, "leave", "after", 1, "outage"),
    "in a drain, before the first call": Point(Backlog, "send", "before", 1, "drain"),
    "in a drain, after a call, before its blobs are taken": Point(Spool, "taken", "before", 2, "drain"),
    "in a drain, after blobs were taken": Point(Spool, "taken", "after", 2, "drain"),
    "in a drain, before the file is removed": Point(Spool, "remove", "before", 1, "drain"),
    "in a drain, after the file was removed": Point(Spool, "remove", "after", 1, "drain"),
    "in a replay, before the first call": Point(Backlog, "send", "before", 1, "replay"),
    "in a replay, after a call, before its blobs are taken": Point(Spool, "taken", "before", 2, "replay"),
    "in a replay, after blobs were taken": Point(Spool, "taken", "after", 2, "replay"),
    "in a replay, after the verdicts, before the file is removed": Point(Spool, "remove", "before", 1, "replay"),
    "in a replay, after the file was removed": Point(Spool, "remove", "after", 1, "replay"),
}


class Trap:
    """Stands in the place of a method, and counts its calls once it is ``armed``."""

    def __init__(self, point: Point, reached: Callable[[], object]) -> None:
        self.armed = point.situation == "replay"
        self._point = point
        self._reached = reached
        self._calls = 0
        plain = getattr(point.owner, point.method)

        def trapped(*args: Any, **kwargs: Any) -> Any:
            if self.armed:
                self._calls += 1
            self._pass("before")
            answer = plain(*args, **kwargs)
            self._pass("after")
            return answer

        setattr(point.owner, point.method, trapped)

    def _pass(self, when: str) -> None:
        if self._calls == self._point.nth and when == self._point.when:
            self._reached()
            os.kill(os.getpid(), signal.SIGKILL)


def keep_safe() -> bool:
    """Wait until everything so far is stored or on disk, as at the end of the process, and go on."""
    (publisher,) = publish._publishers
    return publisher._wait(LONGEST, lambda mine: max(publisher._answered, publisher._safe) >= mine, lambda: False)


def in_a_hurry() -> None:
    """Small numbers, so that every point is reached soon."""
    outage.PATIENCE = 0.0
    outage.LONGEST_PAUSE = 0.1
    lease.LEASE_EVERY = 0.05
    backlog.BLOBS_PER_CALL = 4


class Program:
    """One operation that stays open, and what a ``Producer`` does inside it."""

    def __init__(self, folder: Path, name: str, point: str) -> None:
        self.trap = Trap(POINTS[point], lambda: (folder / "reached").write_text(point)) if point else None
        self._journal = Journal(folder / f"journal-{name}.ndjson")
        self._producer = Producer(self._journal, name, len(name))
        self._title = f"outer {name}"
        self._name = name

    def run(self) -> None:
        self._journal.write(Intent("start", self._title, f"{self._name}-outer"))
        with StepTracker(self._title, id=f"{self._name}-outer", display="quiet") as tracker:
            self._step(tracker, 1)
            self._say_safe("begun")
            self._step(tracker, 2)
            for _ in range(OPERATIONS):
                self._producer.work()
            if self.trap is not None:
                self._say_safe("safe", self.trap)
                self._work_on()
            self._journal.write(Intent("end", self._title, status="complete"))
        if self.trap is None:
            assert keep_safe()
        self._producer.leave()

    def _step(self, tracker: StepTracker, index: int) -> None:
        self._journal.write(Intent("step", self._title, step=index, status="running"))
        with tracker.step(f"Step {index}"):
            self._journal.write(Intent("step", self._title, step=index, status="complete"))

    def _say_safe(self, word: str, trap: Trap | None = None) -> None:
        assert keep_safe()
        self._journal.write(Intent("safe"))
        if trap is not None:
            trap.armed = True
        print(word, flush=True)
        sys.stdin.readline()

    def _work_on(self) -> None:
        while not told_to_end():
            self._producer.work()
            select.select([sys.stdin], [], [], 0.002)


if __name__ == "__main__":
    in_a_hurry()
    Program(Path(sys.argv[1]), sys.argv[2], sys.argv[3]).run()
