"""An address that is given to a replica which lags: who saw no more than that goes on, everybody else begins anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.conftest import Follow
from tests.faults.following import stored
from tests.faults.proxy import FaultProxy
from tests.faults.servers import BreakableServer
from tests.support import wait_for
from tracker import StepTracker
from tracker.engines import Engine
from tracker.publish import Publisher
from tracker.store import Store


class Pair:
    """A primary and its replica, with a way between them that can be held up."""

    def __init__(self, primary: BreakableServer, replica: BreakableServer) -> None:
        self.primary = primary
        self.replica = replica
        self.way = FaultProxy(primary.url)
        self.kept = Store(replica.url)
        primary.admin.config_set("repl-diskless-sync-delay", 0)
        replica.admin.config_set("masterauth", primary.password)
        host, _, port = self.way.url.rpartition("@")[2].removesuffix("/0").partition(":")
        replica.admin.replicaof(host, port)
        wait_for(lambda: replica.admin.info("replication")["master_link_status"] == "up")

    def fail_over(self, *addresses: FaultProxy) -> None:
        """The primary dies, and its addresses lead to what the replica has."""
        self.primary.kill()
        self.replica.admin.replicaof("NO", "ONE")
        for address in addresses:
            address.lead_to(self.replica.url)
            address.heal()
            address.reset()

    def close(self) -> None:
        self.kept.client.disconnect()
        self.way.close()


@pytest.fixture
def pair(server: BreakableServer, engine: Engine, tmp_path: Path) -> Iterator[Pair]:
    with BreakableServer(tmp_path / "replica", engine=engine, password=server.password) as replica:
        pair = Pair(server, replica)
        yield pair
        pair.close()


def test_a_failover_to_a_replica_that_lags_mixes_no_histories(
    pair: Pair, proxy: FaultProxy, publisher: Publisher, store: Store, following: Follow
) -> None:
    """What the replica never got is told to it by the process that knows it, and nobody shows two histories as one."""
    with FaultProxy(pair.primary.url) as at_4, FaultProxy(pair.primary.url) as at_9:
        behind, ahead = following(Store(at_4.url)), following(Store(at_9.url))
        wait_for(lambda: behind.resets and ahead.resets)
        with StepTracker("Import", id="import", display="quiet") as tracker:
            for number in range(1, 10):
                tracker.step(f"Step {number}")
                assert publisher.flush(30)
                if number == 4:
                    wait_for(lambda: behind.seen.get("import") == stored(store)["import"])
                    at_4.refuse()
                    at_4.reset()
                if number == 6:
                    wait_for(lambda: stored(pair.kept) == stored(store))
                    pair.way.stall("client")
            wait_for(lambda: ahead.seen == stored(store))
            pair.fail_over(proxy, at_4, at_9)
            assert names(pair.kept) == [f"Step {number}" for number in range(1, 7)]
            tracker.step("Step 10")
        assert publisher.flush(30)
        assert names(pair.kept) == [f"Step {number}" for number in range(1, 11)]
        for watcher in (behind, ahead):
            wait_for(lambda watcher=watcher: watcher.seen == stored(pair.kept))
        assert (len(behind.resets), len(ahead.resets)) == (1, 2)


def names(store: Store) -> list[str]:
    return [step.name for step in stored(store)["import"].steps or ()]
