"""When what is stored goes back or begins anew, every watcher goes on exactly or resets: histories are never mixed."""

from __future__ import annotations

import pytest

from tests.faults.conftest import Follow
from tests.faults.following import stored
from tests.faults.proxy import FaultProxy
from tests.faults.servers import BreakableServer
from tests.store.making import ended, started, step_event, whole
from tests.support import wait_for
from tracker.cli.source.items import Snapshot
from tracker.cli.subjects import One
from tracker.history import History
from tracker.history.topics import composed, of_subject, read
from tracker.model import StepStatus
from tracker.store import Store
from tracker.store.follow import Follower


def test_followers_go_on_or_reset_when_redis_comes_back_as_it_was(
    server: BreakableServer, store: Store, following: Follow
) -> None:
    """Saved at 5, killed at 9, written to 12: who stood at 4 goes on, who stood at 7 or 9 saw another history."""
    with FaultProxy(server.url) as at_4, FaultProxy(server.url) as at_7, FaultProxy(server.url) as at_9:
        proxies = {4: at_4, 7: at_7, 9: at_9}
        watchers = {rev: following(Store(proxy.url)) for rev, proxy in proxies.items()}
        wait_for(lambda: all(watcher.resets for watcher in watchers.values()))
        for seq in range(1, 10):
            store.append([started("a") if seq == 1 else step_event("a", seq, seq)])
            if seq == 5:
                server.save()
            if seq in proxies:
                wait_for(lambda seq=seq: watchers[seq].rev("a") == seq)
                proxies[seq].refuse()
                proxies[seq].reset()
        server.roll_back()
        store.client.disconnect()
        for seq in range(6, 13):
            store.append([step_event("a", seq, seq - 4, StepStatus.COMPLETE)])
        for proxy in proxies.values():
            proxy.heal()
        for watcher in watchers.values():
            wait_for(lambda watcher=watcher: watcher.seen == stored(store))
        assert [len(watchers[rev].resets) for rev in (4, 7, 9)] == [1, 2, 2]
        assert watchers[4].revs("a") == list(range(1, 13))


@pytest.mark.usefixtures("quick_compare")
def test_a_flush_is_one_reset_though_nothing_is_written_afterwards(
    server: BreakableServer, store: Store, following: Follow
) -> None:
    """No follower goes on showing what is not there any more."""
    watcher = following()
    store.append([started("a")])
    wait_for(lambda: watcher.rev("a") == 1)
    server.flush()
    wait_for(lambda: len(watcher.resets) == 2)
    assert watcher.seen == {}
    store.append([started("b")])
    wait_for(lambda: watcher.rev("b") == 1)
    assert len(watcher.resets) == 2


def test_a_flush_is_one_reset_when_something_is_written_afterwards(
    server: BreakableServer, store: Store, following: Follow
) -> None:
    """The next message says that it is the first one."""
    watcher = following()
    store.append([started("a")])
    wait_for(lambda: watcher.rev("a") == 1)
    server.flush()
    store.append([started("b")])
    wait_for(lambda: watcher.rev("b") == 1)
    assert len(watcher.resets) == 2
    assert set(watcher.seen) == {"b"}


@pytest.mark.parametrize("loses_feed", ["delete", "trim"])
def test_a_feed_that_is_gone_costs_nothing_as_long_as_messages_arrive(
    store: Store, following: Follow, loses_feed: str
) -> None:
    """Who has heard everything needs no feed."""
    watcher = following()
    store.append([started("a")])
    wait_for(lambda: watcher.rev("a") == 1)
    lose_feed(store, loses_feed)
    store.append([step_event("a", 2)])
    wait_for(lambda: watcher.rev("a") == 2)
    assert watcher.resets == ["start"]


@pytest.mark.usefixtures("quick_compare")
@pytest.mark.parametrize("loses_feed", ["delete", "trim"])
def test_a_feed_that_is_gone_with_what_was_not_heard_is_one_reset(
    store: Store, proxy: FaultProxy, following: Follow, loses_feed: str
) -> None:
    """What came in between cannot be read any more, and nobody waits for it."""
    watcher = following(Store(proxy.url))
    store.append([started("a")])
    wait_for(lambda: watcher.rev("a") == 1)
    proxy.refuse()
    proxy.reset()
    store.append([step_event("a", 2)])
    lose_feed(store, loses_feed)
    proxy.heal()
    wait_for(lambda: len(watcher.resets) == 2)
    assert watcher.seen == stored(store)
    store.append([step_event("a", 3)])
    wait_for(lambda: watcher.rev("a") == 3)
    assert len(watcher.resets) == 2


def lose_feed(store: Store, how: str) -> None:
    redis = store.client.redis
    assert redis.delete(store.keys.feed) if how == "delete" else redis.xtrim(store.keys.feed, 0)


@pytest.mark.usefixtures("quick_compare")
def test_a_flush_is_a_reset_for_who_follows_one_operation(
    server: BreakableServer, store: Store, following: Follow
) -> None:
    """It is gone, and whoever waits for its end has to learn that."""
    store.append([started("a")])
    watcher = following(operation="a")
    wait_for(lambda: watcher.rev("a") == 1)
    server.flush()
    wait_for(lambda: len(watcher.resets) == 2)
    assert watcher.seen == {}


def test_an_operation_told_anew_after_a_flush_is_seen_by_who_follows_it(
    server: BreakableServer, store: Store, following: Follow
) -> None:
    """Its numbers go on growing, and what they tell is the truth from then on."""
    watcher = following(operation="a")
    wait_for(lambda: watcher.resets)
    store.append([started("a"), *(step_event("a", seq) for seq in range(2, 10))])
    wait_for(lambda: watcher.rev("a") == 9)
    before = watcher.seen["a"].rev
    server.flush()
    store.append([whole("a", 10)])
    wait_for(lambda: watcher.seen["a"].rev > before)
    store.append([ended("a", seq=11)])
    wait_for(lambda: watcher.seen == stored(store))
    assert watcher.rev("a") == 2


def test_an_operation_whose_keys_were_lost_is_seen_when_it_is_told_anew(store: Store, following: Follow) -> None:
    """The feed is whole, so nobody resets; but this one operation has a new history."""
    watcher = following()
    store.append([started("a"), *(step_event("a", seq) for seq in range(2, 10))])
    wait_for(lambda: watcher.rev("a") == 9)
    before = watcher.seen["a"].rev
    store.client.redis.delete(store.keys.operation("a"))
    store.append([whole("a", 10)])
    wait_for(lambda: watcher.seen["a"].rev > before)
    store.append([ended("a", seq=11)])
    wait_for(lambda: watcher.rev("a") == 2)
    assert watcher.seen == stored(store)
    assert watcher.resets == ["start"]


def test_who_watches_one_operation_holds_nothing_of_a_history_that_is_over(
    server: BreakableServer, store: Store
) -> None:
    """What ``tracker watch`` loads at a reset is all it holds, be it older than what it held, or nothing."""
    subject, reads = One("a"), History(store).live

    def load() -> None:
        for topic in of_subject("a"):
            subject.begin(Snapshot(topic, "", composed(topic, read(reads, topic))))

    store.append([started("a")])
    server.save()
    store.append([ended("a")])
    load()
    assert subject.is_over()
    server.roll_back()
    store.client.disconnect()
    load()
    assert subject.operation() == stored(store)["a"]
    server.flush()
    load()
    assert subject.operation() is None


def test_the_first_change_ever_is_no_reset_for_who_joins_at_that_moment(
    store: Store, following: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names no entry before it, like the first one of a new history, and is in the snapshot already."""
    plain = Follower._feed_last

    def write_first(follower: Follower, redis: object) -> str:
        monkeypatch.setattr(Follower, "_feed_last", plain)
        store.append([started("a"), step_event("a", 2)])
        return plain(follower, redis)

    monkeypatch.setattr(Follower, "_feed_last", write_first)
    watcher = following()
    wait_for(lambda: watcher.resets)
    store.append([ended("a", seq=3)])
    wait_for(lambda: watcher.rev("a") == 3)
    assert watcher.resets == ["start"]
