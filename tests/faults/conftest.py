"""A server that can be broken, on each engine of this machine, and what stands before it and talks to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.following import Following
from tests.faults.pools import Pool, Start
from tests.faults.proxy import FaultProxy
from tests.faults.servers import BreakableServer, Persistence, engine_names, engine_of
from tracker import _sink, event_bus
from tracker.engines import Engine
from tracker.publish import Publisher
from tracker.store import Store, follow

Follow = Callable[..., Following]


@pytest.fixture(params=engine_names())
def engine(request: pytest.FixtureRequest) -> Engine:
    """Whoever uses it, directly or not, runs once with every server program there is."""
    return engine_of(request.param)


@pytest.fixture
def persistence() -> Persistence:
    """How the server keeps its data."""
    return "aof"


@pytest.fixture
def server(engine: Engine, tmp_path: Path, persistence: Persistence) -> Iterator[BreakableServer]:
    """A server of this test that keeps its data when it is killed."""
    with BreakableServer(tmp_path / "redis", persistence, engine) as server:
        yield server


@pytest.fixture
def proxy(server: BreakableServer) -> Iterator[FaultProxy]:
    """Between the server and whoever uses ``proxy.url``."""
    with FaultProxy(server.url) as proxy:
        yield proxy


@pytest.fixture
def store(server: BreakableServer) -> Iterator[Store]:
    """A store on the server itself."""
    store = Store(server.url)
    yield store
    store.client.disconnect()


@pytest.fixture
def far_store(proxy: FaultProxy) -> Iterator[Store]:
    """The same store, reached through the proxy."""
    store = Store(proxy.url)
    yield store
    store.client.disconnect()


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """The folder in which the publisher keeps what Redis does not take."""
    return tmp_path / "spool"


@pytest.fixture
def publisher(proxy: FaultProxy, spool: Path) -> Iterator[Publisher]:
    """A publisher that takes this process's events while the test runs, and sends them through the proxy."""
    store = Store(proxy.url)
    publisher = Publisher(store, spool)
    event_bus.connect(lambda: publisher)
    yield publisher
    proxy.heal()
    publisher.flush()
    event_bus.connect(_sink)
    store.client.disconnect()


@pytest.fixture
def following(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Follow]:
    """Starts followers, and stops them after the test; they look up often, so that stopping takes no time."""
    monkeypatch.setattr(follow, "TICK", 0.1)
    made: list[Following] = []

    def start(through: Store = store, operation: str | None = None) -> Following:
        made.append(Following(through, operation))
        return made[-1]

    yield start
    for one in made:
        one.ask_to_stop()
    for one in made:
        one.join()


@pytest.fixture
def quick_compare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Followers compare themselves with the store at once when they hear nothing."""
    monkeypatch.setattr(follow, "COMPARE_EVERY", 0.05)


@pytest.fixture
def start(
    server: BreakableServer, proxy: FaultProxy, redis_url: str, namespace: str, tmp_path: Path
) -> Iterator[Start]:
    """Starts a worker, and ends it after the test."""
    started: list[Pool] = []

    def begin(pool: str = "prefork", **conf: object) -> Pool:
        started.append(Pool(pool, server, proxy.url, redis_url, namespace, tmp_path, **conf))  # type: ignore[arg-type]
        started[-1].ready()
        return started[-1]

    yield begin
    for pool in started:
        pool.close()
