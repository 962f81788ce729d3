"""Resume and rerun on a real prefork worker: a new attempt of the same operation, whatever became of the last one."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from celery import Celery
from msgspec.structs import replace

from tests.store.making import NOW, started
from tests.store.making import ended as ended_run
from tests.support import wait_for
from tests.worker.conftest import System
from tests.worker.test_batches import vanished
from tests.worker.test_cancel import running
from tests.worker.test_jobs import ended, waiting_messages
from tracker.archive import Archive
from tracker.celery.again import DISPATCH_AGAIN, Repeating
from tracker.errors import CannotRunAgain, NotFound
from tracker.history import History, archiving
from tracker.history.batches import DEATHS
from tracker.history.recorder import Recorder
from tracker.model import Again, Operation, Parts, Status
from tracker.store import QueueAgain


@pytest.fixture
def repeating(system: System) -> Repeating:
    return Repeating(system.store, system.history, system.queueing)


def after(system: System, id: str, attempt: int) -> Operation:
    """The operation, once that attempt of it has ended."""
    wait_for(lambda: (found := system.history.operation(id)).ended and found.attempt == attempt, 40)
    return system.history.operation(id)


def outcomes(history: History, id: str) -> list[tuple[str, str]]:
    """How each attempt has ended, and why."""
    return [(str(one.status), one.error.message if one.error else "") for one in history.attempts(id)]


def done(file: Path) -> list[str]:
    """What the job has noted in its file."""
    return file.read_text().split()


def failing(system: System, file: Path, fails: int) -> str:
    """The id of an operation whose first attempt has failed at its last step."""
    id = system.queueing.submit("test.resumes", {"file": str(file), "fails": fails}, {})
    assert ended(system, id).status is Status.ERROR
    return id


# ---- resume and rerun ----------------------------------------------------------------------------


def test_a_step_whose_result_was_kept_ran_once_in_three_attempts(
    system: System, repeating: Repeating, tmp_path: Path
) -> None:
    """Each attempt says before what it will reuse, and shows it; the earlier ones stay readable."""
    file = tmp_path / "done"
    id = failing(system, file, 2)
    for attempt, status in ((2, Status.ERROR), (3, Status.COMPLETE)):
        expected = repeating.resume(id, "ada")
        assert (expected.step, expected.name, expected.reused) == (3, "Write", 2)
        assert expected.summary == "resumes at step 3 (Write), 2 reused"
        found = after(system, id, attempt)
        assert (found.status, found.title) == (status, "Resumes")
        assert [step.reused for step in found.steps or []] == [True, True, False]
    assert done(file) == ["Load", "Check", "Write", "Write", "Write"]
    attempts = system.history.attempts(id)
    assert [(one.attempt, one.status) for one in attempts] == [(1, "error"), (2, "error"), (3, "complete")]


def test_rerunning_starts_over(system: System, repeating: Repeating, tmp_path: Path) -> None:
    """Also what has completed; and what was kept before is worth nothing any more."""
    file = tmp_path / "done"
    id = failing(system, file, 1)
    repeating.rerun(id, "ada")
    found = after(system, id, 2)
    assert (found.status, [step.reused for step in found.steps or []]) == (Status.COMPLETE, [False] * 3)
    repeating.rerun(id, "ada")
    assert after(system, id, 3).status is Status.COMPLETE
    assert done(file) == ["Load", "Check", "Write"] * 3


def test_what_keeps_nothing_is_resumed_as_a_whole_and_that_is_said(system: System, repeating: Repeating) -> None:
    """The job in a killed process, too: its attempt is lost, and its worker says so of the next one as well."""
    id = system.queueing.submit("test.dies", {}, {})
    assert ended(system, id).status is Status.LOST
    assert repeating.resume(id, "ada").summary == "nothing can be reused, so every step runs"
    found = after(system, id, 2)
    assert (found.status, found.error and found.error.type) == (Status.LOST, "WorkerLostError")
    assert [attempt.status for attempt in system.history.attempts(id)] == [Status.LOST] * 2


def test_it_shows_as_queued_until_its_new_run_begins(system: System, repeating: Repeating, tmp_path: Path) -> None:
    """And who asked, and when, stays with it."""
    id = failing(system, tmp_path / "done", 1)
    busy = keep_busy(system)
    repeating.resume(id, "ada")
    waits = system.history.operation(id)
    assert (waits.status, waits.attempt, waits.run, waits.error) == (Status.QUEUED, 1, "", None)
    queue = system.history.record(id).parts.queue
    assert queue is not None
    assert queue.again is not None
    assert (queue.again.by, queue.again.resumes) == ("ada", True)
    let_go(system, busy)
    assert after(system, id, 2).status is Status.COMPLETE


def keep_busy(system: System) -> list[str]:
    """Jobs that take both processes of the worker."""
    busy = [system.queueing.submit("test.busy", {}, {}) for _ in range(2)]
    for id in busy:
        running(system, id)
    return busy


def let_go(system: System, busy: list[str]) -> None:
    for id in busy:
        assert system.store.cancel(id, "ada")


def test_a_waiting_attempt_that_is_cancelled_never_runs_and_may_be_asked_for_again(
    system: System, repeating: Repeating, tmp_path: Path
) -> None:
    """Its message, still on its way, runs nothing either then: one request, one attempt."""
    file = tmp_path / "done"
    id = failing(system, file, 1)
    busy = keep_busy(system)
    repeating.resume(id, "ada")
    assert system.store.cancel(id, "bob")
    cancelled = system.history.operation(id)
    assert (cancelled.status, cancelled.cancel and cancelled.cancel.by) == (Status.CANCELLED, "bob")
    assert [attempt.status for attempt in system.history.attempts(id)] == [Status.ERROR]
    repeating.resume(id, "ada")
    let_go(system, busy)
    assert after(system, id, 2).status is Status.COMPLETE
    wait_for(lambda: waiting_messages(system) == 0)
    settled(system)
    assert system.history.operation(id).attempt == 2
    assert done(file) == ["Load", "Check", "Write", "Write"]


def settled(system: System) -> None:
    """Whatever the worker had taken before is done."""
    for id in [system.queueing.submit("test.well", {}, {}) for _ in range(4)]:
        assert ended(system, id).status is Status.COMPLETE


def test_what_was_cancelled_before_it_ever_ran_is_run(system: System, repeating: Repeating, tmp_path: Path) -> None:
    """Nobody asks its first run to end, and its first message, which Celery was told to revoke, says nothing of it."""
    busy = keep_busy(system)
    file = tmp_path / "done"
    id = system.queueing.submit("test.resumes", {"file": str(file), "fails": 0}, {})
    assert system.store.cancel(id, "ada")
    with Celery(broker=system.store.client.url) as app:
        app.control.revoke(id)
    repeating.rerun(id, "ada")
    let_go(system, busy)
    assert after(system, id, 1).status is Status.COMPLETE
    settled(system)
    assert (system.history.operation(id).status, done(file)) == (Status.COMPLETE, ["Load", "Check", "Write"])


def test_a_child_runs_again_and_its_batch_is_settled_anew(system: System, repeating: Repeating, tmp_path: Path) -> None:
    """With the batch in the path of its error."""
    items = [{"file": str(tmp_path / name), "fails": fails} for name, fails in (("a", 0), ("b", 2))]
    batch = system.queueing.batch("test.resumes", items, {}, "Nightly")
    assert ended(system, batch).status is Status.ERROR
    (child,) = system.history.children(batch, status="error").items
    repeating.resume(child.id, "ada")
    failed = after(system, child.id, 2)
    assert failed.error is not None
    assert failed.error.path == ["Nightly", "Resumes", "Write"]
    wait_for(lambda: system.history.operation(batch).ended)
    repeating.resume(child.id, "ada")
    assert after(system, child.id, 3).status is Status.COMPLETE
    assert after(system, batch, 1).status is Status.COMPLETE


def test_what_has_left_for_the_archive_is_resumed_with_what_it_kept(
    redis_url: str, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Children with their batch; the worker needs no archive for it."""
    monkeypatch.setattr(archiving, "QUIET", 0.0)
    system = System(redis_url, namespace, tmp_path / "log")
    archive = Archive(f"sqlite:///{tmp_path}/archive.sqlite3", namespace)
    recorder, history = Recorder(system.store, archive), History(system.store, archive)
    repeating = Repeating(system.store, history, system.queueing)
    system.ready()
    items = [{"file": str(tmp_path / str(number)), "fails": number % 2} for number in range(6)]
    batch = system.queueing.batch("test.resumes", items, {})
    assert ended(system, batch).children.error == 3
    wait_for(lambda: (recorder.turn(), system.store.operation(batch) is None)[1])
    system.store.client.redis.delete(*system.store.client.redis.keys(f"{system.store.keys.prefix}results:*"))
    assert repeating.resume(batch, "ada").children == 3
    found = wait_for(lambda: (found := history.operation(batch)).ended and found, 40)
    assert (found.status, found.attempt, found.children.complete, found.children.total) == ("complete", 2, 6, 6)
    assert [done(tmp_path / str(number)) for number in (0, 1)] == [
        ["Load", "Check", "Write"],
        ["Load", "Check", "Write", "Write"],
    ]
    wait_for(lambda: (recorder.turn(), system.store.operation(batch) is None)[1])
    assert history.operation(batch).children.complete == 6
    assert [child.attempt for child in history.children(batch).items] == [1, 2] * 3
    assert outcomes(history, batch) == [("error", "3 of 6 did not complete"), ("complete", "")]
    archive.close()
    assert system.stop() == 0


# ---- batches -------------------------------------------------------------------------------------


def test_resuming_a_batch_runs_what_has_not_completed(system: System, repeating: Repeating, tmp_path: Path) -> None:
    """Its counts add up at every look, it does not end before all of it has, and what had completed ran once."""
    size = 30
    items = [{"file": str(tmp_path / str(n)), "fails": int(n % 3 == 0)} for n in range(size)]
    batch = system.queueing.batch("test.resumes", items, {})
    first = ended(system, batch)
    assert (first.status, first.children.error, first.children.complete) == (Status.ERROR, 10, 20)
    expected = repeating.resume(batch, "ada")
    assert (expected.children, expected.summary) == (10, "10 children run again")
    looks = 0
    while not (found := system.history.operation(batch)).ended:
        counts = found.children
        assert counts.total == counts.queued + counts.running + counts.ended == size
        looks += 1
    assert looks > 1
    assert (found.status, found.children.complete, found.attempt) == (Status.COMPLETE, size, 2)
    assert [child.attempt for child in system.history.children(batch).items] == [2, 1, 1] * 10
    before = system.history.attempts(batch)[0]
    assert (before.ended, before.duration) == (first.ended, first.duration)
    assert outcomes(system.history, batch) == [("error", "10 of 30 did not complete"), ("complete", "")]
    assert {len(done(tmp_path / str(n))) for n in range(0, size, 3)} == {4}
    assert {len(done(tmp_path / str(n))) for n in range(1, size, 3)} == {3}
    assert_refused(lambda: repeating.resume(batch, "ada"), "nothing to resume")


def test_a_cancelled_batch_is_resumed_and_cancelled_again(system: System, repeating: Repeating) -> None:
    """While its children are queued again, or after; and then resumed once more."""
    batch = system.queueing.batch("test.busy", [{"number": number} for number in range(200)], {})
    wait_for(lambda: system.history.operation(batch).children.running == 2)
    assert system.store.cancel(batch, "ada")
    assert ended(system, batch).children.cancelled == 200
    assert repeating.resume(batch, "ada").children == 200
    wait_for(lambda: system.history.operation(batch).children.running)
    assert system.store.cancel(batch, "bob")
    found = after(system, batch, 2)
    assert (found.status, found.children.cancelled) == (Status.CANCELLED, 200)
    assert outcomes(system.history, batch) == [("cancelled", "200 of 200 did not complete")] * 2
    wait_for(lambda: waiting_messages(system) == 0, 40)
    settled(system)
    assert system.history.operation(batch).children.cancelled == 200


def test_a_batch_whose_second_dispatch_dies_leaves_no_child_queued(system: System, repeating: Repeating) -> None:
    """What was sent runs to its end, what was queued and not sent is lost; and the batch is resumed once more."""
    size = 800
    busy = keep_busy(system)
    batch = system.queueing.batch("test.well", [{"text": "x"}] * size, {})
    assert system.store.cancel(batch, "ada")
    repeating.resume(batch, "ada")
    let_go(system, busy)
    dispatching = wait_for(lambda: (found := system.history.operation(batch)).step and found.step.current and found)
    assert dispatching.worker is not None
    os.kill(dispatching.worker.pid, signal.SIGKILL)
    wait_for(lambda: system.history.operation(batch).ended)
    assert system.history.operation(batch).status is Status.LOST
    wait_for(lambda: not (left := system.history.operation(batch).children).queued + left.running, 60)
    counts = system.history.operation(batch).children
    assert counts.total == counts.ended == size
    # The message of one that counts as lost may have got out all the same.
    assert 0 < repeating.resume(batch, "ada").children <= counts.failed
    wait_for(lambda: system.history.operation(batch).ended, 90)
    found = system.history.operation(batch)
    assert (found.status, found.children.complete) == (Status.COMPLETE, size)


@pytest.mark.parametrize("deaths", [1, DEATHS])
def test_a_batch_whose_second_dispatch_vanished_with_its_worker_goes_on(
    system: System, tmp_path: Path, deaths: int
) -> None:
    """Another worker queues its children again, unless that has killed one after the other; and it ends in any case."""
    items = [{"file": str(tmp_path / name), "fails": 1} for name in "ab"]
    batch = system.queueing.batch("test.resumes", items, {})
    assert ended(system, batch).status is Status.ERROR
    parts = system.history.record(batch).parts
    assert parts.queue is not None
    assert parts.run is not None
    asked = Again("ada", NOW, f"asked-{deaths}", parts.run.run, resumes=True)
    system.store.append([QueueAgain(batch, Status.ERROR, replace(parts.queue, again=asked))])
    vanished(system, batch, [f"gone-{deaths}-{number}" for number in range(deaths)])
    found = after(system, batch, deaths + 2)
    failed = ("error", "2 of 2 did not complete")
    last = ("complete", "") if deaths < DEATHS else failed
    assert (str(found.status), found.children.complete) == (last[0], 2 if deaths < DEATHS else 0)
    assert outcomes(system.history, batch) == [failed, *[("lost", "")] * deaths, last]


def test_a_second_delivery_of_a_dispatch_queues_nothing_twice(
    system: System, repeating: Repeating, tmp_path: Path
) -> None:
    """Although what the first one queued has failed once more meanwhile."""
    items = [{"file": str(tmp_path / name), "fails": 9} for name in "ab"]
    batch = system.queueing.batch("test.resumes", items, {})
    assert ended(system, batch).status is Status.ERROR
    repeating.resume(batch, "ada")
    after(system, batch, 2)
    queue = system.history.record(batch).parts.queue
    assert queue is not None
    message = system.store.client.redis.hget(system.store.keys.operation(batch), "taken").decode()
    system.queueing._sender.send(Parts(batch, queue=queue), DISPATCH_AGAIN, {"batch": batch}, (), message)
    assert after(system, batch, 3).status is Status.ERROR
    assert [child.attempt for child in system.history.children(batch).items] == [2, 2]


def test_a_batch_s_children_whose_arguments_are_not_known_stay_as_they_are(
    system: System, repeating: Repeating
) -> None:
    """How many is said; where it is all of them, nothing is resumed."""
    signed = system.queueing.batch("test.signs_in", [{"user": "ada", "password": "hunter2!"}], {})
    assert ended(system, signed).status is Status.COMPLETE
    assert_refused(lambda: repeating.resume(signed, "ada"), "nothing to resume")
    busy = keep_busy(system)
    signed = system.queueing.batch("test.signs_in", [{"user": "ada", "password": "hunter2!"}], {})
    assert system.store.cancel(signed, "ada")
    assert_refused(lambda: repeating.resume(signed, "ada"), "not kept as they were given")
    let_go(system, busy)


# ---- refused -------------------------------------------------------------------------------------


def assert_refused(ask: Callable[[], object], why: str) -> None:
    """With the reason, in one line."""
    with pytest.raises(CannotRunAgain) as refused:
        ask()
    assert why in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_cannot_run_again_is_refused_with_the_reason(system: System, repeating: Repeating) -> None:
    """And is left as it was, with nothing sent."""
    busy = keep_busy(system)
    waits = system.queueing.submit("test.well", {}, {})
    secret = system.queueing.submit("test.signs_in", {"user": "ada", "password": "hunter2!"}, {})
    assert system.store.cancel(secret, "ada")
    system.store.append([started("script", "rs"), ended_run("script", Status.ERROR, "rs")])
    batch = system.queueing.batch("test.well", [{}], {})
    assert system.store.cancel(batch, "ada")
    reasons = {busy[0]: "is running", waits: "is queued", secret: "masked", "script": "nothing here can start"}
    before = [system.history.operation(id).status for id in reasons]
    for id, why in reasons.items():
        assert_refused(partial(repeating.resume, id, "ada"), why)
        assert_refused(partial(repeating.rerun, id, "ada"), why)
    assert_refused(partial(repeating.rerun, batch, "ada"), "queue a new one")
    with pytest.raises(NotFound):
        repeating.resume("never", "ada")
    assert [system.history.operation(id).status for id in reasons] == before
    let_go(system, busy)
