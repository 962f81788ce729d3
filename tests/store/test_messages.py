"""What is stored of messages: each operation begins for one of them, and nothing waits for one that nobody has."""

from __future__ import annotations

import msgspec
import pytest

from tests.store.making import NOW, batch_of, blob, by, ended, head, queued, started
from tests.support import Clock
from tracker.archive import runs_of
from tracker.compose import compose, has_died
from tracker.history.recorder import Recorder
from tracker.history.stuck import GRACE
from tracker.model import QueuePart, Status, Verdict
from tracker.store import Cancel, Follow, JobInfo, Paid, RunBlob, Seal, Sent, Store, Take, VerdictItem

AFTER = QueuePart("after", NOW, queue="q")


def status(store: Store, id: str) -> Status | None:
    return store.status(id)


def takes(store: Store, message: str, id: str = "a") -> bool:
    (answer,) = store.append([Take(id, message, id, "w")])
    return answer.kind == "stored"


def owed(store: Store) -> list[str]:
    return sorted(store.messages.owed("w"))


@pytest.fixture
def recorder(store: Store, clock: Clock) -> Recorder:
    return Recorder(store)


def test_what_is_owed_and_cannot_be_read_stays_and_holds_up_no_other(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """It is named in the log."""
    store.client.redis.hset(
        store.keys.owed, mapping={b"bad": b"{", b"b.after": msgspec.json.encode(AFTER), b"\xff": b""}
    )
    assert store.messages.owed("w") == {"b.after": AFTER}
    assert store.client.redis.hlen(store.keys.owed) == 3
    assert len(caplog.messages) == 1


@pytest.mark.parametrize("meanwhile", [[], [started("a")], [started("a"), ended("a")]])
def test_an_operation_begins_for_one_message_only(store: Store, meanwhile: list[RunBlob]) -> None:
    """Whatever has become of it meanwhile; the same message may come again."""
    store.append([queued("a")])
    assert takes(store, "m1")
    store.append([queued("a"), *meanwhile])
    assert not takes(store, "m2")
    assert takes(store, "m1")


def test_a_cancelled_operation_begins_for_none_and_one_that_is_not_here_for_any(store: Store) -> None:
    """Nothing is left of what is not here."""
    store.append([queued("a"), Cancel("a", "ada")])
    assert not takes(store, "m1")
    assert takes(store, "m1", "unknown")
    assert not store.client.redis.exists(store.keys.operation("unknown"))
    assert store.messages.taken() == {}


def test_what_was_taken_and_never_begun_is_lost_with_its_worker(store: Store, clock: Clock, recorder: Recorder) -> None:
    """As long as the worker lives it is left alone, and a life after all withdraws it."""
    ids = batch_of(store, 2)
    store.publish_jobs("w", [JobInfo("job", {}, "q")])
    store.append([Take(id, "m", id, "w") for id in ids])
    clock.pass_by(2 * GRACE, recorder.turn)
    assert [status(store, id) for id in ids] == [Status.QUEUED] * 2
    store.withdraw_worker("w")
    store.append([started(ids[0], parent="b")])
    clock.pass_by(2 * GRACE, recorder.turn)
    assert [status(store, id) for id in ids] == [Status.RUNNING, Status.LOST]
    assert store.messages.taken() == {}
    store.append([started(ids[1], parent="b")])
    assert status(store, ids[1]) is Status.RUNNING


def test_a_dispatch_that_was_taken_and_never_begun_is_sent_again_each_time(
    store: Store, clock: Clock, recorder: Recorder
) -> None:
    """It counts as one that has died, so that it is given up one day; the batch's children never wait for nobody."""
    batch_of(store, 2)
    for number in range(1, 4):
        store.append([Sent("b"), Take("b", f"m{number}", "b", f"w{number}")])
        assert store.messages.taken() == {"b": f"w{number}"}
        clock.pass_by(2 * GRACE, recorder.turn)
        assert (store.messages.taken(), owed(store)) == ({}, ["b"])
        store.append([Paid("b")])
        record = store.runs("b")
        assert record is not None
        assert [has_died(run) for run in runs_of(record)] == [True] * number
        assert status(store, "b") is Status.RUNNING
    store.append([Take("b", "m4", "b", "w4"), by("p", started("b", "rd"))])
    assert store.messages.taken() == {}
    clock.pass_by(2 * GRACE, recorder.turn)
    assert owed(store) == []


def test_a_batch_that_has_ended_is_sent_to_nobody(store: Store, clock: Clock, recorder: Recorder) -> None:
    """Its children were with the broker, although nobody was left who could say so."""
    (child,) = batch_of(store, 1)
    store.append([Sent("b"), by("p", started("b", "rd")), ended("b", run="rd"), Take("b", "m", "b", "w")])
    assert store.messages.taken() == {"b": "w"}
    store.append([started(child, parent="b"), ended(child, parent="b")])
    assert (status(store, "b"), store.messages.taken()) == (Status.COMPLETE, {})
    clock.pass_by(2 * GRACE, recorder.turn)
    assert owed(store) == []


def test_a_batch_whose_sender_died_before_it_was_sent_is_cancelled(
    store: Store, clock: Clock, recorder: Recorder
) -> None:
    """Nothing follows it, for whoever wanted it was not told that it was queued; children stored later never wait."""
    store.append([queued("b", batch=True), Follow("b", "b.after", AFTER), queued("b.1", parent="b", index=1)])
    recorder.turn()
    clock.pass_by(GRACE - 5, recorder.turn)
    assert status(store, "b") is Status.QUEUED
    clock.pass_by(10, recorder.turn)
    store.append([queued("b.2", parent="b", index=2), Seal("b", 2)])
    assert [status(store, id) for id in ("b", "b.1", "b.2")] == [Status.CANCELLED] * 3
    parts = store.operation("b")
    assert parts is not None
    assert parts.cancel is not None
    assert "whoever queued it ended before it was sent" in parts.cancel.by
    assert (owed(store), store.messages.unsent(), takes(store, "m", "b")) == ([], [], False)


def test_a_batch_that_was_sent_waits_as_long_as_it_has_to(store: Store, clock: Clock, recorder: Recorder) -> None:
    """Also if only its dispatch shows that it was."""
    ids = batch_of(store, 1)
    store.append([queued("c", batch=True), blob("c", head("rc"))])
    clock.pass_by(10 * GRACE, recorder.turn)
    assert [status(store, id) for id in ("b", *ids, "c")] == [Status.QUEUED] * 2 + [Status.RUNNING]


def test_what_follows_a_batch_is_owed_in_the_call_that_ends_it(store: Store) -> None:
    """Once, and to one sender at a time; a batch that is settled anew owes nothing more."""
    first, second = batch_of(store, 2)
    store.append([Follow("b", "b.after", AFTER)])
    store.append([started(first, parent="b"), ended(first, parent="b"), started(second, parent="b")])
    assert owed(store) == []
    store.append([VerdictItem(second, Status.RUNNING, Verdict(Status.LOST, NOW, "worker", run="r1"))])
    assert (status(store, "b"), owed(store)) == (Status.ERROR, ["b.after"])
    assert store.messages.owed("another") == {}
    assert store.messages.owed("w") == {"b.after": AFTER}
    store.append([Paid("b.after"), ended(second, parent="b")])
    assert (status(store, "b"), owed(store)) == (Status.COMPLETE, [])


@pytest.mark.parametrize("verdict", [Status.CANCELLED, Status.LOST])
def test_a_batch_that_ended_before_its_children_is_followed_when_they_have(store: Store, verdict: Status) -> None:
    """Whoever ended it."""
    (child,) = batch_of(store, 1)
    store.append([Follow("b", "b.after", AFTER), started(child, parent="b")])
    store.append([VerdictItem("b", Status.QUEUED, Verdict(verdict, NOW, "worker"))])
    assert (status(store, "b"), owed(store)) == (verdict, [])
    store.append([ended(child, parent="b")])
    assert owed(store) == ["b.after"]


def test_a_dispatch_that_went_back_to_the_queue_is_alive_no_more(store: Store) -> None:
    """Its batch runs on, and the next one is not taken for a second one."""
    batch_of(store, 1)
    store.append([blob("b", head("rb")), Sent("b", 1)])
    store.append([VerdictItem("b", Status.RUNNING, Verdict(Status.RUNNING, NOW, "worker", run="rb"))])
    store.append([blob("b", head("rc"))])
    parts = store.operation("b")
    assert parts is not None
    batch = compose(parts)
    assert (batch.status, batch.attempt, batch.flags) == (Status.RUNNING, 2, [])


def test_how_far_a_batch_was_sent_only_grows(store: Store) -> None:
    """A dispatch that was stopped for a while may say less than the one after it."""
    batch_of(store, 3)
    store.append([Sent("b", 2), Sent("b", 1)])
    assert store.messages.sent("b") == 2
