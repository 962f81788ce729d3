"""A Redis that was set up to evict keys: no harm comes to the work, and what still changes is told anew."""

from __future__ import annotations

import secrets

import pytest

from tests.faults.conftest import Follow
from tests.faults.following import stored
from tests.faults.servers import BreakableServer
from tests.support import wait_for
from tracker import StepTracker
from tracker.history import History
from tracker.history.recorder import Recorder
from tracker.model import Status
from tracker.publish import Publisher
from tracker.store import Store

ROOM = 2_000_000
"""Bytes above what the server holds at first: enough for its connections, and not for much more."""


@pytest.fixture
def evicting(server: BreakableServer) -> BreakableServer:
    """It has little room, and drops what was not used for the longest time."""
    server.admin.config_set("maxmemory-policy", "allkeys-lru")
    server.admin.config_set("maxmemory", server.admin.info("memory")["used_memory"] + ROOM)
    return server


def crowd_out(server: BreakableServer, key: str) -> None:
    """Write other things until that key is gone; then there is room again, so that no other key follows it."""

    def is_gone() -> bool:
        for _ in range(100):
            server.admin.set(f"other:{secrets.token_hex(8)}", "x" * 10_000)
        return not server.admin.keys(key)  # KEYS does not count as a use.

    wait_for(is_gone)
    server.unfill()


@pytest.mark.usefixtures("quick_compare")
def test_an_operation_that_was_evicted_is_told_anew_at_its_next_change(
    evicting: BreakableServer, publisher: Publisher, store: Store, following: Follow
) -> None:
    """Its process knows all of it; whoever watches ends up with what is stored."""
    watcher = following()
    with StepTracker("Import", id="import", display="quiet") as tracker:
        tracker.step("Before")
        assert publisher.flush(30)
        crowd_out(evicting, store.keys.operation("import"))
        tracker.step("After")
        assert publisher.flush(30)
        assert [step.name for step in stored(store)["import"].steps or ()] == ["Before", "After"]
    assert publisher.flush(30)
    assert stored(store)["import"].status is Status.COMPLETE
    wait_for(lambda: watcher.seen.get("import") == stored(store)["import"])


def test_nothing_fails_while_keys_are_evicted_all_the_time(
    evicting: BreakableServer, publisher: Publisher, store: Store
) -> None:
    """Neither the work nor those who read, whichever parts are gone; what still grows is whole at its end."""
    recorder, history = Recorder(store), History(store)
    with StepTracker("Import", id="import", display="quiet") as tracker:
        for number in range(40):
            with tracker.step(f"Step {number}"), StepTracker("Part", display="quiet") as part:
                for index in range(20):
                    part.log("x" * 500 + str(index))
            assert publisher.flush(30)
            recorder.turn()
            for operation in history.operations(limit=200).items:
                history.logs(operation.id)
                history.children(operation.id)
        evicting.unfill()
    assert publisher.flush(30)
    assert evicting.admin.info("stats")["evicted_keys"] > 0
    assert [step.name for step in history.operation("import").steps or ()] == [f"Step {number}" for number in range(40)]
