"""Following the store: everything arrives, once and in order, or the follower says that it cannot prove it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from tests.store.making import batch_of, ended, queued, started, step_event
from tests.store.revs import beginnings
from tests.support import wait_for
from tracker.model import LiveEvent, Status
from tracker.store import Change, Reset, Store, Tick, View


class Watching:
    """A follower in a thread, with the view it keeps."""

    def __init__(self, store: Store, operation: str | None) -> None:
        self.resets: list[str] = []
        self.events: list[LiveEvent] = []
        self.stale = False
        self._store = store
        self._operation = operation
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()
        wait_for(lambda: self.resets)

    def _follow(self) -> None:
        view = View(self._store.operation)
        for item in self._store.follow(operation=self._operation, stop=self._stop):
            if isinstance(item, Reset):
                for parts in self._store.operations(limit=500).items:
                    view.put(parts)
                self.resets.append(item.reason)
            elif isinstance(item, Change):
                self.events += view.apply(item)
            elif isinstance(item, Tick):
                self.stale = item.stale

    def revs(self, id: str) -> list[int]:
        """The revs heard of one operation, counts of children apart; its first one ever counts as 1."""
        heard = [e.operation.rev for e in self.events if e.operation.id == id and e.type != "operation.update"]
        begun = beginnings(self._store).get(id, 0)
        return [rev - begun for rev in heard]

    def ask_to_stop(self) -> None:
        self._stop.set()

    def join(self) -> None:
        self._thread.join()


@pytest.fixture
def watch(store: Store) -> Iterator[Callable[..., Watching]]:
    """Starts followers, and stops them after the test."""
    watching: list[Watching] = []

    def start(operation: str | None = None) -> Watching:
        watching.append(Watching(store, operation))
        return watching[-1]

    yield start
    for one in watching:
        one.ask_to_stop()
    for one in watching:
        one.join()


def test_every_change_arrives_once_and_in_order(store: Store, watch: Callable[..., Watching]) -> None:
    """Revs arrive dense."""
    watching = watch()
    store.append([started("a")])
    for seq in range(2, 40):
        store.append([step_event("a", seq)])
    wait_for(lambda: len(watching.revs("a")) == 39)
    assert watching.revs("a") == list(range(1, 40))


def test_messages_lost_on_the_way_are_read_from_the_feed(store: Store, watch: Callable[..., Watching]) -> None:
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


def test_a_store_that_lost_its_data_is_a_reset(store: Store, watch: Callable[..., Watching]) -> None:
    """The follower never goes on as if nothing had happened."""
    watching = watch()
    store.append([started("a")])
    wait_for(lambda: watching.revs("a"))
    for key in store.client.redis.keys(store.keys.prefix + "*"):
        store.client.redis.delete(key)
    store.append([started("b")])
    wait_for(lambda: len(watching.resets) == 2)
    assert "no longer holds" in watching.resets[1]


def test_a_trimmed_feed_is_a_reset(store: Store, watch: Callable[..., Watching]) -> None:
    """A hole that the feed cannot fill is said, not skipped."""
    watching = watch()
    store.append([started("a")])
    wait_for(lambda: watching.revs("a"))
    redis = store.client.redis
    redis.xtrim(store.keys.feed, maxlen=0)
    redis.set(store.keys.feed_last, "1-1")
    store.append([started("b")])
    wait_for(lambda: len(watching.resets) == 2)


def test_a_follower_of_one_operation_hears_its_children_and_nobody_else(
    store: Store, watch: Callable[..., Watching]
) -> None:
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


def test_a_hole_in_one_operation_is_read_again(store: Store, watch: Callable[..., Watching]) -> None:
    """A view that missed changes loads the operation whole and tells every step."""
    view = View(store.operation)
    store.append([started("a"), step_event("a", 2, 1), step_event("a", 3, 2)])
    last = Change("1-1", "a", 4, 1, "", [], hole=True)
    store.append([ended("a", seq=4)])
    news = view.apply(last)
    assert [event.step.name for event in news if event.step] == ["Step 1", "Step 2"]
    assert news[-1].operation.status is Status.COMPLETE
    assert view.apply(last) == []


def test_watchers_that_join_while_events_are_written_end_with_the_same_state(
    store: Store, watch: Callable[..., Watching]
) -> None:
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


def test_an_entry_that_makes_no_sense_is_a_reset_and_not_the_end(
    store: Store, watch: Callable[..., Watching], caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever can write to Redis can write nonsense; followers go on."""
    watching = watch()
    store.append([started("a")])
    wait_for(lambda: watching.revs("a") == [1])
    redis = store.client.redis
    entry = redis.xadd(store.keys.feed, {"m": b"\xff{"})
    redis.set(store.keys.feed_last, entry)
    store.append([started("b")])
    wait_for(lambda: len(watching.resets) == 2)
    store.append([ended("b")])
    wait_for(lambda: 2 in watching.revs("b"))
    assert watching.resets == ["start", "an entry of the feed cannot be read"]
    assert "cannot be read" in caplog.text
