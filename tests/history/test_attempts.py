"""Earlier attempts stay readable, wherever each of them is kept."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest
from msgspec.structs import replace

from tests.history.test_archiving import done
from tests.store.making import NOW, batch_of, blob, by, ended, head, lease, queued, started
from tests.support import Clock, wait_for
from tracker.archive import Archive
from tracker.errors import NotFound
from tracker.history import History
from tracker.history.liveness import LOST_AFTER
from tracker.history.recorder import Recorder
from tracker.model import Error, Operation, Status, Verdict
from tracker.store import Change, RunBlob, Store, VerdictItem, View


def runs(attempts: list[Operation]) -> list[tuple[int, str, str]]:
    """Number, run and status of each."""
    return [(attempt.attempt, attempt.run, attempt.status.value) for attempt in attempts]


def told(id: str, run: str, status: Status = Status.RUNNING, **fields: object) -> RunBlob:
    """What a run says of itself; first that it began, else what became of it."""
    seq = 1 if status is Status.RUNNING else 2
    return blob(id, msgspec.structs.replace(head(run, status), **fields), seq=seq)


def lost(id: str, run: str) -> VerdictItem:
    """The run's death, as its worker reports it."""
    verdict = Verdict(Status.LOST, NOW + 3, "worker", run=run, error=Error("WorkerLostError", "signal 9"))
    return VerdictItem(id, Status.RUNNING, verdict)


@contextmanager
def live(store: Store) -> Iterator[list[Change]]:
    """What a follower hears meanwhile."""
    heard: list[Change] = []
    stop, ready = threading.Event(), threading.Event()

    def follow() -> None:
        for item in store.follow(stop=stop):
            ready.set()
            if isinstance(item, Change):
                heard.append(item)

    thread = threading.Thread(target=follow)
    thread.start()
    ready.wait(20)
    yield heard
    stop.set()
    thread.join(20)


def test_each_attempt_is_told_as_the_operation_was_then(store: Store, history: History) -> None:
    """With its own times, error and steps; the newest is the operation as it is now."""
    failed = replace(done("a")[2], head=head("r1", Status.ERROR, error=Error("Late", "too late")))
    store.append([queued("a"), *done("a")[:2], failed, started("a", "r2")])
    first, second = history.attempts("a")
    assert (first.attempt, first.run, first.status) == (1, "r1", Status.ERROR)
    assert (first.started, first.ended, first.duration) == (NOW, NOW + 1, 1.0)
    assert first.error is not None
    assert first.error.message == "too late"
    assert [step.name for step in first.steps or ()] == ["Step 1"]
    assert second == history.operation("a")


def test_an_operation_without_a_run_has_no_attempts_and_an_unknown_one_is_said(store: Store, history: History) -> None:
    """Queued is not attempted."""
    store.append([queued("a")])
    assert history.attempts("a") == []
    with pytest.raises(NotFound):
        history.attempts("b")


def test_a_run_that_asked_to_be_run_again_has_ended(store: Store, history: History) -> None:
    """Otherwise it would be shown as running for ever, or as waiting."""
    again = told("a", "r1", Status.QUEUED, ended=NOW + 5, duration=5.0)
    store.append([started("a"), again, started("a", "r2")])
    (first, _) = history.attempts("a")
    assert (first.status, first.ended, first.duration) == (Status.QUEUED, NOW + 5, 5.0)


def test_attempts_are_the_same_after_they_have_left_redis(
    store: Store, archive: Archive, recorder: Recorder, history: History
) -> None:
    """All of them, those that were killed too: each of two deaths stays with its run."""
    store.append(
        [queued("a"), started("a"), lost("a", "r1"), started("a", "r2"), lost("a", "r2"), *done("a", run="r3")]
    )
    before = history.attempts("a")
    assert runs(before) == [(1, "r1", "lost"), (2, "r2", "lost"), (3, "r3", "complete")]
    assert [attempt.ended for attempt in before[:2]] == [NOW + 3, NOW + 3]
    recorder.turn()
    assert store.operation("a") is None
    assert history.attempts("a") == before


def test_an_operation_that_comes_back_shows_all_its_attempts(
    store: Store, recorder: Recorder, history: History
) -> None:
    """Those in the archive, among them the last with what was judged of it, and the one that runs, in one order."""
    store.append([*done("a", status=Status.ERROR), started("a", "r2"), lost("a", "r2")])
    recorder.turn()
    store.append([told("a", "r3", started=NOW + 60)])
    expected = [(1, "r1", "error"), (2, "r2", "lost"), (3, "r3", "running")]
    assert runs(history.attempts("a")) == expected
    store.append([told("a", "r3", Status.COMPLETE, started=NOW + 60, ended=NOW + 61)])
    recorder.turn()
    assert store.operation("a") is None
    assert runs(history.attempts("a")) == [*expected[:2], (3, "r3", "complete")]


def test_an_operation_that_comes_back_goes_on_counting(
    store: Store, archive: Archive, recorder: Recorder, history: History
) -> None:
    """In lists, alone, in its lines, and for who watches: within one turn of the recorder, and only once."""
    store.append([*done("a", status=Status.ERROR), *done("a", run="r2")])
    recorder.turn()
    lines = done("a", run="r3")[1]
    view = View(store.operation)
    with live(store) as changes:
        store.append([queued("a"), by("p1", told("a", "r3", started=NOW + 60)), by("p1", lines), *done("other")])
        recorder.turn()
        assert history.operation("a").attempt == 3
        assert [(one.id, one.attempt) for one in history.operations().items] == [("other", 1), ("a", 3)]
        assert [(line.attempt, line.text) for line in history.logs("a")] == [(n, "a line") for n in (1, 2, 3)]
        wait_for(lambda: any(change.hole and change.operation == "a" for change in changes))
    for change in changes:
        view.apply(change)
    assert (view.parts["a"].attempt, len(view.parts["a"].steps)) == (3, 1)
    store.client.redis.delete(store.keys.recorder)
    successor = Recorder(store, archive)
    successor.turn()
    store.append([by("p1", told("a", "r4", started=NOW + 70))])
    successor.turn()
    expected = [(1, "r1", "error"), (2, "r2", "complete"), (3, "r3", "running"), (4, "r4", "running")]
    assert runs(history.attempts("a")) == expected
    assert history.operation("a").attempt == 4


SCRIPT = """
from tracker import StepTracker
with StepTracker("Nightly", id="nightly", display="quiet") as tracker:
    tracker.step("Load")
    input()
"""


def test_a_script_that_runs_every_night_is_the_next_attempt_while_it_runs(
    store: Store, recorder: Recorder, history: History
) -> None:
    """In a process of its own each time, with what came before in the archive."""
    environment = os.environ | {"TRACKER_REDIS_URL": store.client.url, "TRACKER_NAMESPACE": store.keys.namespace}
    for number in (1, 2, 3):
        with subprocess.Popen([sys.executable, "-c", SCRIPT], env=environment, stdin=subprocess.PIPE) as process:
            try:
                wait_for(lambda: store.operation("nightly"))
                recorder.turn()
                assert history.operation("nightly").attempt == number
                process.communicate(b"\n", timeout=30)
            finally:
                process.kill()
        recorder.turn()
        assert store.operation("nightly") is None
    assert [attempt.status for attempt in history.attempts("nightly")] == [Status.COMPLETE] * 3


def test_what_redis_still_knows_is_not_counted_twice(store: Store, archive: Archive, recorder: Recorder) -> None:
    """An operation may be in the archive before it leaves, and stay because it runs again."""
    store.append(done("a"))
    archive.write(store.leaving.records(["a"]))
    store.append([by("p1", told("a", "r2", started=NOW + 60))])
    recorder.turn()
    parts = store.operation("a")
    assert parts is not None
    assert parts.attempt == 2


def test_an_earlier_run_that_dies_unnoticed_is_lost_and_its_life_withdraws_that(
    store: Store, history: History, recorder: Recorder, clock: Clock
) -> None:
    """It decides nothing any more, but nobody shall read that it still runs."""
    store.append([by("p1", started("a")), lease("p1", "r1"), by("p2", started("a", "r2"))])
    clock.pass_by(LOST_AFTER + 40, lambda: (store.append([lease("p2", "r2")]), recorder.turn()))
    assert runs(history.attempts("a")) == [(1, "r1", "lost"), (2, "r2", "running")]
    store.append([lease("p1", "r1")])
    assert runs(history.attempts("a"))[0] == (1, "r1", "running")


def test_a_batch_tells_of_its_children_only_as_it_is_now(store: Store, history: History) -> None:
    """An earlier attempt of it was a dispatch, which ended or was lost as such."""
    batch_of(store, 2)
    store.append([started("b"), ended("b", Status.ERROR), started("b", "r2")])
    first, second = history.attempts("b")
    assert (first.status, first.children.total) == (Status.ERROR, 0)
    assert second.children.total == 2


def test_attempts_miss_and_repeat_nothing_while_operations_move(
    store: Store, recorder: Recorder, history: History
) -> None:
    """Read again and again while a recorder is at work and operations come back."""
    ids = [f"op-{number:03}" for number in range(60)]
    for id in ids:
        store.append([*done(id, status=Status.ERROR), *done(id, run="r2")])
    both = [(1, "r1", "error"), (2, "r2", "complete")]
    seen = threading.Event()

    def move() -> None:
        for _ in range(2):
            seen.wait(0.05)
            recorder.turn()

    mover = threading.Thread(target=move)
    mover.start()
    while mover.is_alive():
        for id in ids:
            assert runs(history.attempts(id)) == both
    mover.join()
    assert store.operations().items == []
    store.append([told(id, "r3", started=NOW + 60) for id in ids])
    assert [runs(history.attempts(id)) for id in ids] == [[*both, (3, "r3", "running")]] * 60
