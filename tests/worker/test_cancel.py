"""Cancelling jobs of a real prefork worker: what runs ends and its process goes on, what waits never begins."""

from __future__ import annotations

import logging
import socket
from pathlib import Path

import pytest
from celery import Celery

from tests.store.making import blob, head, queued
from tests.support import Clock, wait_for
from tests.worker.conftest import System
from tests.worker.test_jobs import ended, waiting_messages
from tracker.celery.cancelled import ASK_AGAIN_AFTER, Lookout
from tracker.celery.cancelling import Cancelling
from tracker.celery.headers import Ticket
from tracker.errors import AlreadyEnded, NotFound
from tracker.model import Operation, Status, StepStatus, Worker
from tracker.settings import Settings
from tracker.store import Cancel, RunBlob, Store


def running(system: System, id: str) -> Operation:
    """The operation, once it is in its first step."""
    return wait_for(lambda: (found := system.history.operation(id)).step and found)


def pid_of(operation: Operation) -> int:
    assert operation.worker is not None
    return operation.worker.pid


def processes(system: System) -> set[int]:
    """The two processes of the worker, by running a job in each at once."""
    ids = [system.queueing.submit("test.busy", {}, {}) for _ in range(2)]
    pids = {pid_of(running(system, id)) for id in ids}
    for id in ids:
        assert system.store.cancel(id, "ada")
        assert ended(system, id).status is Status.CANCELLED
    return pids


@pytest.mark.parametrize("job", ["test.busy", "test.gathers"])
def test_a_running_job_ends_and_its_process_takes_the_next_one(system: System, job: str) -> None:
    """Also a job whose tasks end side by side, as a group of exceptions."""
    id = system.queueing.submit(job, {}, {})
    pid = pid_of(running(system, id))
    assert system.store.cancel(id, "ada")
    found = ended(system, id)
    assert found.status is Status.CANCELLED
    assert found.cancel is not None
    assert (found.cancel.by, found.attempt) == ("ada", 1)
    assert {step.status for step in found.steps or []} == {StepStatus.CANCELLED}
    assert pid in processes(system)


def test_a_job_cancelled_while_it_waits_never_runs(system: System, tmp_path: Path) -> None:
    """Its message is taken, and thrown away; jobs behind it run."""
    busy = [system.queueing.submit("test.busy", {}, {}) for _ in range(2)]
    for id in busy:
        running(system, id)
    waits = system.queueing.submit("test.notes", {"file": str(tmp_path / "done")}, {})
    behind = system.queueing.submit("test.well", {}, {})
    assert system.store.cancel(waits, "ada")
    assert ended(system, waits).status is Status.CANCELLED
    for id in busy:
        assert system.store.cancel(id, "ada")
    assert ended(system, behind).status is Status.COMPLETE
    wait_for(lambda: waiting_messages(system) == 0)
    found = system.history.operation(waits)
    assert (found.status, found.attempt, (tmp_path / "done").exists()) == (Status.CANCELLED, 0, False)


def test_a_job_that_celery_is_told_to_revoke_while_it_waits_is_cancelled(system: System, redis_url: str) -> None:
    """With Celery's own means, by whoever has no more than the broker."""
    busy = [system.queueing.submit("test.busy", {}, {}) for _ in range(2)]
    for id in busy:
        running(system, id)
    waits = system.queueing.submit("test.well", {}, {})
    app = Celery(broker=redis_url)
    app.control.revoke(waits)
    for id in busy:
        assert system.store.cancel(id, "ada")
    found = ended(system, waits)
    assert found.cancel is not None
    assert (found.status, found.cancel.by, found.attempt) == (Status.CANCELLED, "revoke", 0)
    app.close()


def test_a_cancelled_batch_ends_with_all_its_children(system: System) -> None:
    """Those that run and those that wait, and the worker goes on."""
    id = system.queueing.batch("test.busy", [{"number": number} for number in range(20)], {})
    wait_for(lambda: system.history.operation(id).children.running == 2)
    first = wait_for(lambda: system.history.children(id, status="running").items)[0]
    assert system.store.cancel(id, "ada")
    batch = ended(system, id)
    assert (batch.status, batch.children.cancelled, batch.children.total) == (Status.CANCELLED, 20, 20)
    attempts = {child.attempt for child in system.history.children(id).items if child.id != first.id}
    assert attempts == {0, 1}
    assert pid_of(first) in processes(system)


def test_a_batch_that_is_cancelled_while_it_is_handed_out_ends_with_what_was_not(system: System) -> None:
    """Also where whoever asked stops after the batch itself: its dispatch goes on with that."""
    id = system.queueing.batch("test.well", [{"text": "x"}] * 4_000, {})
    wait_for(lambda: (found := system.history.operation(id)).step and found.step.current)
    (answer,) = system.store.append([Cancel(id, "ada")])
    assert answer.kind == "stored"
    batch = ended(system, id)
    counts = batch.children
    assert (batch.status, counts.total) == (Status.CANCELLED, 4_000)
    assert counts.complete + counts.cancelled == 4_000
    assert counts.cancelled > 0
    wait_for(lambda: waiting_messages(system) == 0, 60)
    assert system.history.operation(id).children == counts


def test_a_job_whose_store_does_not_answer_runs_and_others_do_not_ask_for_a_while(
    redis_url: str, namespace: str, clock: Clock
) -> None:
    """Whether it was cancelled, nobody can say then, and the work comes first."""
    store = Store(redis_url, namespace)
    store.append([queued("a")])
    store.cancel("a", "ada")
    lookout = Lookout(Settings.from_env({"TRACKER_REDIS_URL": redis_url, "TRACKER_NAMESPACE": namespace}))
    client = lookout._store.client
    client.url = "redis://127.0.0.1:1/0"
    assert lookout.may_begin(Ticket("a", message="m"), "a", "w")
    client.url, client._redis = redis_url, None
    assert lookout.may_begin(Ticket("a", message="m"), "a", "w")
    clock.time += ASK_AGAIN_AFTER
    assert not lookout.may_begin(Ticket("a", message="m"), "a", "w")
    store.client.disconnect()


def test_a_job_whose_record_cannot_be_read_runs_and_ends_when_it_is_asked_to(system: System) -> None:
    """The work comes first; what it tells is stored beside what makes no sense, and others are not concerned."""
    store = system.store
    id = system.queueing.submit("test.busy", {}, {})
    running(system, id)
    store.client.redis.hset(store.keys.operation(id), "queue", b"{{")
    environment = {"TRACKER_REDIS_URL": store.client.url, "TRACKER_NAMESPACE": store.keys.namespace}
    assert Lookout(Settings.from_env(environment)).asked_by(id) is None
    other = system.queueing.submit("test.well", {"text": "other"}, {})
    assert ended(system, other).status is Status.COMPLETE
    assert store.cancel(id, "ada")
    wait_for(lambda: store.status(id) is Status.CANCELLED)


@pytest.fixture
def cancelling(system: System) -> Cancelling:
    environment = {"TRACKER_REDIS_URL": system.store.client.url, "TRACKER_NAMESPACE": system.store.keys.namespace}
    return Cancelling(Settings.from_env(environment), system.store, system.history)


def test_a_job_that_never_calls_the_tracker_ends_only_by_force(system: System, cancelling: Cancelling) -> None:
    """Its process is told to end; it is cancelled, by whom is known, and the worker goes on."""
    id = system.queueing.submit("test.lasts", {}, {})
    pid = pid_of(running(system, id))
    cancelling.cancel(id, "ada")
    assert system.history.operation(id).status is Status.RUNNING
    cancelling.cancel(id, "bob", terminate=True)
    found = ended(system, id)
    assert (found.status, found.cancel and found.cancel.by) == (Status.CANCELLED, "ada")
    assert pid not in processes(system)


def test_a_batch_is_cancelled_by_force_with_those_of_its_children_that_run(
    system: System, cancelling: Cancelling
) -> None:
    """Those that wait never begin."""
    id = system.queueing.batch("test.lasts", [{}] * 6, {})
    wait_for(lambda: system.history.operation(id).children.running == 2)
    cancelling.cancel(id, "ada", terminate=True)
    found = ended(system, id)
    assert (found.status, found.children.cancelled) == (Status.CANCELLED, 6)


def test_what_has_ended_or_was_never_there_is_refused(system: System, cancelling: Cancelling) -> None:
    """With what became of it."""
    id = system.queueing.submit("test.well", {}, {})
    ended(system, id)
    with pytest.raises(AlreadyEnded, match=r"has ended already \(complete\)"):
        cancelling.cancel(id, "ada", terminate=True)
    with pytest.raises(NotFound):
        cancelling.cancel("never", "ada")


def test_a_broker_that_hangs_holds_up_nobody_for_long(
    system: System, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The request is stored all the same, and a line says that workers may not have heard."""
    monkeypatch.setattr("tracker.celery.cancelling.BROKER_WITHIN", 0.2)
    system.store.append([by_force("forced")])
    with socket.create_server(("127.0.0.1", 0)) as silent, caplog.at_level(logging.WARNING, "tracker"):
        environment = {
            "TRACKER_REDIS_URL": system.store.client.url,
            "TRACKER_BROKER_URL": f"redis://127.0.0.1:{silent.getsockname()[1]}/0",
        }
        Cancelling(Settings.from_env(environment), system.store, system.history).cancel("forced", "ada", terminate=True)
    assert "the broker does not answer" in caplog.text
    assert system.history.operation("forced").cancel is not None


def by_force(id: str) -> RunBlob:
    """The first word of a run in some worker."""
    return blob(id, head("rf", worker=Worker("node-2", 1, "q")))
