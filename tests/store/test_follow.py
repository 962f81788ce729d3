"""Following the store: everything arrives, once and in order, or the follower says that it cannot prove it."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from tests.store.making import batch_of, ended, go, lose_all, queued, started, step_event
from tests.store.revs import feed
from tests.store.watching import Watch
from tests.support import wait_for
from tracker.compose import compose
from tracker.model import EventType, Parts, Status
from tracker.store import Change, Reset, Store, View, follow


def whole_of(store: Store, id: str) -> Parts:
    parts = store.operation(id)
    assert parts is not None
    return parts


def test_every_change_arrives_once_and_in_order(store: Store, watch: Watch) -> None:
    """Revs arrive dense."""
    watching = watch()
    store.append([started("a")])
    for seq in range(2, 40):
        store.append([step_event("a", seq)])
    wait_for(lambda: len(watching.revs("a")) == 39)
    assert watching.revs("a") == list(range(1, 40))


@pytest.mark.parametrize("operation", [None, "a"], ids=["all", "one"])
def test_whoever_goes_on_from_any_change_misses_none_and_hears_none_twice(store: Store, operation: str | None) -> None:
    """Changes of one call share an entry of the feed, and each has a place of its own in it."""
    changes, stop = list[Change](), threading.Event()
    for item in store.follow(operation=operation, stop=stop):
        if isinstance(item, Reset):
            store.append([started("a"), step_event("a", 2), started("b"), step_event("a", 3)])
            store.append([ended("a", seq=4)])
        elif isinstance(item, Change) and item.operation == "a":
            changes.append(item)
            if item.events[-1].seq == 4:
                stop.set()
    assert changes == store.events("a", "0-0", 100).items
    for number, change in enumerate(changes, 1):
        assert store.events("a", change.cursor, 100).items == changes[number:]


def test_messages_lost_on_the_way_are_read_from_the_feed(store: Store, watch: Watch) -> None:
    """Changes stored without a message being heard show up with the next one, in order."""
    watching = watch()
    store.append([started("a")])
    wait_for(lambda: watching.revs("a") == [1])
    redis = store.client.redis
    redis.client_kill_filter(_type="pubsub")
    store.append([step_event("a", seq) for seq in range(2, 12)])
    store.append([ended("a", seq=12)])
    wait_for(lambda: len(watching.revs("a")) == 12)
    assert watching.revs("a") == list(range(1, 13))
    assert watching.resets == ["start"]


def test_a_store_that_lost_its_data_is_a_reset(store: Store, watch: Watch) -> None:
    """The follower never goes on as if nothing had happened."""
    watching = watch()
    store.append([started("a")])
    wait_for(lambda: watching.revs("a"))
    for key in store.client.redis.keys(store.keys.prefix + "*"):
        store.client.redis.delete(key)
    store.append([started("b")])
    wait_for(lambda: len(watching.resets) == 2)
    assert "no longer holds" in watching.resets[1]


def test_a_trimmed_feed_is_a_reset(store: Store, watch: Watch) -> None:
    """A hole that the feed cannot fill is said, not skipped."""
    watching = watch()
    store.append([started("a")])
    wait_for(lambda: watching.revs("a"))
    redis = store.client.redis
    redis.xtrim(store.keys.feed, maxlen=0)
    redis.set(store.keys.feed_last, "1-1")
    store.append([started("b")])
    wait_for(lambda: len(watching.resets) == 2)


def test_a_follower_of_one_operation_hears_its_children_and_nobody_else(store: Store, watch: Watch) -> None:
    """A batch's watcher gets each child's change and the counts after it."""
    ids = batch_of(store, 2)
    watching = watch("b")
    store.append([started("stranger")])
    store.append([started(id, parent="b") for id in ids] + [ended(id) for id in ids])
    wait_for(
        lambda: any(event.operation.status is Status.COMPLETE for event in watching.events if event.operation.batch)
    )
    assert {event.operation.id for event in watching.events} == {"b", *ids}
    counts = [event.operation.children for event in watching.events if event.operation.id == "b"]
    assert [count.version for count in counts] == sorted(count.version for count in counts)
    assert counts[-1].complete == 2


def test_a_hole_in_one_operation_is_read_again(store: Store, watch: Watch) -> None:
    """A view that missed changes loads the operation whole and tells every step."""
    view = View(store.operation)
    store.append([started("a"), step_event("a", 2, 1), step_event("a", 3, 2)])
    last = Change("1-1", "a", 4, 1, "", [], hole=True)
    store.append([ended("a", seq=4)])
    news = view.apply(last)
    assert [event.step.name for event in news if event.step] == ["Step 1", "Step 2"]
    assert news[-1].operation.status is Status.COMPLETE
    assert view.apply(last) == []


def test_watchers_that_join_while_events_are_written_end_with_the_same_state(store: Store, watch: Watch) -> None:
    """Nothing falls between a snapshot and what follows it."""
    store.append([started("a")])
    writer = threading.Thread(target=lambda: [store.append([step_event("a", seq)]) for seq in range(2, 300)])
    writer.start()
    watching = [watch() for _ in range(5)]
    writer.join()
    store.append([queued("end")])
    for one in watching:
        wait_for(lambda one=one: one.revs("end"))
        revs = one.revs("a")
        assert not revs or revs == list(range(revs[0], 300))


@pytest.mark.parametrize("goes", [go, lose_all], ids=["left", "flushed"])
def test_an_operation_that_comes_back_is_shown_at_once(store: Store, goes: Callable[[Store, str], None]) -> None:
    """Whoever held it needs no read to tell the new history from the old one, and mixes nothing of the two."""
    read: list[str] = []

    def load(id: str) -> Parts | None:
        read.append(id)
        return store.operation(id)

    view = View(load)
    store.append([started("a"), step_event("a", 2, 1), step_event("a", 3, 2), ended("a", seq=4)])
    for change in feed(store):
        view.apply(change)
    old, before = feed(store), view.parts["a"]
    goes(store, "a")
    store.append([started("a", "r2")])
    store.append([ended("a", run="r2")])
    back, then = feed(store)[-2:]
    (event,) = view.apply(back)
    assert (event.operation.run, event.operation.status, event.operation.attempt) == ("r2", Status.RUNNING, 1)
    assert event.operation.rev > before.rev
    assert view.parts["a"].steps == {}
    assert [news for change in (*old, back) for news in view.apply(change)] == []
    view.apply(then)
    assert compose(view.parts["a"]) == compose(whole_of(store, "a"))
    assert read == []


def test_a_run_is_told_whole_though_its_operation_has_left_by_then(store: Store) -> None:
    """Whoever lets go of what has ended, and is behind, finds it neither in its view nor in the store."""
    view = View(store.operation)
    store.append([started("a"), ended("a")])
    for change in feed(store):
        view.apply(change)
    view.drop("a")
    store.append([started("a", "r2"), step_event("a", 2, 1, run="r2")])
    store.append([ended("a", Status.ERROR, "r2", seq=3)])
    begun, over = feed(store)[-2:]
    go(store, "a")
    assert [(news.type, news.operation.run) for news in view.apply(begun)] == [
        (EventType.OPERATION_START, "r2"), (EventType.STEP_START, "r2"),
    ]  # fmt: skip
    (last,) = view.apply(over)
    assert (last.operation.status, last.operation.attempt, last.operation.rev) == (Status.ERROR, 2, over.rev)
    view.drop("a")
    assert view.apply(over) == []


@pytest.mark.parametrize("operation", [None, "a"], ids=["all", "one"])
def test_a_follower_hears_at_once_of_an_operation_that_comes_back(
    store: Store, watch: Watch, operation: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it follows everything or only that one: without a reset, and before it looks what it has missed."""
    monkeypatch.setattr(follow, "COMPARE_EVERY", 3600)
    store.append([started("a"), step_event("a", 2)])
    watching = watch(operation)
    store.append([ended("a", seq=3)])
    wait_for(lambda: watching.revs("a") == [3])
    go(store, "a")
    store.append([started("a", "r2"), ended("a", run="r2")])
    wait_for(lambda: len(watching.revs("a")) == 3)
    assert watching.revs("a")[1:] == [1, 2]
    assert watching.read == []
    assert watching.resets == ["start"]


def test_a_snapshot_newer_than_a_first_change_is_not_undone_by_it(store: Store) -> None:
    """Who joins late hears again of how it began."""
    view = View(store.operation)
    store.append([started("a"), step_event("a", 2)])
    view.put(whole_of(store, "a"))
    for change in feed(store):
        assert view.apply(change) == []
    assert view.parts["a"] == whole_of(store, "a")


def test_children_told_before_their_parent_are_counted_by_who_hears_of_it_later(store: Store) -> None:
    """Also when it was held before it left: its first change alone does not tell of them."""
    view = View(store.operation)
    store.append([started("p"), ended("p")])
    view.put(whole_of(store, "p"))
    go(store, "p")
    heard = len(feed(store))
    store.append([started("child", parent="p"), ended("child", parent="p")])
    store.append([started("p", "r2")])
    for change in feed(store)[heard:]:
        view.apply(change)
    assert view.parts["p"].children.complete == 1
    assert compose(view.parts["p"]) == compose(whole_of(store, "p"))


@pytest.mark.parametrize(
    "body", [b"\xff{", b'{"op":"\xff"}', b'{"op":' + b"[" * 100_000], ids=["no JSON", "no text", "endless"]
)
def test_an_entry_that_makes_no_sense_is_a_reset_and_not_the_end(
    store: Store, watch: Watch, caplog: pytest.LogCaptureFixture, body: bytes
) -> None:
    """Whoever can write to Redis can write nonsense; followers go on."""
    watching = watch()
    store.append([started("a")])
    wait_for(lambda: watching.revs("a") == [1])
    redis = store.client.redis
    entry = redis.xadd(store.keys.feed, {"m": body})
    redis.set(store.keys.feed_last, entry)
    store.append([started("b")])
    wait_for(lambda: len(watching.resets) == 2)
    store.append([ended("b")])
    wait_for(lambda: 2 in watching.revs("b"))
    assert watching.resets == ["start", "an entry of the feed cannot be read"]
    assert "cannot be read" in caplog.text


@pytest.mark.parametrize("said", [b"hello", b"\xff 0-0 {}"], ids=["a word", "no text"])
def test_what_another_program_says_on_the_channel_is_passed_over(store: Store, watch: Watch, said: bytes) -> None:
    """Nobody begins anew for it, nor stops following."""
    watching = watch()
    store.append([started("a")])
    wait_for(lambda: watching.revs("a") == [1])
    store.client.redis.publish(store.keys.channel(), said)
    store.append([ended("a")])
    wait_for(lambda: watching.revs("a") == [1, 2])
    assert watching.resets == ["start"]
