"""Work that is done while Redis is away: unharmed, on disk meanwhile, and stored afterwards, once and in order."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.checker.collecting import late
from tests.faults.conftest import Follow
from tests.faults.proxy import FaultProxy
from tests.faults.servers import BreakableServer
from tests.store.revs import feed, rev_of
from tests.support import wait_for
from tracker import StepTracker
from tracker.compose import compose
from tracker.model import Event, Operation, Status
from tracker.publish import Publisher, outage
from tracker.store import Store

ROOT = Path(__file__).parents[2]

STEPS = 20


def work(id: str) -> None:
    """Steps with a line each."""
    with StepTracker("Work", id=id, display="quiet") as tracker:
        for index in range(STEPS):
            with tracker.step(f"Step {index}") as step:
                step.log(f"line {index}")


def story() -> list[str]:
    return ["operation.start", *["step.start", "step.log", "step.complete"] * STEPS, "operation.complete"]


def events_of(store: Store, id: str) -> list[Event]:
    """The stored events of one operation, in order."""
    return [event for change in feed(store) if change.operation == id for event in change.events]


def stored(store: Store, id: str) -> Operation:
    """The operation, once the store knows its end."""

    def ended() -> Operation | None:
        parts = store.operation(id)
        operation = compose(parts) if parts is not None else None
        return operation if operation is not None and operation.ended else None

    return wait_for(lambda: ended())


def files(spool: Path) -> list[Path]:
    return list(spool.glob("*.spool"))


def is_put_by(publisher: Publisher) -> bool:
    """Nothing is in memory only."""
    return not publisher._queue and not publisher._waiting


@contextmanager
def refusing(server: BreakableServer, proxy: FaultProxy) -> Iterator[None]:
    proxy.refuse()
    proxy.reset()
    yield
    proxy.heal()


@contextmanager
def swallowing(server: BreakableServer, proxy: FaultProxy) -> Iterator[None]:
    proxy.swallow()
    yield
    proxy.heal()


@contextmanager
def killed(server: BreakableServer, proxy: FaultProxy) -> Iterator[None]:
    server.kill()
    yield
    server.start()


@contextmanager
def paused(server: BreakableServer, proxy: FaultProxy) -> Iterator[None]:
    with server.paused():
        yield


@contextmanager
def full(server: BreakableServer, proxy: FaultProxy) -> Iterator[None]:
    server.fill()
    yield
    server.unfill()


@contextmanager
def read_only(server: BreakableServer, proxy: FaultProxy) -> Iterator[None]:
    server.read_only()
    yield
    server.writable()


@contextmanager
def disk_broken(server: BreakableServer, proxy: FaultProxy) -> Iterator[None]:
    server.misconf()
    yield
    server.fix()


@contextmanager
def not_allowed(server: BreakableServer, proxy: FaultProxy) -> Iterator[None]:
    server.revoke()
    yield
    server.allow()


@contextmanager
def too_many_clients(server: BreakableServer, proxy: FaultProxy) -> Iterator[None]:
    server.maxclients(1)
    proxy.reset()
    yield
    server.maxclients(10_000)


@contextmanager
def reading_back(server: BreakableServer, proxy: FaultProxy) -> Iterator[None]:
    with server.loading():
        yield


FAULTS: dict[str, Callable[[BreakableServer, FaultProxy], object]] = {
    "refuses connections": refusing,
    "swallows everything": swallowing,
    "was killed": killed,
    "is paused": paused,
    "is full": full,
    "is a replica": read_only,
    "cannot write to its disk": disk_broken,
    "allows nothing": not_allowed,
    "has too many clients": too_many_clients,
    "reads its data back": reading_back,
}


@pytest.mark.parametrize(
    ("fault", "persistence"), [(fault, "rdb" if fault == "reads its data back" else "aof") for fault in FAULTS]
)
def test_what_is_done_while_redis(
    fault: str,
    server: BreakableServer,
    proxy: FaultProxy,
    store: Store,
    publisher: Publisher,
    spool: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """… is on disk soon, and stored once and in order when it is back; one line says what is wrong."""
    monkeypatch.setattr(outage, "PATIENCE", 0.1)
    monkeypatch.setattr(outage, "REFUSED_PAUSE", 0.2)
    publisher._store.client.answer_timeout = 0.2
    work("before")
    stored(store, "before")
    with caplog.at_level(logging.WARNING, logger="tracker"), FAULTS[fault](server, proxy):  # type: ignore[attr-defined]
        work("during")
        wait_for(lambda: files(spool) and is_put_by(publisher))
        work("more")
    assert stored(store, "more").status is stored(store, "during").status is Status.COMPLETE
    assert publisher.flush(10)
    for id in ("before", "during", "more"):
        assert [event.type for event in events_of(store, id)] == story()
        assert len(store.logs(id)) == STEPS
        assert rev_of(store, id) == len(story())
    assert files(spool) == []
    assert len(caplog.messages) == 1
    assert caplog.messages[0].endswith("; the work goes on")


def test_a_store_that_lost_its_data_meanwhile_is_told_all_of_a_run_again(
    server: BreakableServer, proxy: FaultProxy, store: Store, publisher: Publisher, spool: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """What it had before is in nobody's spool, but the run still knows; lines that were spooled are kept."""
    monkeypatch.setattr(outage, "PATIENCE", 0.1)
    with StepTracker("Work", id="a", display="quiet") as tracker:
        with tracker.step("Before"):
            pass
        assert publisher.flush(10)
        proxy.refuse()
        proxy.reset()
        with tracker.step("During") as step:
            step.log("a line")
        wait_for(lambda: files(spool) and is_put_by(publisher))
    wait_for(lambda: is_put_by(publisher))
    server.restart_empty()
    proxy.heal()
    found = stored(store, "a")
    assert publisher.flush(10)
    assert [(step.name, step.status) for step in stored(store, "a").steps or ()] == [
        ("Before", "complete"),
        ("During", "complete"),
    ]
    assert found.status is Status.COMPLETE
    assert [line.text for line in store.logs("a")] == ["a line"]


def test_what_comes_after_an_outage_waits_for_what_came_before(
    proxy: FaultProxy, store: Store, publisher: Publisher, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The events of one run keep their order although some were on disk."""
    monkeypatch.setattr(outage, "PATIENCE", 0.1)
    with StepTracker("Work", id="a", display="quiet") as tracker:
        proxy.refuse()
        proxy.reset()
        for index in range(300):
            tracker.step(f"Step {index}")
        wait_for(lambda: files(spool) and is_put_by(publisher))
        proxy.heal()
        for index in range(300):
            tracker.step(f"Later step {index}")
    stored(store, "a")
    seqs = [event.seq for event in events_of(store, "a")]
    assert seqs == list(range(1, 1 + len(seqs)))
    assert [event.type for event in events_of(store, "a")].count("step.complete") == 600


def test_a_slow_redis_slows_no_work_and_gets_all_of_it_in_few_calls(
    proxy: FaultProxy, store: Store, publisher: Publisher, following: Follow
) -> None:
    """Whatever comes up while a call is under way goes together into the next one; watchers lag, and miss nothing."""
    publisher._store.client.answer_timeout = 30
    watcher = following(Store(proxy.url))
    wait_for(lambda: watcher.resets)
    proxy.delay(0.2)
    calls = proxy.commands["EVALSHA"]
    with StepTracker("Work", id="a", display="quiet") as tracker:
        for index in range(1_000):
            tracker.step(f"Step {index}")
    assert proxy.commands["EVALSHA"] - calls < 50
    assert publisher.flush(60)
    assert proxy.commands["EVALSHA"] - calls < 100
    story = ["operation.start", *["step.start", "step.complete"] * 1_000, "operation.complete"]
    assert [event.type for event in events_of(store, "a")] == story
    wait_for(lambda: watcher.rev("a") == len(story))
    assert watcher.revs("a") == list(range(1, len(story) + 1))
    assert watcher.resets == ["start"]


def test_no_run_is_forgotten_while_the_disk_is_of_no_use(
    proxy: FaultProxy, store: Store, publisher: Publisher, spool: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """What waits is kept in memory, within bounds, and one line says why."""
    monkeypatch.setattr(outage, "PATIENCE", 0.0)
    spool.write_text("a file where the folder should be")
    proxy.refuse()
    with caplog.at_level(logging.WARNING, logger="tracker"):
        work("a")
        wait_for(lambda: len(caplog.messages) == 2)
        work("b")
    proxy.heal()
    assert [event.type for event in (stored(store, "a"), stored(store, "b")) and events_of(store, "b")] == story()
    assert sum("cannot be kept on disk" in message for message in caplog.messages) == 1


SCRIPT = f"""
import sys
from tracker import StepTracker
for id in sys.argv[1:]:
    with StepTracker("Work", id=id, display="quiet") as tracker:
        for index in range({STEPS}):
            with tracker.step(f"Step {{index}}") as step:
                step.log(f"line {{index}}")
print("worked", flush=True)
"""


def script(url: str, state: Path, *ids: str) -> subprocess.CompletedProcess[str]:
    """A script of a user, in a process of its own."""
    environment = os.environ | {"TRACKER_REDIS_URL": url, "TRACKER_STATE_DIR": str(state)}
    command = [sys.executable, "-W", "error", "-c", SCRIPT, *ids]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)


def test_a_script_leaves_what_it_could_not_send_and_the_next_one_sends_it(
    server: BreakableServer, proxy: FaultProxy, store: Store, tmp_path: Path
) -> None:
    """It ends as if nothing were, but for one line; what it did is not lost."""
    proxy.refuse()
    done = script(proxy.url, tmp_path / "state", "a", "b")
    assert done.stdout == "worked\n"
    assert done.stderr.count("\n") == 1
    assert len(files(tmp_path / "state" / "spool" / "default")) == 1
    proxy.heal()
    script(proxy.url, tmp_path / "state", "c")
    assert stored(store, "c").status is Status.COMPLETE
    assert files(tmp_path / "state" / "spool" / "default") == []
    assert {blob.operation for blob in late(store)} == {"a", "b"}
