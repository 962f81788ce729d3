"""What tracking takes in Redis: little while an operation lives, nothing afterwards, and never more than it may."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery

from tests.faults.servers import BreakableServer
from tests.support import wait_for
from tracker import StepTracker, _sink, event_bus
from tracker.archive import Archive
from tracker.history import archiving
from tracker.history.recorder import Recorder
from tracker.publish import Publisher
from tracker.store import Store

STEPS = ("Fetch", "Check", "Convert", "Write", "Report")

BUDGET = 2 * 2**20


@pytest.fixture
def store(server: BreakableServer) -> Iterator[Store]:
    store = Store(server.url, budget=BUDGET)
    yield store
    store.client.disconnect()


@pytest.fixture(autouse=True)
def publisher(server: BreakableServer, store: Store) -> Iterator[Publisher]:
    publisher = Publisher(store)
    event_bus.connect(lambda: publisher)
    yield publisher
    assert publisher.flush(20)
    event_bus.connect(_sink)


def import_orders(number: int) -> Iterator[None]:
    """An operation of five steps; it waits while the last one runs."""
    with StepTracker("Import the orders", id=f"import-{number}", steps=STEPS, display="quiet") as tracker:
        for name in STEPS[:-1]:
            with tracker.step(name):
                pass
        tracker.step(STEPS[-1])
        yield


def taken(store: Store) -> int:
    """Bytes of all keys but the feed, which is bounded by itself."""
    redis = store.client.redis
    keys = [key for key in redis.scan_iter(store.keys.prefix + "*") if key.decode() != store.keys.feed]
    return sum(redis.memory_usage(key, samples=0) or 0 for key in keys)


def test_a_live_operation_of_five_steps_takes_three_kilobytes_at_most(publisher: Publisher, store: Store) -> None:
    """With its place in every index."""
    running = [import_orders(number) for number in range(101)]
    next(running[0])
    assert publisher.flush(20)
    before = taken(store)
    for operation in running[1:]:
        next(operation)
    assert publisher.flush(20)
    assert taken(store) - before <= 100 * 3 * 1024
    for operation in running[::-1]:
        list(operation)


def test_what_ended_operations_take_is_known(publisher: Publisher, store: Store) -> None:
    """By what the server itself says of each, but for the indexes, of which only about how much one takes is known."""
    for number in range(200):
        list(import_orders(number))
    assert publisher.flush(20)
    known = store.client.redis.get(f"{store.keys.prefix}bytes")
    assert 0.95 < int(known) / taken(store) < 1.06


def test_nothing_is_left_in_redis_of_what_was_archived(
    publisher: Publisher, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a hundred operations there is what there was after the first one."""
    monkeypatch.setattr(archiving, "QUIET", 0.0)
    archive = Archive(f"sqlite:///{tmp_path}/archive.sqlite3")
    recorder = Recorder(store, archive)
    left = []
    for numbers in (range(1), range(1, 101)):
        for number in numbers:
            list(import_orders(number))
        assert publisher.flush(20)
        wait_for(lambda: (recorder.turn(), store.operations(limit=1).items)[1] == [])
        keys = sorted(key.decode() for key in store.client.redis.scan_iter("*"))
        left.append((keys, taken(store)))
    assert left[0][0] == left[1][0]
    assert left[1][1] <= left[0][1] + 64
    archive.close()


def test_without_a_recorder_the_budget_holds_and_the_broker_takes_tasks(
    publisher: Publisher, server: BreakableServer, store: Store
) -> None:
    """Though much more was tracked than the server has room for."""
    server.admin.config_set("maxmemory-policy", "noeviction")
    server.admin.config_set("maxmemory", 64 * 2**20)
    for number in range(3_000):
        list(import_orders(number))
        if number % 500 == 0:
            assert publisher.flush(20)
    assert publisher.flush(20)
    assert store.upkeep().trimmed > 1_000
    assert taken(store) < BUDGET + 100_000
    app = Celery(broker=server.url)
    for number in range(100):
        app.send_task("work", (number,))
    assert store.client.redis.llen("celery") == 100
    app.close()
