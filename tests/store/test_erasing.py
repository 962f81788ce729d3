"""What was erased is taken out of the feed, and nobody who follows it notices."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.store.making import batch_of, ended, started, step_event
from tests.store.revs import feed
from tests.store.watching import Watch
from tests.support import wait_for
from tracker.model import Event, Status
from tracker.store import Change, Erase, Item, Store
from tracker.store import erasing as module
from tracker.store.erasing import LIFE, WINDOW, Erasing


def run(id: str, steps: int = 3, parent: str = "", run: str = "r1") -> list[Item]:
    """A run with some steps, from beginning to end."""
    middle = [step_event(id, seq, seq, run=run) for seq in range(2, steps + 2)]
    return [started(id, run, parent), *middle, ended(id, run=run, seq=steps + 2, parent=parent)]


def told_of(store: Store, *ids: str) -> list[Change]:
    """What the feed tells of some operations."""
    return [change for change in feed(store) if change.operation in ids]


def events_of(store: Store, id: str) -> list[Event]:
    """Every event that the feed tells of an operation."""
    return [event for change in told_of(store, id) for event in change.events]


def raw(store: Store) -> bytes:
    """All that the feed holds."""
    return b"".join(fields[b"m"] for _, fields in store.client.redis.xrange(store.keys.feed))


def places(store: Store) -> list[str]:
    return [change.cursor for change in feed(store)]


def left(store: Store) -> set[str]:
    """What is in Redis of the feed, and of copies of it."""
    found = {key.decode().removeprefix(store.keys.prefix) for key in store.client.redis.keys(f"{store.keys.feed}*")}
    return found | ({"erased"} if store.client.redis.exists(store.keys.erased) else set())


def test_all_else_stays_where_it_is_in_the_feed(store: Store) -> None:
    """Entry by entry and change by change, also in entries that tell of several operations."""
    store.append([*run("gone"), *run("stays")])
    for one, other in zip(run("gone-2", 2 * WINDOW), run("stays-2", 2 * WINDOW), strict=True):
        store.append([one, other])
    before, kept = places(store), told_of(store, "stays", "stays-2")
    store.append([Erase("gone"), Erase("gone-2")])
    assert b"gone" in raw(store)
    store.erasing.turn()
    assert b"gone" not in raw(store)
    assert (places(store), told_of(store, "stays", "stays-2")) == (before, kept)
    assert left(store) == {"feed", "feed:last"}
    assert store.client.redis.ttl(store.keys.feed) == -1
    for item in run("next"):
        store.append([item])
    assert len(places(store)) == len(before) + 5
    assert store.client.redis.xinfo_stream(store.keys.feed)["last-generated-id"].decode() == store.cursor()


def test_a_follower_that_must_read_the_feed_misses_nothing_and_begins_nowhere_anew(store: Store, watch: Watch) -> None:
    """It has lost its connection, and what came meanwhile was taken out in part."""
    watching = watch()
    store.append(run("first"))
    wait_for(lambda: watching.revs("first") == [1, 2, 3, 4, 5])
    store.client.redis.client_kill_filter(_type="pubsub")
    for one, other in zip(run("gone", 20), run("stays", 20), strict=True):
        store.append([other, one])
    store.append([Erase("gone"), Erase("first")])
    store.erasing.turn()
    store.append(run("last"))
    wait_for(lambda: len(watching.revs("last")) == 5)
    assert watching.revs("stays") == list(range(1, 23))
    assert (watching.resets, watching.read) == (["start"], [])


def test_whoever_goes_on_from_a_place_in_the_feed_misses_nothing(store: Store) -> None:
    """Although the change at that very place was taken out, or all of its entry was."""
    store.append(run("gone"))
    for one, other in zip(run("stays", 5), run("gone-2", 5), strict=True):
        store.append([one, other])
    cursors, rest = places(store), [store.events("stays", cursor, 100) for cursor in places(store)]
    store.append([Erase("gone"), Erase("gone-2")])
    store.erasing.turn()
    assert [store.events("stays", cursor, 100) for cursor in cursors] == rest


def test_counts_of_what_an_erased_child_belonged_to_are_told_all_the_same(store: Store, watch: Watch) -> None:
    """To those who have not heard of it: they are no part of what was erased."""
    watching = watch()
    one, other = batch_of(store, 2)
    wait_for(lambda: [event for event in watching.events if event.operation.id == "b"])
    store.client.redis.client_kill_filter(_type="pubsub")
    store.append([*run(one, parent="b"), *run(other, parent="b")])
    store.append([started("b", "rb"), ended("b", run="rb"), Erase(other)])
    store.erasing.turn()
    assert other.encode() not in raw(store)
    store.append(run("last"))
    wait_for(lambda: len(watching.revs("last")) == 5)
    told = [event.operation for event in watching.events if event.operation.id == "b"]
    assert (told[-1].status, told[-1].children.complete) == (Status.COMPLETE, 2)
    assert watching.resets == ["start"]


def test_of_a_family_that_was_erased_not_even_the_ids_are_told(store: Store) -> None:
    """They may be names."""
    for id in batch_of(store, 3, "family"):
        store.append(run(id, parent="family"))
    store.append([started("family", "rb"), ended("family", run="rb")])
    store.append([Erase(id) for id in ("family.1", "family.2", "family.3", "family")])
    store.erasing.turn()
    assert b"family" not in raw(store)


def test_a_later_run_under_the_same_id_is_told_of(store: Store) -> None:
    """It is another one."""
    store.append(run("a"))
    store.append([Erase("a")])
    store.client.redis.delete(store.keys.barred("a"))
    store.append(run("a", 4, run="r2"))
    store.erasing.turn()
    assert [event.run for event in events_of(store, "a")] == ["r2"] * 6


class Meanwhile(Erasing):
    """Something happens after each part that was copied."""

    def __init__(self, store: Store, *happens: Callable[[], object]) -> None:
        super().__init__(store.client, store.keys)
        self._happens = list(happens)

    def _write(self, redis: Any, copy: str, entries: Sequence[Any], until: Any) -> None:
        super()._write(redis, copy, entries, until)
        if self._happens:
            self._happens.pop(0)()


def test_what_is_told_while_the_feed_is_copied_is_in_it(store: Store) -> None:
    """However much that is."""
    store.append(run("gone"))
    store.append([Erase("gone")])
    many = [lambda number=number: [store.append([item]) for item in run(f"m{number}", 70)] for number in range(3)]
    Meanwhile(store, *many, lambda: store.append(run("few"))).turn()
    assert b"gone" not in raw(store)
    assert [len(events_of(store, id)) for id in ("m0", "m1", "m2", "few")] == [72, 72, 72, 5]
    assert left(store) == {"feed", "feed:last"}


def test_of_two_at_once_the_last_to_begin_gets_through(store: Store) -> None:
    """The other one would bring back what that has taken out."""
    store.append([*run("gone"), *run("gone-2")])
    store.append([Erase("gone")])

    def another() -> None:
        store.append([Erase("gone-2")])
        store.erasing.turn()
        assert b"gone" not in raw(store)

    Meanwhile(store, another).turn()
    assert b"gone" not in raw(store)
    assert left(store) == {"feed", "feed:last"}


@pytest.mark.parametrize("how", ["flushed", "trimmed"])
def test_a_feed_that_is_another_one_by_then_is_left_alone(store: Store, how: str) -> None:
    """What was copied is no part of it."""
    store.append(run("gone"))
    store.append([Erase("gone")])

    def begins_anew() -> None:
        redis = store.client.redis
        redis.xtrim(store.keys.feed, 0) if how == "trimmed" else redis.delete(*redis.keys(f"{store.keys.prefix}*"))
        store.append(run("new"))

    Meanwhile(store, begins_anew).turn()
    assert len(events_of(store, "new")) == 5
    assert {change.operation for change in feed(store)} == {"new"}
    store.erasing.turn()
    assert not store.client.redis.exists(store.keys.erased)


def test_without_room_for_a_copy_it_waits(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else shall want for memory."""
    store.append(run("gone"))
    store.append([Erase("gone")])
    facts = module.server_facts(store.client)
    full = type(facts)(used=1_000_000, maxmemory=1_000_001)
    with monkeypatch.context() as patch:
        patch.setattr(module, "server_facts", lambda _: full)
        store.erasing.turn()
    assert (b"gone" in raw(store), left(store)) == (True, {"feed", "feed:last", "erased"})
    store.erasing.turn()
    assert (b"gone" in raw(store), left(store)) == (False, {"feed", "feed:last"})


def test_whoever_dies_at_it_leaves_nothing_for_ever(store: Store) -> None:
    """And the next one does it."""

    class Killed(BaseException):
        pass

    store.append(run("gone"))
    store.append([Erase("gone")])
    lives: list[int] = []

    def dies() -> None:
        lives.extend(store.client.redis.ttl(key) for key in store.client.redis.keys(f"{store.keys.feed}:copy*"))
        raise Killed

    with pytest.raises(Killed):
        Meanwhile(store, dies).turn()
    assert len(lives) == 2
    assert all(0 < life <= LIFE for life in lives)
    store.erasing.turn()
    assert b"gone" not in raw(store)


def test_followers_see_every_change_while_the_feed_is_exchanged_again_and_again(store: Store, watch: Watch) -> None:
    """Beside writers, and with connections that are lost."""
    watching, stop = [watch() for _ in range(3)], threading.Event()

    def write(name: str) -> None:
        for seq, item in enumerate(run(name, 150)):
            store.append([item, *run(f"{name}.{seq}", 1)])
            store.append([Erase(f"{name}.{seq}")])

    def exchange() -> None:
        while not stop.is_set():
            store.erasing.turn()
            store.client.redis.client_kill_filter(_type="pubsub")

    writers = [threading.Thread(target=write, args=[name]) for name in ("w1", "w2")]
    exchanger = threading.Thread(target=exchange)
    for thread in (*writers, exchanger):
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    exchanger.join()
    store.erasing.turn()
    store.append(run("last"))
    for one in watching:
        wait_for(lambda one=one: len(one.revs("last")) == 5, 30)
        assert [one.revs(name) for name in ("w1", "w2")] == [list(range(1, 153))] * 2
        assert one.resets == ["start"]
    assert {change.operation for change in feed(store)} == {"w1", "w2", "last", ""}
