"""Batches while everything around them dies: they add up at every look, end, and do nothing twice."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.faults.conftest import Follow
from tests.faults.crashing_sender import POINTS
from tests.faults.pools import Pool, Start
from tests.faults.programs import Running
from tests.faults.proxy import FaultProxy
from tests.faults.servers import engine_of
from tests.store.making import batch_of
from tests.support import Clock, wait_for
from tracker.celery import dispatch
from tracker.engines import Engine
from tracker.history.liveness import LOST_AFTER
from tracker.history.recorder import Recorder
from tracker.model import ENDED, Children, Operation, Status
from tracker.queued import OnComplete
from tracker.store import Store

FATES = ["well"] * 7 + ["fails", "again", "dies"]

CONF = {"broker_transport_options": {"visibility_timeout": 5}}
"""Messages that a killed worker had reserved come back soon."""


@pytest.fixture
def engine() -> Engine:
    """One is enough: it is the workers that are under test."""
    return engine_of("bundled")


class Polling:
    """Looks at a batch all the time, in a thread."""

    def __init__(self, look: Callable[[], Children]) -> None:
        self.seen: list[Children] = []
        self._look = look
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._poll, daemon=True)
        self._thread.start()

    def _poll(self) -> None:
        while not self._over.wait(0.02):
            self.seen.append(self._look())

    def end(self) -> list[Children]:
        self._over.set()
        self._thread.join()
        return self.seen


def adds_up(counts: Children, size: int) -> bool:
    parts = [counts.queued, counts.running, counts.complete, counts.error, counts.cancelled, counts.lost]
    return counts.total == sum(parts) == size and min(parts) >= 0


def children_of(pool: Pool, batch: str) -> Iterator[Operation]:
    page: str | None = None
    while True:
        found = pool.history.children(batch, page=page, limit=200)
        yield from found.items
        page = found.next
        if page is None:
            return


def all_ended(pool: Pool, batch: str, size: int) -> list[Operation]:
    """The children, once every one has ended, and the batch with them.

    A message of a killed worker that the broker delivers again may run one once more, which then has to end as well.
    """
    children = list(children_of(pool, batch))
    has_ended = len(children) == size and {child.status for child in children} <= ENDED
    return children if has_ended and pool.history.operation(batch).status in ENDED else []


def kill_a_child(pool: Pool, batch: str) -> None:
    """One of the processes that run children just now."""
    running = pool.history.children(batch, status="running", limit=10).items
    for worker in [child.worker for child in running if child.worker is not None][:1]:
        with suppress(ProcessLookupError):
            os.kill(worker.pid, signal.SIGKILL)


def kill_the_dispatcher(pool: Pool, batch: str, size: int) -> None:
    """In the middle of its work."""
    wait_for(lambda: 0 < pool.store.messages.sent(batch) < size)
    worker = pool.history.operation(batch).worker
    assert worker is not None
    os.kill(worker.pid, signal.SIGKILL)


def kill_the_worker(pool: Pool, recorder: Recorder, clock: Clock) -> None:
    """All of it, and let so much time pass that everybody knows."""
    recorder.turn()
    pool.kill()
    pool.store.withdraw_worker(pool.name)
    clock.pass_by(LOST_AFTER + 30, recorder.turn)


@pytest.mark.parametrize(
    ("size", "seed"),
    [pytest.param(300, 21, id="short"), pytest.param(3_000, 22, marks=[pytest.mark.soak, pytest.mark.timeout(900)])],
)
def test_a_batch_adds_up_and_ends_whatever_dies(
    start: Start, following: Follow, clock: Clock, size: int, seed: int
) -> None:
    """Children that fail, ask to be run again, die, are killed and cancelled; the dispatcher and whole workers too."""
    chance = random.Random(seed)
    first = start(name="w@node-1", **CONF)
    recorder = Recorder(first.store)
    items = [{"file": str(first.notes), "fate": chance.choice(FATES)} for _ in range(size)]
    batch = first.queueing.batch("test.chances", items, {})
    follower, polling = following(first.store, batch), Polling(lambda: first.history.operation(batch).children)

    def has_ended(share: float) -> bool:
        return first.history.operation(batch).children.ended >= size * share

    kill_the_dispatcher(first, batch, size)
    for index in chance.sample(range(1, size + 1), size // 20):
        first.store.cancel(f"{batch}.{index}", "ada")
    wait_for(lambda: has_ended(0.1), 120)
    kill_the_worker(first, recorder, clock)
    second = start(name="w@node-2", **CONF)
    for share in (0.2, 0.3, 0.4):
        wait_for(lambda share=share: has_ended(share), 240)  # type: ignore[misc]
        kill_a_child(second, batch)
    kill_the_worker(second, recorder, clock)
    start(name="w@node-3", **CONF)
    wait_for(lambda: has_ended(0.8), 240)
    first.store.cancel(batch, "ada")
    children = wait_for(lambda: all_ended(first, batch, size), 60)
    looks = polling.end()
    heard = [change.children for change in follower.changes if change.parent == batch and change.children is not None]
    assert len(looks) > 50
    assert len(heard) > size
    assert all(adds_up(counts, size) for counts in [*looks, *heard])
    assert [counts.version for counts in looks] == sorted(counts.version for counts in looks)
    assert len(children) == size
    assert {Status.COMPLETE, Status.ERROR, Status.CANCELLED, Status.LOST} == {child.status for child in children}
    noted = Counter(first.noted())  # A run writes its note before it is known that it has begun.
    assert wait_for(lambda: noted <= Counter({child.id: child.attempt for child in children_of(first, batch)}))


@pytest.mark.parametrize("point", POINTS)
def test_what_follows_a_batch_runs_once_though_its_sender_is_killed(point: str, start: Start, tmp_path: Path) -> None:
    """… and another worker sends what is owed: a second message, if there is one, begins nothing."""
    pool, reached = start(), tmp_path / "reached"
    after = OnComplete("test.reports", {"file": str(pool.notes)})
    redis, lock = pool.store.client.redis, pool.store.keys.owed_sender
    redis.set(lock, "killed")
    batch = pool.queueing.batch("test.well", [{}], {}, on_complete=after)
    wait_for(lambda: redis.hlen(pool.store.keys.owed))
    arguments = ["-m", "tests.faults.crashing_sender", str(reached), point, "killed"]
    sender = Running(arguments, pool.store.client.url, tmp_path / "sender", **{
        name: value for name, value in pool.variables.items() if name not in ("TRACKER_REDIS_URL", "TRACKER_STATE_DIR")
    })  # fmt: skip
    try:
        assert sender.ended() == -signal.SIGKILL
    finally:
        sender.close()
    assert reached.read_text() == point
    redis.delete(lock)
    wait_for(lambda: redis.hlen(pool.store.keys.owed) == 0)
    assert pool.ended(f"{batch}.after").attempt == 1
    pool.whole(pool.submit("test.notes", file=str(tmp_path / "others")))
    assert pool.noted() == [batch]


def test_a_dispatch_that_finds_no_store_when_it_begins_waits_for_it(
    store: Store, far_store: Store, proxy: FaultProxy, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it does later on: a batch that was accepted does not fail because Redis was started anew just then."""
    batch_of(store, 3)
    proxy.refuse()

    class Healing:
        def wait(self, seconds: float) -> None:
            clock.time += seconds
            proxy.heal()

    monkeypatch.setattr(dispatch, "elapsed", clock)
    monkeypatch.setattr(dispatch, "_moment", Healing())
    known, sent = dispatch.stored(far_store, "b")
    assert known is not None
    assert (known.parts.children.total, sent) == (3, 0)
