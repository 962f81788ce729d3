"""Every state of the server is the one its name says, and the server comes back from it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from tests.faults.servers import BreakableServer, Persistence
from tests.store.making import queued
from tests.support import wait_for
from tracker.engines import Engine
from tracker.errors import StoreUnavailable
from tracker.store import Store
from tracker.store.append import SCRIPT_SHA
from tracker.store.client import Refused


def stores(store: Store, id: str) -> bool:
    """Whether an operation that is queued now is stored."""
    (answer,) = store.append([queued(id)])
    return answer.kind == "stored"


def ids(store: Store) -> set[str]:
    return {parts.id for parts in store.operations().items}


def test_a_killed_server_is_gone_and_comes_back_with_its_data(server: BreakableServer, store: Store) -> None:
    """Under the same address, as another process."""
    store.append([queued("a")])
    pid = server.pid
    server.kill()
    with pytest.raises(StoreUnavailable):
        store.ping()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    server.start()
    assert ids(store) == {"a"}


@pytest.mark.parametrize(("persistence", "kept"), [("none", set()), ("rdb", {"a"}), ("aof", {"a", "b"})])
def test_what_survives_a_kill_is_what_was_asked_for(
    engine: Engine, tmp_path: Path, persistence: Persistence, kept: set[str]
) -> None:
    """Nothing, the last dump, or everything."""
    with BreakableServer(tmp_path / "own", persistence, engine) as server:
        store = Store(server.url)
        store.append([queued("a")])
        server.save()
        store.append([queued("b")])
        server.kill()
        server.start()
        store.client.disconnect()
        assert ids(store) == kept
        store.client.disconnect()


def test_a_server_restarted_empty_has_forgotten_everything(server: BreakableServer, store: Store) -> None:
    """And takes new data."""
    store.append([queued("a")])
    server.restart_empty()
    store.client.disconnect()
    assert ids(store) == set()
    assert stores(store, "b")


@pytest.mark.parametrize("persistence", ["none", "rdb", "aof"])
def test_a_server_that_is_rolled_back_holds_what_it_held(
    engine: Engine, tmp_path: Path, persistence: Persistence
) -> None:
    """The older feed, as often as wanted."""
    with BreakableServer(tmp_path / "own", persistence, engine) as server:
        store = Store(server.url)
        store.append([queued("a")])
        server.save()
        feed = store.client.redis.xrange(store.keys.feed)
        for _ in range(2):
            store.append([queued("b")])
            server.roll_back()
            store.client.disconnect()
            assert ids(store) == {"a"}
            assert store.client.redis.xrange(store.keys.feed) == feed
        store.client.disconnect()


def test_a_paused_server_is_silent_until_it_goes_on(server: BreakableServer, store: Store) -> None:
    """It is asked in time, answers too late, and has lost nothing."""
    store.append([queued("a")])
    with server.paused(), pytest.raises(StoreUnavailable, match="Timeout"):
        store.ping()
    store.client.disconnect()
    assert ids(store) == {"a"}


def test_a_paused_server_can_be_killed(server: BreakableServer, store: Store) -> None:
    """SIGKILL does not wait for SIGCONT."""
    server.pause()
    server.kill()
    server.start()
    store.ping()


def test_a_flushed_server_holds_nothing(server: BreakableServer, store: Store) -> None:
    """Without a connection being lost."""
    store.append([queued("a")])
    server.flush()
    assert ids(store) == set()


@pytest.mark.parametrize(
    ("broken", "mended", "said"),
    [
        (BreakableServer.fill, BreakableServer.unfill, "OOM"),
        (BreakableServer.read_only, BreakableServer.writable, "READONLY"),
        (BreakableServer.misconf, BreakableServer.fix, "MISCONF"),
    ],
)
def test_a_server_that_takes_no_writes_still_answers(
    server: BreakableServer,
    store: Store,
    broken: Callable[[BreakableServer], None],
    mended: Callable[[BreakableServer], None],
    said: str,
) -> None:
    """Reads are served; a write is refused with that server's own words, stores nothing, and is taken afterwards."""
    store.append([queued("a")])
    broken(server)
    with pytest.raises(StoreUnavailable, match=said):
        store.append([queued("b")])
    assert ids(store) == {"a"}
    mended(server)
    assert stores(store, "b")


def test_a_server_that_could_not_save_keeps_its_older_dump(engine: Engine, tmp_path: Path) -> None:
    """What stood in its way takes nothing with it."""
    with BreakableServer(tmp_path / "own", "rdb", engine) as server:
        store = Store(server.url)
        store.append([queued("a")])
        server.save()
        server.misconf()
        server.fix()
        server.kill()
        server.start()
        store.client.disconnect()
        assert ids(store) == {"a"}
        store.client.disconnect()


def test_a_server_that_reads_its_data_back_answers_loading(engine: Engine, tmp_path: Path) -> None:
    """For as long as wanted; then it holds what it held, and nothing of what slowed it down."""
    with BreakableServer(tmp_path / "own", "rdb", engine) as server:
        store = Store(server.url)
        store.append([queued("a")])
        with server.loading():
            store.client.disconnect()
            with pytest.raises(StoreUnavailable, match="LOADING"):
                store.ping()
            with pytest.raises(StoreUnavailable, match="LOADING"):
                store.append([queued("b")])
        store.client.disconnect()
        assert ids(store) == {"a"}
        assert set(server.admin.info("keyspace")) == {"db0"}
        store.client.disconnect()


def test_rights_that_are_taken_are_refused_until_given_back(server: BreakableServer, store: Store) -> None:
    """On connections that stand, too."""
    store.append([queued("a")])
    server.revoke()
    with pytest.raises(Refused, match="NoPermission"):
        store.append([queued("b")])
    server.allow()
    assert ids(store) == {"a"}


def test_a_changed_password_ends_connections_and_lets_nobody_in(server: BreakableServer, store: Store) -> None:
    """Until it is the old one again."""
    store.append([queued("a")])
    server.change_password()
    store.client.disconnect()
    with pytest.raises(Refused, match="password"):
        store.ping()
    server.allow()
    assert ids(store) == {"a"}


def test_a_forgotten_script_is_sent_again(server: BreakableServer, store: Store) -> None:
    """The caller does not notice."""
    store.append([queued("a")])
    server.script_flush()
    assert server.admin.script_exists(SCRIPT_SHA) == [False]
    assert stores(store, "b")


def test_subscribers_are_thrown_out(server: BreakableServer, store: Store) -> None:
    """As many as there are; others stay."""
    store.ping()
    pubsub = store.client.redis.pubsub()
    pubsub.subscribe("news")
    assert pubsub.get_message(timeout=10.0) is not None
    assert server.kill_pubsub() == 1
    with pytest.raises(redis.ConnectionError):
        wait_for(lambda: pubsub.get_message(timeout=1.0))
    store.ping()
    pubsub.close()


def test_a_server_takes_no_more_connections_than_allowed(server: BreakableServer, store: Store) -> None:
    """Whoever comes too late is told why."""
    server.maxclients(1)
    with pytest.raises(StoreUnavailable, match="max number of clients"):
        store.ping()
    server.maxclients(10_000)
    store.ping()


def test_a_closed_server_leaves_no_process(engine: Engine, tmp_path: Path) -> None:
    """Neither a running one nor a zombie, also if it was paused."""
    with BreakableServer(tmp_path / "own", engine=engine) as server:
        pid = server.pid
        server.pause()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
