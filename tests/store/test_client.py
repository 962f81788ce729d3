"""A command goes out on a connection that is kept for it, whatever has become of that one."""

from __future__ import annotations

import threading

import pytest
import redis

from tests.support import wait_for
from tracker.store import Store


def sockets(store: Store) -> set[str]:
    """The connections of this process, by their ids at the server."""
    return {entry["id"] for entry in store.client.redis.client_list() if entry["name"] == store.keys.namespace}


@pytest.fixture
def named(store: Store) -> Store:
    """A store whose kept connection has a name by which the server tells it."""
    store.client.execute(["CLIENT", "SETNAME", store.keys.namespace])
    return store


def test_commands_one_after_the_other_share_a_connection(named: Store) -> None:
    """And numbers, texts and bytes are sent as they are."""
    before = sockets(named)
    assert named.client.execute(["ECHO", "ä"]) == "ä".encode()
    assert named.client.execute(["ECHO", b"\x00\xff"]) == b"\x00\xff"
    assert named.client.execute(["ECHO", 12]) == b"12"
    assert len(before) == 1
    assert sockets(named) == before


def test_an_error_in_the_answer_is_raised_and_leaves_the_connection_as_it_was(named: Store) -> None:
    """What is asked next gets its own answer."""
    before = sockets(named)
    with pytest.raises(redis.ResponseError):
        named.client.execute(["HGET", "too few"])
    assert named.client.execute(["ECHO", "next"]) == b"next"
    assert sockets(named) == before


def test_a_connection_that_was_closed_meanwhile_is_made_anew(named: Store) -> None:
    """Servers and what lies before them close those that are silent for long; nobody is told of an error for that."""
    named.client.redis.client_kill_filter(_id=sockets(named).pop())
    assert named.client.execute(["ECHO", "again"]) == b"again"


def test_an_answer_that_comes_too_late_is_not_taken_for_the_next_one(redis_url: str, namespace: str) -> None:
    """The connection is given up with whatever is still to come on it."""
    store = Store(redis_url, namespace)
    store.client.answer_timeout = 0.05
    with pytest.raises(redis.TimeoutError):
        store.client.execute(["BLPOP", store.keys.feed, 1])
    assert store.client.execute(["ECHO", "mine"]) == b"mine"
    store.client.disconnect()


def test_whoever_finds_it_in_use_takes_another_one(named: Store) -> None:
    """Nobody waits for anybody."""
    waits = threading.Thread(target=named.client.execute, args=[["BLPOP", f"{named.keys.feed}:list", 20]])
    named.client.answer_timeout = 30.0
    named.client._redis = None  # With that patience.
    waits.start()
    wait_for(lambda: named.client.redis.info("clients")["blocked_clients"] > 0)
    assert named.client.execute(["RPUSH", f"{named.keys.feed}:list", "x"]) == 1
    waits.join()


def test_after_a_disconnect_it_goes_to_wherever_the_address_leads_then(named: Store) -> None:
    """As all connections do."""
    before = sockets(named)
    named.client.disconnect()
    assert named.client.execute(["ECHO", "there"]) == b"there"
    assert sockets(named).isdisjoint(before)


def test_a_disconnect_while_it_is_in_use_holds_for_what_is_asked_next(named: Store) -> None:
    """Who uses it then is not interrupted."""
    before, channel = sockets(named), f"{named.keys.feed}:list"
    waits = threading.Thread(target=named.client.execute, args=[["BLPOP", channel, 20]])
    waits.start()
    wait_for(lambda: named.client.redis.info("clients")["blocked_clients"] > 0)
    named.client.disconnect()
    named.client.redis.rpush(channel, "x")
    waits.join()
    assert named.client.execute(["ECHO", "there"]) == b"there"
    assert sockets(named).isdisjoint(before)
