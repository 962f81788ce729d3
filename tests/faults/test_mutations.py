"""What protects the store is worth something: with it nothing is found, and without it the tests' own eyes see it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
import redis.retry
from msgspec.structs import replace
from redis.backoff import NoBackoff

from tests.checker.collecting import told_twice
from tests.faults.picks import Only
from tests.faults.proxy import FaultProxy
from tests.store.making import ended, started, step_event
from tracker.errors import StoreUnavailable
from tracker.store import Store, append, client

KNOWS = "  if last <= seq then return answer('duplicate', seq, run, asked) end\n"
STORES = "  last_entry = redis.call('XADD', FEED, 'MAXLEN', '~', FEED_LIMIT, '*', 'm', message)\n"
SHOWS = (
    "  local whole = last_entry .. ' ' .. previous .. ' ' .. message\n"
    "  redis.pcall('PUBLISH', PREFIX .. 'events', whole)\n"
)
GUESSES = "  last_entry = '1-1'\n"

Mutate = Callable[..., None]


@pytest.fixture
def mutate(monkeypatch: pytest.MonkeyPatch) -> Mutate:
    """Changes lines of the script that writes."""

    def put(*changes: tuple[str, str]) -> None:
        script = append.SCRIPT
        for old, new in changes:
            assert script.count(old) == 1
            script = script.replace(old, new)
        monkeypatch.setattr(append, "SCRIPT", script)
        monkeypatch.setattr(append, "SCRIPT_SHA", hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest())

    return put


def replay(store: Store) -> list[tuple[str, int]]:
    """A spool is sent of which the store has all; what is told a second time."""
    blobs = [started("a"), step_event("a", 2), ended("a", seq=3)]
    store.append(blobs)
    store.append([replace(blob, replay=True) for blob in blobs])
    return told_twice(store)


def test_what_is_sent_again_is_told_once(store: Store) -> None:
    """The script knows what it has."""
    assert replay(store) == []


def test_without_that_knowledge_it_would_be_told_twice(store: Store, mutate: Mutate) -> None:
    """And the checker's eye would see it."""
    mutate((KNOWS, ""))
    assert replay(store) == [("r1", 1), ("r1", 2), ("r1", 3)]


def shown(store: Store) -> int:
    """A change comes when the feed can take none; how many messages are heard of it."""
    connection = store.client.redis
    connection.set(store.keys.feed, "of another kind")
    heard = connection.pubsub()
    heard.subscribe(store.keys.channel())
    assert heard.get_message(timeout=20)["type"] == "subscribe"
    with pytest.raises(StoreUnavailable):
        store.append([started("a")])
    connection.publish(store.keys.channel(), "the end")
    number = 0
    while heard.get_message(timeout=20)["data"] != b"the end":
        number += 1
    heard.close()
    return number


def test_what_the_feed_does_not_take_is_not_shown(store: Store) -> None:
    """The script publishes last."""
    assert shown(store) == 0


def test_what_is_published_first_would_be_shown_without_being_stored(store: Store, mutate: Mutate) -> None:
    """Redis takes nothing back that a script has done before it failed."""
    mutate((SHOWS, ""), (STORES, GUESSES + SHOWS + STORES))
    assert shown(store) == 1


def calls(store: Store, proxy: FaultProxy) -> int:
    """How often a call is made of which the first answer is lost."""
    store.append([started("a")])
    before = proxy.commands["EVALSHA"]
    proxy.drop_replies(Only(1))
    store.append([step_event("a", 2)])
    return proxy.commands["EVALSHA"] - before


def test_a_call_whose_answer_is_lost_is_not_made_again_unasked(far_store: Store, proxy: FaultProxy) -> None:
    """Whoever made it knows what may be repeated, and how long it is worth waiting."""
    with pytest.raises(StoreUnavailable):
        calls(far_store, proxy)
    assert proxy.commands["EVALSHA"] == 2


def test_retries_of_the_library_would_make_it_again(
    far_store: Store, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own default is to do so ten times, for whoever takes its way."""
    monkeypatch.setattr(client, "Retry", lambda *_: redis.retry.Retry(NoBackoff(), 10))
    monkeypatch.setattr(client.Client, "execute", lambda self, command: self.redis.execute_command(*command))
    assert calls(far_store, proxy) == 2
