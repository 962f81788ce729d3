"""Processes that are killed at the worst moments: what they had stored or put by is stored in the end, once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGKILL

import pytest

from tests.checker.check import check
from tests.checker.collecting import collect, take_late, told_twice
from tests.checker.history import load, save
from tests.faults.crashing import POINTS
from tests.faults.programs import Running
from tests.faults.proxy import FaultProxy
from tests.faults.servers import engine_of
from tests.faults.test_outages import files
from tracker.compose import compose
from tracker.engines import Engine
from tracker.model import Status
from tracker.store import Store

EXIT = [point for point in POINTS if point.startswith("at exit")]


class Trial:
    """Producers with one state folder, and what they write down."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.spool = folder / "state" / "spool" / "default"
        self._url = url
        folder.mkdir()

    @contextmanager
    def producer(self, name: str, point: str = "") -> Iterator[Running]:
        arguments = ["-m", "tests.faults.crashing", str(self.folder), name, point]
        running = Running(arguments, self._url, self.folder / "state")
        try:
            yield running
        finally:
            running.close()

    @property
    def reached(self) -> str:
        return (self.folder / "reached").read_text()


@pytest.fixture
def engine() -> Engine:
    """One is enough: it is the producers that fall."""
    return engine_of("bundled")


@pytest.fixture
def trial(proxy: FaultProxy, tmp_path: Path) -> Trial:
    return Trial(tmp_path / "trial", proxy.url)


def fall(trial: Trial, proxy: FaultProxy, name: str, point: str) -> int:
    """Run a producer until it has died at the point; its exit code."""
    situation = POINTS[point].situation
    with trial.producer(name, point) as running:
        if situation != "replay":
            running.says("begun")
            if situation != "well":
                proxy.refuse()
                proxy.reset()
            running.go_on()
            running.says("safe")
            if situation == "drain":
                proxy.heal()
            running.go_on()
        code = running.end() if point in EXIT else running.ended()
        proxy.heal()
        return code


def status(store: Store, id: str) -> Status:
    parts = store.operation(id)
    assert parts is not None
    return compose(parts).status


def settle(trial: Trial, store: Store) -> None:
    """Another producer comes, sends what it finds and leaves; then the recorder does its part."""
    with trial.producer("after") as after:
        after.says("begun")
        after.go_on()
        assert after.end() == 0, after.told()
    assert files(trial.spool) == []
    assert take_late(store) <= {"stored", "duplicate"}


@pytest.mark.parametrize("point", POINTS)
def test_a_process_that_is_killed(point: str, proxy: FaultProxy, store: Store, trial: Trial) -> None:
    """… loses nothing that was stored or on disk, and nothing is stored twice once another one has come after it."""
    if POINTS[point].situation == "replay":
        assert fall(trial, proxy, "before", "at exit, after what waited is on disk") == -SIGKILL
    assert fall(trial, proxy, "killed", point) == -SIGKILL
    assert trial.reached == point
    left = files(trial.spool)
    settle(trial, store)
    assert told_twice(store) == []
    save(trial.folder, "stored-redis", collect(store))
    assert check(load(trial.folder)) == []
    if point not in EXIT and POINTS[point].situation in ("outage", "drain"):
        assert status(store, "killed-outer") is (Status.LOST if left else Status.RUNNING)


def test_what_a_process_left_open_on_disk_is_lost(proxy: FaultProxy, store: Store, trial: Trial) -> None:
    """Whoever sends what it has left also says so, however often sending it is cut short."""
    for name, point in (
        ("before", "before a spool write"),
        ("again", "in a replay, after the verdicts, before the file is removed"),
    ):
        assert fall(trial, proxy, name, point) == -SIGKILL
    assert status(store, "before-outer") is Status.LOST
    settle(trial, store)
    assert status(store, "before-outer") is Status.LOST
