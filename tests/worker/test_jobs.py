"""Jobs on a real prefork worker: what is queued, what is refused, and what every kind of end shows."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from tests.support import everything_in, wait_for
from tests.worker.conftest import System
from tracker.celery.queueing import Queueing
from tracker.errors import BrokerUnavailable, InvalidArguments, NoWorker, UnknownJob
from tracker.model import Operation, Status, StepStatus
from tracker.settings import Settings
from tracker.store import Store


def ended(system: System, id: str) -> Operation:
    """The operation, once nothing of it runs any more."""
    wait_for(lambda: system.history.operation(id).ended, 40)
    return system.history.operation(id)


def waiting_messages(system: System) -> int:
    """Messages in the namespace's queue at the broker."""
    return int(system.store.client.redis.llen(f"tracker.{system.store.keys.namespace}"))


def test_a_queued_job_runs_and_shows_its_steps(system: System) -> None:
    """Title and steps come from the block inside, the name from the job, the worker's host from its node."""
    id = system.queueing.submit("test.well", {"text": "done", "times": 3}, {"tenant": "acme"})
    operation = ended(system, id)
    assert (operation.status, operation.name, operation.title) == (Status.COMPLETE, "test.well", "Well done")
    assert (operation.labels, operation.args) == ({"tenant": "acme"}, {"text": "done", "times": 3})
    assert operation.attempt == 1
    assert operation.worker is not None
    assert operation.worker.host == "node-1"
    assert [(step.name, step.status, step.current) for step in operation.steps or []] == [
        ("One", StepStatus.COMPLETE, 3),
        ("Two", StepStatus.COMPLETE, None),
    ]


def test_a_job_gets_its_secret_and_nothing_keeps_it(system: System) -> None:
    """What is stored, listed and used as a title is masked; the message alone has it, and is gone once it ran."""
    secret = {"user": "ada", "password": "hunter2!"}
    one = system.queueing.submit("test.signs_in", secret, {})
    batch = system.queueing.batch("test.signs_in", [secret, {"user": "bob", "password": ""}], {})
    ended(system, one)
    ended(system, batch)
    seen = [system.history.operation(id) for id in (one, f"{batch}.1", f"{batch}.2")]
    assert [operation.args for operation in seen] == [
        {"user": "ada", "password": "…"},
        {"user": "ada", "password": "…"},
        {"user": "bob", "password": "…"},
    ]
    got = [step.detail for operation in seen for step in operation.steps or []]
    assert got == [sha256(word).hexdigest()[:8] for word in (b"hunter2!", b"hunter2!", b"")]
    held = wait_for(lambda: "hunter2!" not in (all := everything_in(system.store.client.redis)) and all)
    assert '"ada"' in held


def test_a_message_tells_celery_the_masked_arguments_for_its_own_events_and_logs(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever watches Celery's events, as Flower does, sees no more than our readers."""
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(Celery, "send_task", lambda *_, **options: sent.append(options))
    id = system.queueing.submit("test.signs_in", {"user": "ada", "password": "hunter2!"}, {})
    (message,) = sent
    assert system.history.operation(id).title == message["headers"]["tracker"]["title"] == "test.signs_in ada …"
    assert (message["kwargs"]["password"], message["kwargsrepr"]) == ("hunter2!", "{'user': 'ada', 'password': '…'}")


def test_a_job_that_gives_no_title_keeps_the_one_it_was_queued_under(system: System) -> None:
    """Its name and its arguments say more than its name alone."""
    operation = ended(system, system.queueing.submit("test.stepless", {"text": "a.txt"}, {}))
    assert (operation.status, operation.title, operation.steps) == (Status.COMPLETE, "test.stepless a.txt", [])


@pytest.mark.parametrize(
    ("where", "type", "message", "place"),
    [
        ("before", "ValueError", "before any step", None),
        ("between", "ValueError", "between steps", None),
        ("unprintable", "Unprintable", "", "One"),
    ],
)
def test_a_job_that_raises_is_an_error_at_the_right_place(
    system: System, where: str, type: str, message: str, place: str | None
) -> None:
    """Also before its first step, between two, and with an exception that cannot be printed."""
    operation = ended(system, system.queueing.submit("test.fails", {"where": where}, {}))
    assert operation.status is Status.ERROR
    assert operation.error is not None
    assert operation.error.type == type
    assert message in operation.error.message
    failed = [step.name for step in operation.steps or [] if step.status is StepStatus.ERROR]
    assert failed == ([place] if place else [])


def test_a_killed_process_leaves_a_lost_operation_and_the_worker_goes_on(system: System) -> None:
    """The worker's parent reports the death; the step it was at stays visible."""
    lost = ended(system, system.queueing.submit("test.dies", {}, {}))
    assert lost.status is Status.LOST
    assert lost.error is not None
    assert lost.error.type == "WorkerLostError"
    assert lost.error.path == ["Dies", "One"]
    assert lost.step is not None
    assert lost.step.name == "One"
    assert ended(system, system.queueing.submit("test.well", {}, {})).status is Status.COMPLETE


def test_a_job_that_celery_runs_again_is_one_operation_with_two_attempts(system: System) -> None:
    """It never shows as failed in between."""
    operation = ended(system, system.queueing.submit("test.again", {}, {}))
    assert (operation.status, operation.attempt) == (Status.COMPLETE, 2)


def test_an_operation_inside_a_job_is_its_child(system: System) -> None:
    """Also in another list than the top level's."""
    id = system.queueing.submit("test.nested", {}, {})
    ended(system, id)
    children = wait_for(lambda: system.history.children(id).items)
    assert [(child.title, child.parent) for child in children] == [("Inner", id)]
    assert system.history.operation(id).children.total == 1


def test_a_batch_adds_up_at_every_look_whatever_becomes_of_its_children(system: System) -> None:
    """Failures, a killed process and an exception that cannot be printed settle it like any other end."""
    items = [{"where": "nowhere"}] * 12 + [{"where": "before"}] * 3 + [{"where": "unprintable"}]
    id = system.queueing.batch("test.fails", items, {}, title="A batch [/bold]\x1b[31m")
    looks = 0
    while True:
        batch = system.history.operation(id)
        counts = batch.children
        added = counts.queued + counts.running + counts.complete + counts.error + counts.cancelled + counts.lost
        assert counts.total == added == len(items)
        looks += 1
        if batch.ended:
            break
    assert looks > 1
    assert (batch.status, counts.complete, counts.error) == (Status.ERROR, 12, 4)
    assert batch.title == "A batch [/bold]"
    assert {child.parent for child in system.history.children(id, limit=50).items} == {id}


def test_a_failing_child_s_error_leads_from_the_batch_to_the_step(system: System) -> None:
    """The path names every operation on the way."""
    id = system.queueing.batch("test.fails", [{"where": "unprintable"}], {}, title="Nightly")
    ended(system, id)
    (child,) = system.history.children(id).items
    assert child.error is not None
    assert child.error.path == ["Nightly", "Fails", "One"]


def test_a_batch_with_a_lost_child_is_settled(system: System) -> None:
    """A death counts as an end."""
    id = system.queueing.batch("test.dies", [{}], {})
    batch = ended(system, id)
    assert (batch.status, batch.children.lost) == (Status.ERROR, 1)


@pytest.mark.parametrize(
    ("job", "args", "error", "pointer"),
    [
        ("celery.chord", {}, UnknownJob, "/job"),
        ("tracker.dispatch", {"batch": "x"}, UnknownJob, "/job"),
        ("test.fails", {}, InvalidArguments, "/args/where"),
        ("test.fails", {"where": 1}, InvalidArguments, "/args/where"),
        ("test.fails", {"where": "before", "a/b": 1}, InvalidArguments, "/args/a~1b"),
    ],
)
def test_what_is_not_allowed_is_refused_and_nothing_is_queued(
    system: System, job: str, args: dict[str, object], error: type[Exception], pointer: str
) -> None:
    """The refusal names the field."""
    before = system.store.client.redis.xlen(system.store.keys.feed)
    with pytest.raises(error) as refused:
        system.queueing.submit(job, args, {})
    assert getattr(refused.value, "pointer", "") == pointer
    assert system.store.client.redis.xlen(system.store.keys.feed) == before
    assert waiting_messages(system) == 0


def test_a_batch_with_one_bad_item_is_refused_whole(system: System) -> None:
    """The pointer leads to the item."""
    items = [{"where": "nowhere"}, {"where": 3}]
    with pytest.raises(InvalidArguments) as refused:
        system.queueing.batch("test.fails", items, {})
    assert refused.value.pointer == "/items/1/where"
    with pytest.raises(InvalidArguments) as empty:
        system.queueing.batch("test.fails", [], {})
    assert empty.value.pointer == "/items"


def test_a_broker_that_is_away_is_said_and_shown(system: System) -> None:
    """The caller gets an error, and the operation does not stay queued for ever."""
    environment = {"TRACKER_REDIS_URL": system.store.client.url, "TRACKER_BROKER_URL": "redis://127.0.0.1:1/0"}
    queueing = Queueing(Settings.from_env(environment), system.store)
    with pytest.raises(BrokerUnavailable):
        queueing.submit("test.well", {"text": "never"}, {})
    newest = system.history.operations(limit=1).items[0]
    assert (newest.title, newest.status) == ("test.well never", Status.CANCELLED)
    with pytest.raises(BrokerUnavailable):
        queueing.batch("test.well", [{"text": "never"}] * 3, {})
    batch = system.history.operations(limit=1).items[0]
    assert (batch.status, batch.children.cancelled) == (Status.CANCELLED, 3)


def test_a_worker_that_has_ended_no_longer_takes_jobs(redis_url: str, namespace: str, tmp_path: Path) -> None:
    """Its jobs stay known; queueing one says that nobody runs it."""
    system = System(redis_url, namespace, tmp_path / "log")
    system.ready()
    assert system.stop() == 0
    store = Store(redis_url, namespace)
    queueing = Queueing(Settings.from_env({"TRACKER_REDIS_URL": redis_url, "TRACKER_NAMESPACE": namespace}), store)
    with pytest.raises(NoWorker):
        queueing.submit("test.well", {}, {})
    assert {job.workers for job in store.jobs()} == {0}
    store.client.disconnect()
