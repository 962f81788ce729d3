"""Batches on a real prefork worker: dispatched although processes die, and followed by what is to come after them."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from kombu.exceptions import OperationalError
from msgspec.structs import replace

from tests.store.making import NOW, batch_of, by, lease, started
from tests.support import Clock, wait_for
from tests.worker.conftest import System
from tests.worker.test_jobs import ended, waiting_messages
from tracker import StepTracker
from tracker.celery import dispatch
from tracker.celery.app import make_app
from tracker.celery.dispatch import PATIENCE
from tracker.celery.queueing import Queueing
from tracker.errors import BrokerUnavailable, InvalidArguments, UnknownJob
from tracker.history import History
from tracker.history.batches import DEATHS
from tracker.model import Operation, QueuePart, Status, Verdict
from tracker.queued import OnComplete
from tracker.settings import Settings
from tracker.store import Item, QueueItem, Seal, Sent, Silence, Store


def noted(file: Path) -> Counter[str]:
    """How often each operation has done its work."""
    return Counter(file.read_text().split() if file.exists() else [])


def follower(system: System, batch: str) -> Operation:
    """What came after the batch, once it has ended."""
    wait_for(lambda: system.store.operation(f"{batch}.after"))
    return ended(system, f"{batch}.after")


def test_a_dispatch_that_is_killed_goes_on_where_it_stopped(system: System, tmp_path: Path) -> None:
    """Every child runs, and runs once, also those that were being sent just then."""
    file = tmp_path / "notes"
    id = system.queueing.batch("test.notes", [{"file": str(file), "steps": 1}] * 1_000, {})
    wait_for(lambda: 0 < system.store.messages.sent(id) < 1_000)
    dispatching = system.history.operation(id)
    assert dispatching.worker is not None
    os.kill(dispatching.worker.pid, signal.SIGKILL)
    batch = ended(system, id)
    # The other process was busy with children, or has itself taken the dispatch over.
    assert (batch.status, batch.attempt, batch.children.complete) == (Status.COMPLETE, 2, 1_000)
    assert noted(file) == Counter({f"{id}.{index}": 1 for index in range(1, 1_001)})
    wait_for(lambda: waiting_messages(system) == 0)
    assert {run.operation for run in system.store.live_runs()} == set()
    assert system.store.messages.taken() == {}


@pytest.mark.parametrize(
    ("size", "deadly"), [pytest.param(3, 1, id="before any is sent"), pytest.param(150, 131, id="after some were sent")]
)
def test_a_dispatch_that_kills_its_process_each_time_is_given_up(system: System, size: int, deadly: int) -> None:
    """With what it could not send, and why; what was sent before runs, and no message goes round for ever."""
    items = [{"text": "deadly" if number == deadly else "x"} for number in range(1, size + 1)]
    id = system.queueing.batch("test.well", items, {})
    wait_for(lambda: system.history.operation(id).children.ended == size, 60)
    batch, attempts = ended(system, id), system.history.attempts(id)
    unsent = size - deadly + 1
    assert (batch.status, batch.children.complete, batch.children.lost) == (Status.ERROR, deadly - 1, unsent)
    assert batch.error is not None
    assert batch.error.message == f"{unsent} of {size} did not complete"
    *died, last = [(one.status, bool(one.ended)) for one in attempts]
    assert died == [(Status.LOST, True)] * len(died)
    assert len(died) - DEATHS in ([0] if deadly == 1 else [0, 1, 2, 3])  # How far one came may be known a moment late.
    assert last == (Status.ERROR, True)
    for index in (deadly, size):
        child = system.history.operation(f"{id}.{index}")
        assert (child.status, child.error and child.error.type) == (Status.LOST, "DispatchDied")
        assert child.error is not None
        assert "has died 5 times in a row" in child.error.message
        assert "\n" not in child.error.message
    wait_for(lambda: waiting_messages(system) == 0)
    assert system.store.messages.owed("test") == {}


@pytest.mark.parametrize(
    ("text", "untold", "tries"),
    [
        pytest.param("x", range(1, DEATHS), DEATHS, id="not often enough"),
        pytest.param("x", range(1, 99), DEATHS, id="each time"),
        pytest.param("deadly", range(2, 99), DEATHS, id="after it had told something"),
        pytest.param("deadly", (2, 4), DEATHS + 1, id="now and then"),
    ],
)
def test_a_dispatch_that_dies_before_it_has_told_anything_counts(
    system: System, tmp_path: Path, text: str, untold: Sequence[int], tries: int
) -> None:
    """Each death is an attempt, whoever tells of it, and after so many it is given up; not sooner."""
    file = tmp_path / "tries"
    title = " ".join(["Untold:", str(file), *map(str, untold)])
    batch = ended(system, system.queueing.batch("test.well", [{"text": text}] * 3, {}, title))
    *died, last = system.history.attempts(batch.id)
    assert [(one.status, one.error and one.error.type) for one in died] == [(Status.LOST, "WorkerLostError")] * (
        tries - 1
    )
    wait_for(lambda: waiting_messages(system) == 0)
    assert file.read_text().split() == ["tried"] * tries
    child = system.history.operation(f"{batch.id}.1")
    if len(untold) < DEATHS and text == "x":
        assert (last.status, child.status) == (Status.COMPLETE, Status.COMPLETE)
    else:
        assert (last.status, child.status) == (Status.ERROR, Status.LOST)
        assert child.error is not None
        assert "has died 5 times in a row" in child.error.message


def test_a_dispatch_that_dies_often_and_comes_further_is_never_given_up(system: System, tmp_path: Path) -> None:
    """Though it dies more often than it may without, and never gets so far that it notes much at once."""
    times = DEATHS + 2
    items = [{"text": str(tmp_path / str(number)) if number % 3 == 0 else "x"} for number in range(1, 3 * times + 1)]
    id = system.queueing.batch("test.well", items, {})
    wait_for(lambda: system.history.operation(id).children.ended == len(items), 60)
    batch = ended(system, id)
    assert (batch.status, batch.attempt, batch.children.complete) == (Status.COMPLETE, times + 1, len(items))
    assert [one.status for one in system.history.attempts(id)] == [Status.LOST] * times + [Status.COMPLETE]


class Passing:
    """Instead of waiting, time passes."""

    def __init__(self, clock: Clock, every: float) -> None:
        self.waits = 0
        self._clock, self._every = clock, every

    def wait(self, seconds: float) -> None:
        self.waits += 1
        self._clock.time += self._every


def test_a_dispatch_that_finds_no_broker_for_too_long_gives_up_what_it_has_not_sent(
    redis_url: str, namespace: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then it goes on trying; what was sent before is left alone, and the others say why."""
    store, passing = Store(redis_url, namespace), Passing(clock, PATIENCE / 4)
    monkeypatch.setattr(dispatch, "elapsed", clock)
    monkeypatch.setattr(dispatch, "_moment", passing)
    sent, *rest = batch_of(store, 3)
    broker = {"TRACKER_REDIS_URL": redis_url, "TRACKER_BROKER_URL": "redis://127.0.0.1:1/0"}
    app, given = make_app(Settings.from_env(broker), sender=True), {child: {"n": 1} for child in rest}
    dispatching = dispatch._Dispatching(app, store, "b", given, "A batch", 1)
    with StepTracker("A batch", display="quiet") as tracker, pytest.raises(OperationalError):
        dispatching.rest(tracker.step("Queue children"))
    assert passing.waits == 5
    assert store.status(sent) is Status.QUEUED
    for child in map(History(store).operation, rest):
        assert (child.status, child.error and child.error.type) == (Status.LOST, "OperationalError")
    store.client.disconnect()


def test_a_dispatch_whose_worker_has_vanished_is_sent_anew(system: System, tmp_path: Path) -> None:
    """Children that were sent are not sent again; of one whose arguments only its message knew, that is said."""
    file = tmp_path / "notes"
    args = {"file": str(file), "steps": 1}
    batch = QueuePart("test.notes", NOW, title="A batch", queue=f"tracker.{system.store.keys.namespace}", batch=True)
    parts = [
        QueuePart("test.notes", NOW, queue=batch.queue, parent="vanished", index=index, args=args, whole=index != 2)
        for index in (1, 2, 3)
    ]
    children = [QueueItem(f"vanished.{part.index}", part) for part in parts]
    system.store.append([QueueItem("vanished", batch), *children, Seal("vanished", 3), Sent("vanished", 1)])
    system.store.append([by("gone", started("vanished", "rd")), lease("gone", "rd")])
    verdict = Verdict(Status.LOST, NOW, "recorder", run="rd")
    system.store.append([Silence("gone", 1, "vanished", verdict)])
    last = ended(system, "vanished.3")
    withheld = ended(system, "vanished.2")
    assert (last.status, withheld.status) == (Status.COMPLETE, Status.LOST)
    assert withheld.error is not None
    assert "its arguments are not stored" in withheld.error.message
    assert (system.history.operation("vanished.1").status, noted(file)) == (Status.QUEUED, {"vanished.3": 1})
    wait_for(lambda: system.store.messages.owed("test") == {})


def vanished(system: System, batch: str, runs: list[str]) -> None:
    """The batch's dispatch was on workers that are gone, one after the other, and the recorder has found it lost."""
    told: list[Item] = []
    for run in runs:
        verdict = Verdict(Status.LOST, NOW, "recorder", run=run)
        told += [by(run, started(batch, run)), lease(run, run), Silence(run, 1, batch, verdict)]
    system.store.append(told)


def stored(system: System, batch: str, file: Path) -> None:
    """A batch of which nothing was sent."""
    args = {"file": str(file), "steps": 1}
    part = QueuePart("test.notes", NOW, title="A batch", queue=f"tracker.{system.store.keys.namespace}", batch=True)
    child = QueuePart("test.notes", NOW, queue=part.queue, parent=batch, args=args, whole=True)
    children = [QueueItem(f"{batch}.{index}", replace(child, index=index)) for index in (1, 2, 3)]
    system.store.append([QueueItem(batch, part), *children, Seal(batch, 3), Sent(batch)])


@pytest.mark.parametrize("deaths", [DEATHS - 1, DEATHS])
def test_a_dispatch_whose_whole_worker_dies_each_time_is_given_up(system: System, tmp_path: Path, deaths: int) -> None:
    """And not sooner."""
    id, file = f"workers-{deaths}", tmp_path / "notes"
    stored(system, id, file)
    vanished(system, id, [f"{id}-{number}" for number in range(deaths)])
    batch = ended(system, id)
    is_given_up = deaths == DEATHS
    assert (batch.status, batch.attempt) == (Status.ERROR if is_given_up else Status.COMPLETE, deaths + 1)
    assert (batch.children.lost, batch.children.complete) == ((3, 0) if is_given_up else (0, 3))
    assert [one.status for one in system.history.attempts(id)[:-1]] == [Status.LOST] * deaths


@pytest.mark.parametrize(
    ("items", "outcome"),
    [([{"where": "nowhere"}] * 3, Status.COMPLETE), ([{"where": "nowhere"}, {"where": "before"}], Status.ERROR)],
)
def test_what_follows_a_batch_is_queued_once_however_the_batch_ended(
    system: System, tmp_path: Path, items: list[dict[str, str]], outcome: Status
) -> None:
    """It is an operation of its own, that says to which batch it belongs and does not count in it."""
    after = OnComplete("test.reports", {"file": str(tmp_path / "notes")})
    id = system.queueing.batch("test.fails", items, {"tenant": "acme"}, on_complete=after)
    found = follower(system, id)
    batch = system.history.operation(id)
    assert (batch.status, batch.children.total) == (outcome, len(items))
    assert (found.status, found.parent, found.labels) == (Status.COMPLETE, "", {"batch": id, "tenant": "acme"})
    assert found.created >= (batch.ended or 0)
    assert noted(tmp_path / "notes") == {id: 1}
    assert system.store.messages.owed("test") == {}


def test_a_cancelled_batch_is_followed_as_well(system: System, tmp_path: Path) -> None:
    """Once its last child has ended, and not before."""
    after = OnComplete("test.reports", {"file": str(tmp_path / "notes")})
    id = system.queueing.batch("test.busy", [{}] * 4, {}, on_complete=after)
    wait_for(lambda: system.history.operation(id).children.running)
    assert not system.store.operation(f"{id}.after")
    assert system.store.cancel(id, "ada")
    found = follower(system, id)
    batch = system.history.operation(id)
    assert (batch.status, batch.children.cancelled, found.status) == (Status.CANCELLED, 4, Status.COMPLETE)


@pytest.mark.parametrize(
    ("after", "error", "pointer"),
    [
        (OnComplete("test.nothing"), UnknownJob, "/on_complete/job"),
        (OnComplete("test.reports", {"file": 3}), InvalidArguments, "/on_complete/args/file"),
        (OnComplete("test.reports", {"file": "x", "batch": 3}), InvalidArguments, "/on_complete/args/batch"),
        (OnComplete("test.signs_in", {"user": "a", "password": "hunter2!"}), InvalidArguments, "/on_complete/args"),
    ],
)
def test_what_cannot_follow_is_refused_and_nothing_is_queued(
    system: System, after: OnComplete, error: type[UnknownJob | InvalidArguments], pointer: str
) -> None:
    """Also what would have to keep a secret in Redis until then."""
    before = system.store.client.redis.xlen(system.store.keys.feed)
    with pytest.raises(error) as refused:
        system.queueing.batch("test.well", [{}], {}, on_complete=after)
    assert refused.value.pointer == pointer
    assert system.store.client.redis.xlen(system.store.keys.feed) == before


def test_nothing_follows_a_batch_that_the_broker_did_not_take(system: System) -> None:
    """Its sender was told that nothing will run."""
    environment = {"TRACKER_REDIS_URL": system.store.client.url, "TRACKER_BROKER_URL": "redis://127.0.0.1:1/0"}
    queueing = Queueing(Settings.from_env(environment), system.store)
    with pytest.raises(BrokerUnavailable):
        queueing.batch("test.well", [{}], {}, on_complete=OnComplete("test.well"))
    batch = system.history.operations(name="test.well", limit=1).items[0]
    assert (batch.status, batch.children.cancelled) == (Status.CANCELLED, 1)
    assert system.store.messages.owed("test") == {}
