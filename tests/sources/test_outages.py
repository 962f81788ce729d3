"""What happens while a watcher is cut off is told afterwards, as if nothing had been in the way."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.browser.gateway import gateway
from tests.faults.proxy import FaultProxy
from tests.sources import scripts
from tests.sources.conftest import Start
from tests.sources.following import Watcher
from tests.sources.telling import Turn, by_operation, turns
from tests.store.making import batch_of
from tests.support import free_address, wait_for
from tests.web.client import Server, serving
from tracker.cli.source import Source, connections
from tracker.cli.source.direct import Direct
from tracker.cli.source.items import Tick
from tracker.cli.source.remote import Remote
from tracker.model import Status
from tracker.settings import Settings
from tracker.store import Store


@pytest.fixture(params=["direct", "remote"])
def way_through(request: pytest.FixtureRequest) -> str:
    """In front of what the proxy stands."""
    way: str = request.param
    return way


@pytest.fixture
def proxy(way_through: str, server: Server, shared: dict[str, str]) -> Iterator[FaultProxy]:
    with FaultProxy(shared["TRACKER_REDIS_URL"] if way_through == "direct" else server.url) as proxy:
        yield proxy


@pytest.fixture
def cut_off(way_through: str, proxy: FaultProxy, shared: dict[str, str]) -> Source:
    """A source that sees the world through the proxy."""
    if way_through == "remote":
        return Remote(proxy.url)
    return Direct(replace(Settings.from_env(shared), redis_url=proxy.url))


@pytest.mark.parametrize("fault", ["reset", "refuse", "stall", "cut", "delay", "swallow"])
def test_nothing_is_missed_or_told_twice_whatever_happens_to_the_connection(
    cut_off: Source, proxy: FaultProxy, store: Store, id: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps that began and ended meanwhile, and the outcome: each once, in order, and no reset."""
    monkeypatch.setattr(connections, "SILENCE", 3.0)
    scripts.waits(store, id)
    changes = scripts.steps(id, 6)
    with Watcher(cut_off, id) as watcher:
        watcher.begins()
        scripts.one_by_one(store, changes[:3])
        watcher.sees(id, "running")
        _break(proxy, fault)
        scripts.one_by_one(store, changes[3:8])
        if fault in ("refuse", "stall", "swallow"):
            wait_for(lambda: any(isinstance(item, Tick) and item.stale for item in watcher.items))
        proxy.heal()
        scripts.one_by_one(store, changes[8:])
        watcher.sees_end(id)
    assert watcher.turns == {id: scripts.steps_seen(id, 6)}
    assert watcher.resets == []


def _break(proxy: FaultProxy, fault: str) -> None:
    if fault == "reset":
        proxy.reset()
    elif fault == "refuse":
        proxy.refuse()
        proxy.reset()
    elif fault == "stall":
        proxy.stall("client")
    elif fault == "cut":
        proxy.cut_after(700, "client")
    elif fault == "delay":
        proxy.delay(0.2)
    else:
        proxy.swallow()


def test_every_child_s_outcome_is_told_although_it_ended_unseen(
    cut_off: Source, proxy: FaultProxy, store: Store, id: str
) -> None:
    """Of a batch whose children end one after the other while the connection breaks again and again."""
    ids = batch_of(store, 20, id)
    with Watcher(cut_off, id) as watcher:
        watcher.begins()
        for number, one in enumerate(ids):
            scripts.one_by_one(store, scripts.child(one, id, Status.ERROR if number % 7 == 0 else Status.COMPLETE))
            if number % 5 == 2:
                proxy.reset()
        watcher.sees_end(id, *ids)
    ended = {one: found[-1][2] for one, found in watcher.turns.items()}
    assert ended == {one: "error" if number % 7 == 0 else "complete" for number, one in enumerate(ids)} | {id: "error"}
    assert all(_ends_once(found) for found in watcher.turns.values())
    assert watcher.resets == []


def _ends_once(found: list[Turn]) -> bool:
    return [turn[2] for turn in found if turn[1] == "status" and turn[2] in ("complete", "error")] == [found[-1][2]]


def test_what_the_feed_cannot_prove_is_told_as_a_reset(
    cut_off: Source, proxy: FaultProxy, store: Store, id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never a partial continuation: the reset comes once, then how things stand, and then it goes on."""
    scripts.waits(store, id)
    changes = scripts.steps(id, 3)
    with Watcher(cut_off, id) as watcher:
        watcher.begins()
        scripts.one_by_one(store, changes[:3])
        watcher.sees(id, "running")
        proxy.refuse()
        proxy.reset()
        scripts.one_by_one(store, changes[3:5])
        store.client.redis.xtrim(store.keys.feed, maxlen=1, approximate=False)
        proxy.heal()
        wait_for(lambda: watcher.resets)
        scripts.one_by_one(store, changes[5:])
        watcher.sees_end(id)
    assert len(watcher.resets) == 1
    assert watcher.turns[id][-1] == (id, "status", "complete")


def test_a_web_server_that_restarts_is_found_again(
    shared: dict[str, str], store: Store, tmp_path: Path, id: str
) -> None:
    """It says goodbye, and another one takes its place at the same address."""
    place = {"TRACKER_BIND": free_address(), "TRACKER_STATE_DIR": shared["TRACKER_STATE_DIR"]}
    where = (shared["TRACKER_REDIS_URL"], shared["TRACKER_NAMESPACE"], tmp_path / "log", place)
    scripts.waits(store, id)
    changes = scripts.steps(id, 3)
    with serving(*where) as first, Watcher(Remote(first.url), id) as watcher:
        watcher.begins()
        scripts.one_by_one(store, changes[:2])
        first.stop(signal.SIGTERM)
        scripts.one_by_one(store, changes[2:5])
        with serving(*where):
            scripts.one_by_one(store, changes[5:])
            watcher.sees_end(id)
    assert watcher.turns == {id: scripts.steps_seen(id, 3)}
    assert watcher.resets == []


def test_redis_that_is_away_behind_the_server_is_seen_as_that(
    shared: dict[str, str], store: Store, tmp_path: Path, id: str
) -> None:
    """What is shown is said to be old until Redis answers again; then nothing is missing."""
    scripts.waits(store, id)
    changes = scripts.steps(id, 2)
    state = {"TRACKER_STATE_DIR": shared["TRACKER_STATE_DIR"]}
    with (
        FaultProxy(shared["TRACKER_REDIS_URL"]) as proxy,
        serving(proxy.url, shared["TRACKER_NAMESPACE"], tmp_path / "log", state) as server,
        Watcher(Remote(server.url), id) as watcher,
    ):
        watcher.begins()
        proxy.refuse()
        proxy.reset()
        wait_for(lambda: any(isinstance(item, Tick) and item.stale for item in watcher.items))
        scripts.one_by_one(store, changes[:3])
        proxy.heal()
        scripts.one_by_one(store, changes[3:])
        watcher.sees_end(id)
        wait_for(lambda: isinstance(watcher.items[-1], Tick) and not watcher.items[-1].stale)
    assert watcher.turns == {id: scripts.steps_seen(id, 2)}
    assert watcher.resets == []


def test_where_websockets_are_refused_events_come_all_the_same(
    shared: dict[str, str], store: Store, tmp_path: Path, id: str
) -> None:
    """As server-sent events, through an nginx that knows no upgrade, below a path."""
    base = {"TRACKER_BASE_PATH": "/tracker", "TRACKER_STATE_DIR": shared["TRACKER_STATE_DIR"]}
    scripts.waits(store, id)
    changes = scripts.steps(id, 3)
    with (
        serving(shared["TRACKER_REDIS_URL"], shared["TRACKER_NAMESPACE"], tmp_path / "log", base) as server,
        gateway(server, tmp_path, upgrades=False) as address,
        Watcher(Remote(address), id) as watcher,
    ):
        watcher.begins()
        scripts.one_by_one(store, changes)
        watcher.sees_end(id)
    assert watcher.turns == {id: scripts.steps_seen(id, 3)}
    assert not any(isinstance(item, Tick) and item.stale for item in watcher.items)


TOKEN = "a-token-of-nginx"


def test_a_gateway_that_wants_a_token_is_shown_it(
    start: Start, shared: dict[str, str], remote: dict[str, str], store: Store, tmp_path: Path, id: str
) -> None:
    """Below a path, by plain requests and by the live connection; without it, exit code 6 and one line."""
    base = {"TRACKER_BASE_PATH": "/tracker", "TRACKER_STATE_DIR": shared["TRACKER_STATE_DIR"]}
    scripts.waits(store, id)
    with (
        serving(shared["TRACKER_REDIS_URL"], shared["TRACKER_NAMESPACE"], tmp_path / "log", base) as server,
        gateway(server, tmp_path, token=TOKEN) as address,
    ):
        outside = {**remote, "TRACKER_SERVER": ""}
        refused = start(outside, "watch", id, "--server", address)
        assert (refused.code(), refused.out) == (6, "")
        assert refused.err == f"tracker: {address.rstrip('/')} wants a token; set TRACKER_TOKEN\n"
        watching = start({**outside, "TRACKER_TOKEN": TOKEN}, "watch", id, "--json", "--server", address)
        wait_for(lambda: watching.objects or watching.process.poll() is not None)
        assert TOKEN.encode() not in Path(f"/proc/{watching.process.pid}/cmdline").read_bytes()
        scripts.one_by_one(store, scripts.steps(id, 2))
        assert watching.code() == 0
    assert by_operation(turns(watching.objects)) == {id: scripts.steps_seen(id, 2)}
    assert TOKEN not in watching.out + watching.err
