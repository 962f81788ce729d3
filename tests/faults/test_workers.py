"""Workers that are told to stop, lose their processes or get a message twice: what becomes of the jobs they run."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.pools import Pool, Start
from tests.faults.servers import engine_of
from tests.support import Clock, freeze, know_of, wait_for
from tracker.archive import Archive
from tracker.celery.sending import Sender
from tracker.engines import Engine
from tracker.history import History, archiving
from tracker.history.liveness import LOST_AFTER
from tracker.history.recorder import Recorder
from tracker.history.stuck import GRACE
from tracker.model import Operation, Status
from tracker.settings import Settings

LATE = {"task_acks_late": True, "task_reject_on_worker_lost": True}
"""A message is kept by the broker until its job has ended, however its process ends."""

AT_ONCE = {"visibility_timeout": 1, "unacked_restore_interval": 1, "unacked_restore_throttle": 1}
"""Another worker gets what the one before had taken about a second after that is gone."""


@pytest.fixture
def engine() -> Engine:
    """One is enough: it is the workers that are under test."""
    return engine_of("bundled")


def pipes(folder: Path) -> list[Path]:
    """Those of the runs that wait, the first one first."""
    return sorted(folder.glob("pipe-*"), key=lambda path: path.stat().st_ctime_ns)


def waiting(pool: Pool, id: str) -> Operation:
    """The operation, once it stands in the middle of its job."""
    return wait_for(lambda: (found := pool.history.operation(id)).status is Status.RUNNING and found.step and found, 60)


def release(pipe: Path) -> None:
    """Let the run that waits there go on."""
    pipe.write_text("")


def test_a_worker_that_is_told_to_stop_lets_its_job_finish(start: Start, tmp_path: Path) -> None:
    """Its outcome is stored before the worker ends."""
    pool = start()
    (id,) = pool.submit("test.waits", folder=str(tmp_path))
    waiting(pool, id)
    pool.process.send_signal(signal.SIGTERM)
    wait_for(lambda: not any(job.workers for job in pool.store.jobs()))
    assert pool.history.operation(id).status is Status.RUNNING
    release(*pipes(tmp_path))
    assert pool.process.wait(60) == 0, pool.log.read_text()
    found = pool.history.operation(id)
    assert (found.status, found.attempt) == (Status.COMPLETE, 1)
    assert [str(step.status) for step in found.steps or ()] == ["complete", "complete"]


@pytest.mark.parametrize("signals", [[signal.SIGQUIT], [signal.SIGINT, signal.SIGINT]], ids=["SIGQUIT", "SIGINT twice"])
@pytest.mark.parametrize("kept", [{}, LATE], ids=["taken", "kept"])
def test_a_worker_that_is_stopped_at_once_by(
    signals: list[signal.Signals], kept: dict[str, bool], start: Start, tmp_path: Path
) -> None:
    """… cuts its job off where it is, and says so; the job is run again if the broker has kept its message."""
    pool = start(**kept)
    (id,) = pool.submit("test.waits", folder=str(tmp_path))
    waiting(pool, id)
    know_of(pool.app, id)
    for number in signals:
        pool.process.send_signal(number)
        wait_for(lambda: not any(job.workers for job in pool.store.jobs()))
    pool.process.wait(60)
    cut_off = pool.history.operation(id)
    assert cut_off.error is not None
    assert (cut_off.status, cut_off.error.message, cut_off.error.path) == (
        Status.ERROR, "SIGTERM", ["Waits", "One"],
    )  # fmt: skip
    assert [str(step.status) for step in cut_off.steps or ()] == ["error", "pending"]
    next_one = start(**kept)
    next_one.whole(next_one.submit("test.notes", file=str(next_one.notes)))
    attempts = 2 if kept else 1
    assert len(wait_for(lambda: len(found := pipes(tmp_path)) == attempts and found)) == attempts
    if kept:
        release(pipes(tmp_path)[-1])
        wait_for(lambda: next_one.history.operation(id).status is Status.COMPLETE)
    assert next_one.history.operation(id).attempt == attempts


@pytest.mark.parametrize("conf", [{}, {"task_acks_late": True}], ids=["taken", "acknowledged late"])
def test_a_job_that_is_killed_is_lost_once(conf: dict[str, bool], start: Start) -> None:
    """As Celery is set up, it does not run again, whatever killed it: it might do so each time."""
    pool = start(**conf)
    (id,) = pool.submit("test.dies_often", file=str(pool.notes), times=3)
    lost = pool.ended(id)
    pool.whole(pool.submit("test.notes", file=str(pool.notes.with_name("others"))))
    assert (lost.status, lost.attempt, lost.flags) == (Status.LOST, 1, [])
    assert pool.noted() == ["killed"]


def test_a_job_that_is_killed_again_and_again_is_queued_in_between(start: Start) -> None:
    """Where Celery is told to run it again it does, and each time is an attempt; those that are over are not alive."""
    pool = start(**LATE)
    (id,) = pool.submit("test.dies_often", file=str(pool.notes), times=3)
    seen: list[tuple[int, str, list[str]]] = []

    def is_complete() -> bool:
        found = pool.history.operation(id)
        seen.append((found.attempt, str(found.status), found.flags))
        return found.ended is not None

    wait_for(is_complete, 60)
    assert seen[-1] == (4, "complete", [])
    assert {status for _, status, _ in seen[:-1]} <= {"queued", "running"}
    assert not any(flags for *_, flags in seen)
    assert pool.noted() == ["killed"] * 3 + ["survives"]
    assert list(pool.store.live_runs()) == []


def attempts(history: History, id: str) -> list[tuple[str, str, str]]:
    """How each attempt has ended, and why."""
    told = history.attempts(id)
    return [
        (str(one.status), one.error.type if one.error else "", one.error.message if one.error else "") for one in told
    ]


@pytest.fixture
def archive(namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    """It takes in operations as soon as they have ended."""
    monkeypatch.setattr(archiving, "QUIET", 0.0)
    archive = Archive(f"sqlite:///{tmp_path}/archive.sqlite3", namespace)
    yield archive
    archive.close()


def test_an_attempt_whose_process_was_killed_is_told_as_lost(start: Start, archive: Archive) -> None:
    """With what killed it, although the operation went on waiting then; in Redis, and after it has left."""
    pool = start(**LATE)
    (id,) = pool.submit("test.dies_often", file=str(pool.notes), times=2)
    pool.ended(id)
    history = History(pool.store, archive)
    *killed, last = told = attempts(history, id)
    assert [(status, type) for status, type, _ in killed] == [("lost", "WorkerLostError")] * 2
    assert all("SIGKILL" in message for *_, message in killed)
    assert last == ("complete", "", "")
    assert all(one.ended and one.ended >= (one.started or 0) for one in history.attempts(id))
    wait_for(lambda: (Recorder(pool.store, archive).turn(), pool.store.operation(id) is None)[1])
    assert attempts(history, id) == told


def test_an_attempt_whose_whole_worker_was_killed_is_told_as_lost(
    start: Start, archive: Archive, clock: Clock, tmp_path: Path
) -> None:
    """Although the next one has ended long before that is known: the operation leaves when no run of it is alive."""
    pool = start(**LATE, broker_transport_options=AT_ONCE)
    (id,) = pool.submit("test.waits", folder=str(tmp_path))
    waiting(pool, id)
    pool.kill()
    start(**LATE, broker_transport_options=AT_ONCE, name="w@node-2")
    _, second = wait_for(lambda: len(found := pipes(tmp_path)) == 2 and found, 60)
    release(second)
    pool.ended(id)
    history, recorder = History(pool.store, archive), Recorder(pool.store, archive)
    recorder.turn()
    assert [status for status, *_ in attempts(history, id)] == ["running", "complete"]
    clock.pass_by(LOST_AFTER + 10, recorder.turn)
    assert pool.store.operation(id) is None
    (lost, type, message), (last, *_) = attempts(history, id)
    assert (lost, type, last) == ("lost", "lost", "complete")
    assert message.startswith("no sign of life since")


def stop_children(pool: Pool) -> None:
    """The worker takes messages, and begins nothing."""
    for child in Path(f"/proc/{pool.process.pid}/task/{pool.process.pid}/children").read_text().split():
        freeze(int(child))


def die_with(pool: Pool, id: str, clock: Clock) -> None:
    """The worker dies once it has taken that message, and a recorder has believed it."""
    wait_for(lambda: id in pool.store.messages.taken(), 60)
    pool.kill()
    pool.store.withdraw_worker(pool.name)
    recorder = Recorder(pool.store)
    recorder.turn()
    clock.pass_by(2 * GRACE, recorder.turn)


def test_a_batch_whose_worker_died_before_it_began_goes_on_with_another_one(start: Start, clock: Clock) -> None:
    """Its children never wait for nobody, and it says what became of the first."""
    pool = start()
    stop_children(pool)
    id = pool.queueing.batch("test.well", [{"text": "x"}] * 3, {})
    die_with(pool, id, clock)
    assert pool.history.operation(id).children.queued == 3
    start(name="w@node-2")
    found = pool.ended(id)
    assert (found.status, found.children.complete, found.attempt) == (Status.COMPLETE, 3, 2)
    assert [one.status for one in pool.history.attempts(id)] == [Status.LOST, Status.COMPLETE]


def test_a_job_whose_worker_died_before_it_began_is_lost(start: Start, clock: Clock, tmp_path: Path) -> None:
    """Nobody is left who could run it or tell of it, and it does not wait for ever."""
    pool = start()
    stop_children(pool)
    (id,) = pool.submit("test.waits", folder=str(tmp_path))
    die_with(pool, id, clock)
    found = pool.history.operation(id)
    assert (found.status, found.error and found.error.type) == (Status.LOST, "WorkerGone")
    assert pool.store.messages.taken() == {}


def test_a_message_that_is_delivered_twice(start: Start, tmp_path: Path) -> None:
    """Both runs work, and are flagged as long as they do; the newest one decides, whichever ends first."""
    pool = start()
    (id,) = pool.submit("test.waits", folder=str(tmp_path))
    waiting(pool, id)
    (first,) = pipes(tmp_path)
    parts, message = pool.store.operation(id), pool.store.client.redis.hget(pool.store.keys.operation(id), "taken")
    assert parts is not None
    Sender(Settings.from_env(pool.variables)).send(parts, "test.waits", {"folder": str(tmp_path)}, (), message.decode())
    both = wait_for(lambda: (found := pool.history.operation(id)).attempt == 2 and found)
    assert (both.status, both.flags) == (Status.RUNNING, ["duplicate"])
    _, second = wait_for(lambda: len(found := pipes(tmp_path)) == 2 and found)
    release(first)
    wait_for(lambda: not pool.history.operation(id).flags)
    assert pool.history.operation(id).status is Status.RUNNING
    release(second)
    found = pool.ended(id)
    assert (found.status, found.attempt, found.flags) == (Status.COMPLETE, 2, [])
