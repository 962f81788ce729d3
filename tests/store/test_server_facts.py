"""What a server says of itself in each state, what it keeps to itself, and the trial of the whole way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.servers import BreakableServer
from tracker.errors import StoreUnavailable
from tracker.store import ServerFacts, Store
from tracker.store.client import Holding, Refused
from tracker.store.server import facts_of, numbers


@pytest.fixture
def server(tmp_path: Path) -> Iterator[BreakableServer]:
    with BreakableServer(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def own(server: BreakableServer) -> Iterator[Store]:
    """A store on a server of the test's own."""
    store = Store(server.url)
    yield store
    store.client.disconnect()


def allowed(server: BreakableServer, *rules: str) -> None:
    """Let the user of ``server.url`` do so much and no more."""
    server.admin.execute_command("ACL", "SETUSER", "default", *rules)


def test_a_healthy_server_tells_everything(own: Store, server: BreakableServer) -> None:
    """No field is unknown, and what is told is what the server was started with."""
    facts = own.server_facts()
    assert None not in [getattr(facts, name) for name in ServerFacts.__struct_fields__]
    assert facts.engine == server.engine.name.capitalize()
    assert facts.numbers[0] == server.engine.major
    assert (facts.policy, facts.maxmemory, facts.role, facts.cluster) == ("noeviction", 0, "master", False)
    assert (facts.aof, facts.fsync, facts.saves, facts.aof_failed, facts.save_failed) == (True, "no", "", False, False)
    assert facts.offset is not None
    assert abs(facts.offset) < 2


def test_bad_states_show(own: Store, server: BreakableServer) -> None:
    """An evicting policy, a limit, a failed snapshot, and being a replica."""
    server.admin.config_set("maxmemory-policy", "allkeys-lru")
    server.admin.config_set("maxmemory", "64mb")
    server.misconf()
    server.read_only()
    facts = own.server_facts()
    assert (facts.policy, facts.maxmemory) == ("allkeys-lru", 64 * 2**20)
    assert (facts.save_failed, facts.stops_when_save_fails) == (True, True)
    assert facts.role == "slave"


def test_what_config_would_tell_is_unknown_where_it_is_forbidden(own: Store, server: BreakableServer) -> None:
    """Managed servers do so; INFO tells the rest."""
    allowed(server, "-config")
    facts = own.server_facts()
    assert (facts.fsync, facts.saves, facts.stops_when_save_fails) == (None, None, None)
    assert (facts.policy, facts.aof) == ("noeviction", True)


def test_a_server_that_says_nothing_is_no_error(own: Store, server: BreakableServer) -> None:
    """A user without any right is connected all the same."""
    server.revoke()
    assert own.server_facts() == ServerFacts()


def test_who_is_not_let_in_learns_nothing(own: Store, server: BreakableServer) -> None:
    """That is no lack of facts, but of a connection."""
    server.change_password()
    with pytest.raises(Refused):
        own.server_facts()


def test_a_server_that_reads_its_data_says_so(tmp_path: Path) -> None:
    """INFO answers then, when little else does."""
    with BreakableServer(tmp_path / "redis", "rdb") as server, server.loading():
        store = Store(server.url)
        assert store.server_facts().loading is True
        store.client.disconnect()


def test_valkey_is_known_by_its_own_version() -> None:
    """It also tells the version of the Redis whose commands it has."""
    valkey = facts_of({"redis_version": "7.2.4", "valkey_version": "9.1.2"}, {})
    redis = facts_of({"redis_version": "6.0.16"}, {})
    assert (valkey.engine, valkey.numbers) == ("Valkey", (9, 1, 2))
    assert (redis.engine, redis.numbers) == ("Redis", (6, 0, 16))


@pytest.mark.parametrize(
    ("version", "told"), [("7.0.15", (7, 0, 15)), ("5.8.0rc1", (5, 8)), ("", ()), ("unstable", ())]
)
def test_versions_are_compared_by_their_numbers(version: str, told: tuple[int, ...]) -> None:
    """What follows the numbers does not count."""
    assert numbers(version) == told


def test_the_keys_of_a_namespace_share_a_slot(server: BreakableServer, own: Store) -> None:
    """Asked of a real cluster of one node."""
    server.kill()
    assert server._launch("cluster-enabled yes")
    assert own.server_facts().cluster is True
    assert own.slots() == 1


# ---- the trial -----------------------------------------------------------------------------------


def test_a_trial_leaves_nothing_and_nobody_sees_it(own: Store, server: BreakableServer) -> None:
    """Neither a key nor an operation, nor a change for those who follow the namespace."""
    followed = own.follow()
    next(followed)
    assert own.trial() > 0
    assert server.admin.keys("*") == []
    assert own.operations().items == []
    assert type(next(followed)).__name__ == "Tick"


def test_a_trial_needs_no_more_than_the_tracker_does(own: Store, server: BreakableServer) -> None:
    """A user who may use the namespace's own keys and channels may run it, in the same slot."""
    allowed(server, "resetkeys", "resetchannels", "~tracker:{default}:*", "&tracker:{default}:*", "-@dangerous")
    assert own.trial() > 0


def test_a_trial_that_fails_half_way_leaves_nothing_for_long(own: Store, server: BreakableServer) -> None:
    """Whoever may not remove keys may still let them run out."""
    allowed(server, "-unlink")
    with pytest.raises(StoreUnavailable, match="unlink"):
        own.trial()
    assert all(0 < server.admin.ttl(key) <= 60 for key in server.admin.keys("*"))


@pytest.mark.parametrize(("state", "code"), [("fill", "OOM"), ("read_only", "READONLY"), ("misconf", "MISCONF")])
def test_a_trial_fails_where_nothing_is_stored(own: Store, server: BreakableServer, state: str, code: str) -> None:
    """With the error that a publisher would get."""
    getattr(server, state)()
    with pytest.raises(Holding) as raised:
        own.trial()
    assert raised.value.code == code


def test_a_recorder_and_what_waits_for_it_are_told(store: Store) -> None:
    """Nothing at first; then what the keys say."""
    assert (store.upkeep().recorder, store.upkeep().late, store.upkeep().dropped) == (False, 0, 0)
    redis = store.client.redis
    redis.set(store.keys.recorder, "token")
    redis.rpush(store.keys.late, "blob")
    redis.set(store.keys.late_dropped, 3)
    assert (store.upkeep().recorder, store.upkeep().late, store.upkeep().dropped) == (True, 1, 3)
