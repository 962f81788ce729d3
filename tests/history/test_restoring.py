"""Operations that have left for the archive come back to run again, and leave once more; nothing is lost on the way."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from tests.history.test_archiving import done, keys_left, replayed
from tests.history.test_attempts import runs
from tests.store.making import NOW, batch_of, by, ended, queued, started
from tracker.archive import Archive
from tracker.history import History, restoring
from tracker.history.recorder import Recorder
from tracker.model import Again, Error, Status, Verdict
from tracker.store import QueueAgain, Seal, Store, VerdictItem

CANCELLED, COMPLETE, ERROR, QUEUED, RUNNING = (
    Status.CANCELLED, Status.COMPLETE, Status.ERROR, Status.QUEUED, Status.RUNNING,
)  # fmt: skip


def again(store: Store, history: History, id: str) -> None:
    """Somebody wants it to run once more, wherever it is."""
    history.bring_back(id)
    found, parts = history.operation(id), history.record(id).parts
    assert parts.queue is not None
    wanted = Again("ada", NOW + 1000, f"again-{found.rev}", found.run, True)
    (answer,) = store.append([QueueAgain(id, found.status, msgspec.structs.replace(parts.queue, again=wanted))])
    assert answer.kind == "stored"


def test_it_is_the_next_attempt_at_once_and_all_of_them_are_kept(
    store: Store, recorder: Recorder, history: History
) -> None:
    """Before any recorder has looked, and again after it has left for the second time."""
    store.append([queued("a"), *done("a", status=ERROR), *done("a", status=ERROR, run="r2")])
    recorder.turn()
    again(store, history, "a")
    waits = history.operation("a")
    assert (waits.status, waits.run, waits.attempt) == (QUEUED, "", 2)
    earlier = [(1, "r1", "error"), (2, "r2", "error")]
    assert runs(history.attempts("a")) == earlier
    store.append([by("p", replace(blob, resumes=True)) for blob in done("a", run="r3")[:2]])
    recorder.turn()
    assert history.operation("a").attempt == 3
    assert runs(history.attempts("a")) == [*earlier, (3, "r3", "running")]
    store.append([by("p", done("a", run="r3")[2])])
    recorder.turn()
    assert keys_left(store) == set()
    assert runs(history.attempts("a")) == [*earlier, (3, "r3", "complete")]
    assert [(line.attempt, line.text) for line in history.logs("a")] == [(n, "a line") for n in (1, 2, 3)]


def test_an_attempt_that_is_cancelled_while_it_waits_stays_so_in_the_archive(
    store: Store, recorder: Recorder, history: History
) -> None:
    """The earlier ones are as they were, and it may be asked for once more."""
    store.append([queued("a"), *done("a", status=ERROR)])
    recorder.turn()
    again(store, history, "a")
    assert store.cancel("a", "bob")
    before = history.operation("a")
    assert (before.status, before.attempt) == (CANCELLED, 1)
    recorder.turn()
    assert store.operation("a") is None
    assert history.operation("a") == before
    assert runs(history.attempts("a")) == [(1, "r1", "error")]
    again(store, history, "a")
    store.append(done("a", run="r2"))
    recorder.turn()
    assert runs(history.attempts("a")) == [(1, "r1", "error"), (2, "r2", "complete")]
    assert history.operation("a").status is COMPLETE


def test_what_its_steps_kept_comes_back_also_when_redis_has_forgotten_it(
    store: Store, recorder: Recorder, history: History
) -> None:
    """From the archive; and stays until the operation leaves again."""
    store.append([queued("a"), *done("a", status=ERROR)])
    recorder.turn()
    store.client.redis.delete(store.keys.results("a"))
    assert history.results("a") == {"key": b"1"}
    again(store, history, "a")
    assert store.results("a") == {"key": b"1"}
    assert store.client.redis.ttl(store.keys.results("a")) == -1


@pytest.mark.parametrize("size", [3, 7])
def test_a_child_brings_its_batch_back_which_is_settled_anew(
    store: Store, recorder: Recorder, history: History, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """With all its counts, although the other children stay in the archive; also in several calls."""
    monkeypatch.setattr(restoring, "PAGE", 3)
    ids = batch_of(store, size)
    store.append(done("b"))
    for number, id in enumerate(ids):
        store.append(done(id, "b", COMPLETE if number else ERROR, run=f"r{number}"))
    recorder.turn()
    assert store.operation("b") is None
    again(store, history, ids[0])
    batch = history.operation("b")
    assert (batch.status, batch.children.total, batch.children.queued) == (RUNNING, size, 1)
    assert [child.id for child in history.children("b").items] == ids
    assert [child.id for child in history.children("b", status="complete").items] == ids[1:]
    store.append(done(ids[0], "b", run="again"))
    batch = history.operation("b")
    assert (batch.status, batch.children.complete) == (COMPLETE, size)
    recorder.turn()
    recorder.turn()
    assert keys_left(store) == set()
    after = history.operation("b")
    assert (after.status, after.children.complete, after.children.total) == (COMPLETE, size, size)
    assert [child.id for child in history.children("b").items] == ids
    assert [child.attempt for child in history.children("b").items] == [2] + [1] * (size - 1)


def dispatched(store: Store, run: str, outcomes: dict[str, Status]) -> None:
    """A batch is handed out by ``run``, and those of its children end so."""
    store.append([started("b", run)])
    for id, status in outcomes.items():
        store.append(done(id, "b", status, run=f"{run}-{id}"))
    store.append([ended("b", run=run, seq=2), Seal("b", 3)])


def read(history: History) -> list[tuple[int, str, float | None, str]]:
    """Number, status, end and error of each attempt of the batch."""
    return [
        (one.attempt, one.status.value, one.ended, one.error.message if one.error else "")
        for one in history.attempts("b")
    ]


@pytest.mark.parametrize("leaves", [False, True], ids=["in Redis", "from the archive"])
@pytest.mark.parametrize("outcome", [ERROR, CANCELLED])
def test_an_attempt_of_a_batch_stays_as_its_children_had_settled_it(
    store: Store, recorder: Recorder, history: History, outcome: Status, leaves: bool
) -> None:
    """Its dispatch alone was complete; whoever resumes it still reads why, and when, wherever each attempt is."""
    ids, known = batch_of(store, 3), []
    for number, run in enumerate(("d1", "d2", "d3"), 1):
        store.append([started("b", run)])
        if outcome is CANCELLED:
            store.cancel("b", "ada")
        dispatched(store, run, dict.fromkeys(ids if outcome is ERROR else [], outcome))
        known.append((number, outcome.value, history.operation("b").ended, "3 of 3 did not complete"))
        assert read(history) == known
        if leaves or run == "d3":
            recorder.turn()
            assert store.operation("b") is None
            assert read(history) == known
        for id in ("b", *ids):
            again(store, history, id)
        assert read(history) == known


def test_a_batch_that_was_settled_anew_is_remembered_by_what_was_said_last(
    store: Store, recorder: Recorder, history: History
) -> None:
    """A child of it ran again by itself before all of it did, and the archive knew of neither."""
    ids = batch_of(store, 3)
    dispatched(store, "d1", dict(zip(ids, [ERROR, ERROR, COMPLETE], strict=True)))
    assert [message for *_, message in read(history)] == ["2 of 3 did not complete"]
    recorder.turn()
    again(store, history, ids[0])
    store.append(done(ids[0], "b", run="by itself"))
    assert [message for *_, message in read(history)] == ["1 of 3 did not complete"]
    again(store, history, "b")
    again(store, history, ids[1])
    dispatched(store, "d2", {ids[1]: COMPLETE})
    before = read(history)
    assert [(status, message) for _, status, _, message in before] == [
        ("error", "1 of 3 did not complete"), ("complete", ""),
    ]  # fmt: skip
    recorder.turn()
    assert store.operation("b") is None
    assert read(history) == before


def test_a_late_run_of_before_is_no_answer_to_who_asked(store: Store, recorder: Recorder, history: History) -> None:
    """Its process is gone, and what it had on its disk comes while the operation waits."""
    store.append([queued("a"), *done("a", status=ERROR)])
    again(store, history, "a")
    store.append(replayed(*done("a", run="r0")))
    recorder.turn()
    assert (history.operation("a").status, history.operation("a").run) == (QUEUED, "")
    store.append([started("a", "r2")])
    assert history.operation("a").run == "r2"


def test_what_is_in_redis_or_nowhere_is_left_alone(store: Store, archive: Archive, history: History) -> None:
    """Also where there is no archive at all."""
    store.append([queued("a"), *done("a", status=ERROR)])
    before = store.operation("a")
    history.bring_back("a")
    history.bring_back("nothing")
    assert not archive.exists
    archive.write([])
    assert store.operation("a") == before
    assert store.operation("nothing") is None


def test_a_child_that_waits_below_a_batch_whose_dispatch_died_is_not_given_up(
    store: Store, archive: Archive, recorder: Recorder, history: History
) -> None:
    """The dispatch had not sent it, but somebody has since."""
    first, second = batch_of(store, 2)
    died = Verdict(Status.LOST, NOW, "worker", run="rb", error=Error("WorkerLostError", "signal 9"))
    store.append([started("b", "rb"), VerdictItem("b", RUNNING, died)])
    recorder.turn()
    assert [history.operation(id).status for id in (first, second)] == [Status.LOST] * 2
    again(store, history, first)
    store.client.redis.delete(store.keys.recorder)
    Recorder(store, archive).turn()
    assert history.operation(first).status is QUEUED
