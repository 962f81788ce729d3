"""Operations leave Redis: archived ones as they were archived, and the oldest ended ones when there are too many."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.store.making import batch_of, by, ended, leave, queued, started
from tracker.compose import compose
from tracker.embedded import ensure_server
from tracker.errors import StoreUnavailable
from tracker.model import Children, Status
from tracker.store import Answer, RunBlob, Store, Trim
from tracker.store.leaving import AT_ONCE


@pytest.fixture
def small(redis_url: str, namespace: str) -> Iterator[Store]:
    """A store whose ended operations may take 20,000 bytes."""
    store = Store(redis_url, namespace, budget=20_000)
    yield store
    store.client.disconnect()


def done(id: str, parent: str = "") -> list[RunBlob]:
    return [started(id, parent=parent), ended(id, parent=parent)]


def held(store: Store) -> set[str]:
    return {parts.id for parts in store.operations(limit=500).items}


def keys_of(store: Store, *parts: str) -> list[str]:
    """Keys that have anything to do with these ids."""
    found = [key.decode() for key in store.client.redis.keys(f"{store.keys.prefix}*")]
    return [key for key in found if any(part in key.removeprefix(store.keys.prefix).split(":") for part in parts)]


def counted(store: Store) -> int:
    return int(store.client.redis.get(store.keys.prefix + "bytes") or 0)


ROOM = 100
"""Bytes by which a hash may have grown when it is noted what it took before."""


def taken(store: Store, id: str) -> int:
    """The operation itself, and about 200 bytes in the indexes."""
    return int(store.client.redis.memory_usage(store.keys.operation(id), samples=0)) + 200


def test_an_operation_that_changed_since_it_was_read_stays(store: Store) -> None:
    """Neither a newer rev nor newer counts of children are lost."""
    store.append([started("a"), ended("a")])
    read = leave(store, "a")
    store.append([started("a", "r2"), ended("a", run="r2")])
    assert store.append([read]) == [Answer("ignored", 0)]
    assert held(store) == {"a"}
    batch_of(store, 1)
    store.append([*done("b.1", "b")])
    read = leave(store, "b")
    assert store.append([replace(read, version=read.version - 1)]) == [Answer("ignored", 0)]
    assert held(store) == {"a", "b"}


MANY = 45
"""More than twice what goes in one call."""


def many(store: Store, prefix: str) -> list[str]:
    """Operations that have ended."""
    ids = [f"{prefix}-{number:02}" for number in range(MANY)]
    store.append([item for id in ids for item in done(id)])
    return ids


def test_some_operations_leave_while_others_are_read(store: Store) -> None:
    """Each answer is that of its own question, however many are asked ahead."""
    leaving = [leave(store, id) for id in many(store, "old")]
    changed = replace(leaving[30], rev=leaving[30].rev - 1)
    ids = ["unknown", *many(store, "new")]
    exchanges = list(store.leaving.exchange([*leaving[:30], changed, *leaving[31:]], ids[:30]))
    answered = [told for exchange in exchanges for told in exchange.answered]
    assert [item.operation for item, answer in answered if answer == Answer("stored", 0)] == [
        item.operation for item in leaving if item is not leaving[30]
    ]
    assert answered[30] == (changed, Answer("ignored", 0))
    assert [record.parts.id for exchange in exchanges for record in exchange.records] == ids[1:30]
    assert held(store) == {"old-30", *ids[1:]}


def test_whoever_gives_up_an_exchange_leaves_no_answers_to_others(store: Store) -> None:
    """What is asked next is answered right."""
    ids = many(store, "a")
    exchange = store.leaving.exchange([], ids)
    assert [record.parts.id for record in next(exchange).records] == ids[:AT_ONCE]
    exchange.close()
    assert [record.parts.id for record in store.leaving.records(ids[::-1])] == ids[::-1]
    assert store.status(ids[0]) is Status.COMPLETE


def test_operations_leave_a_redis_that_has_forgotten_the_script(store: Store) -> None:
    """As it does when it begins anew."""
    leaving = [leave(store, id) for id in many(store, "a")]
    store.client.redis.script_flush()
    answers = [answer for exchange in store.leaving.exchange(leaving, []) for _, answer in exchange.answered]
    assert answers == [Answer("stored", 0)] * MANY
    assert held(store) == set()


def test_a_redis_that_goes_away_in_an_exchange_is_said_to_be_away(tmp_path: Path) -> None:
    """As everywhere else."""
    server = ensure_server(tmp_path / "redis")
    try:
        store = Store(server.url)
        exchange = store.leaving.exchange([], many(store, "a"))
        next(exchange)
    finally:
        server.stop()
    with pytest.raises(StoreUnavailable, match="did not answer"):
        list(exchange)


def test_what_runs_never_leaves(store: Store) -> None:
    """Whoever asks."""
    store.append([started("a")])
    assert store.append([leave(store, "a")]) == [Answer("ignored", 0)]
    assert held(store) == {"a"}


def test_nothing_leaves_whose_earlier_run_is_alive(store: Store) -> None:
    """What becomes of that one is told here; and others leave meanwhile."""
    store.append([by("p", started("a")), started("a", "r2"), ended("a", run="r2")])
    assert store.append([leave(store, "a")]) == [Answer("ignored", 0)]
    store.append(done("b"))
    assert store.leaving.ended(0, 0, 9) == ["a", "b"]
    assert store.append([leave(store, "a"), leave(store, "b")]) == [Answer("ignored", 0), Answer("stored", 0)]
    store.append([by("p", ended("a"))])
    assert store.append([leave(store, "a")]) == [Answer("stored", 0)]
    assert held(store) == set()
    assert list(store.live_runs()) == []


def test_an_archived_operation_leaves_nothing_behind(store: Store) -> None:
    """Its children went before it, and it counts them until it goes itself."""
    for id in batch_of(store, 3):
        store.append(done(id, "b"))
    before = counted(store)
    assert before > 0
    for id in ("b.1", "b.2", "b.3"):
        assert store.append([leave(store, id)]) == [Answer("stored", 0)]
    batch = store.operation("b")
    assert batch is not None
    assert batch.children.complete == 3
    assert store.append([leave(store, "b")]) == [Answer("stored", 0)]
    assert keys_of(store, "b", "b.1", "b.2", "b.3") == []
    assert counted(store) == 0


def test_a_child_that_runs_again_after_it_left_is_counted_once(store: Store) -> None:
    """Under the status it has now."""
    batch_of(store, 2)
    store.append(done("b.1", "b"))
    store.append([leave(store, "b.1")])
    store.append([started("b.1", "again", parent="b")])
    batch = store.operation("b")
    assert batch is not None
    assert (batch.children.total, batch.children.running, batch.children.queued) == (2, 1, 1)


def test_a_child_whose_parent_has_left_goes_without_a_trace(store: Store) -> None:
    """Nothing of a parent that is in the archive comes back with it."""
    batch_of(store, 1)
    store.append(done("b.1", "b"))
    store.append([leave(store, "b.1")])
    store.append([leave(store, "b")])
    store.append([started("b.1", "again", parent="b"), ended("b.1", run="again", parent="b")])
    assert store.operation("b") is None
    assert list(store.leaving.ended(0, 0, 10)) == ["b.1"]
    assert store.append([leave(store, "b.1")]) == [Answer("stored", 0)]
    assert keys_of(store, "b", "b.1") == []


def test_the_oldest_leave_when_all_take_too_much_and_running_ones_never(small: Store) -> None:
    """They are counted, and what is left fits, but for the one that came last."""
    small.append([started("running")])
    for number in range(60):
        small.append(done(f"op-{number:02}"))
    left = held(small)
    assert "running" in left
    assert sorted(left - {"running"}) == [f"op-{number:02}" for number in range(60 - len(left) + 1, 60)]
    assert 0 < len(left) < 60
    assert counted(small) - 20_000 < taken(small, "op-59") + ROOM
    trimmed = int(small.client.redis.get(small.keys.prefix + "trimmed"))
    assert trimmed == 61 - len(left)


def test_a_family_leaves_a_few_at_a_time_and_no_part_of_it_while_some_of_it_runs(small: Store) -> None:
    """However large it is, no call takes long."""
    ids = batch_of(small, 100)
    for id in ids[1:]:
        small.append(done(id, "b"))
    assert small.append([Trim()]) == [Answer("stored", 0)]
    batch = small.operation("b")
    assert batch is not None
    assert (batch.children.total, batch.children.complete) == (100, 99)
    small.append(done(ids[0], "b"))
    while (answer := small.append([Trim()])[0]).number:
        assert answer.number <= 10
    assert counted(small) <= 20_000
    while held(small):
        batch = small.operation("b")
        assert batch is None or compose(batch).children.total == 100
        small.client.redis.set(small.keys.prefix + "bytes", 10**9)
        small.append([Trim()])
    assert keys_of(small, "b", *ids) == []


def test_what_is_counted_is_what_ended_operations_take(store: Store) -> None:
    """One that runs again is not among them."""
    store.append(done("a"))
    assert counted(store) == pytest.approx(taken(store, "a"), abs=ROOM)
    store.append([started("a", "r2")])
    assert counted(store) == 0
    store.append([ended("a", Status.ERROR, "r2")])
    assert counted(store) == pytest.approx(taken(store, "a"), abs=ROOM)


def test_ended_ones_are_listed_the_oldest_first_and_only_without_those_above_them(store: Store) -> None:
    """A child leaves with its parent."""
    store.append([queued("p"), *done("first"), *done("child", "p"), *done("second")])
    assert store.leaving.ended(0, 0, 10) == ["first", "second"]
    assert store.leaving.ended(0, 1, 10) == ["second"]
    assert store.leaving.ended(3600, 0, 10) == []
    family = [[record.parts.id for record in page] for page in store.leaving.family("p")]
    assert family == [["child"], ["p"]]


def test_a_phantom_never_shows(store: Store) -> None:
    """A child may be stored before its parent, whose counts begin with it."""
    store.append(done("child", "p"))
    assert store.operation("p") is None
    store.append([started("p")])
    parts = store.operation("p")
    assert parts is not None
    assert parts.children == Children(total=1, complete=1, version=2)
