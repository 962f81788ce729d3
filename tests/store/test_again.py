"""Operations that are to run again: they wait as before their first run, and what was is kept beside them."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from tests.store.making import NOW, batch_of, blob, by, ended, go, head, lease, queued, started
from tests.store.revs import feed
from tests.store.test_cancel import asked, seen, shown, told
from tracker.archive import runs_of
from tracker.model import Again, EventType, Parts, Status, StepState, StepStatus, Verdict
from tracker.store import Answer, Back, Below, Kept, QueueAgain, Seal, Store, VerdictItem

CANCELLED, COMPLETE, ERROR, LOST, QUEUED, RUNNING = (
    Status.CANCELLED, Status.COMPLETE, Status.ERROR, Status.LOST, Status.QUEUED, Status.RUNNING,
)  # fmt: skip


def again(store: Store, id: str, task: str = "t2", *, resumes: bool = True) -> QueueAgain:
    """What somebody asks for who has read the operation as it is now."""
    found, parts = seen(store, id), parts_of(store, id)
    assert parts.queue is not None
    wanted = Again("ada", NOW + 9, task, found.run, resumes)
    return QueueAgain(id, found.status, msgspec.structs.replace(parts.queue, again=wanted))


def parts_of(store: Store, id: str) -> Parts:
    parts = store.operation(id)
    assert parts is not None
    return parts


def kinds(store: Store, *items: QueueAgain) -> list[str]:
    return [answer.kind for answer in store.append(items)]


def failed(store: Store, id: str = "a", run: str = "r1", parent: str = "") -> None:
    """The operation has run and failed."""
    store.append([by("p", started(id, run, parent)), by("p", ended(id, ERROR, run, parent=parent))])


def counts(store: Store, id: str) -> dict[str, int]:
    """Children of an operation by status, without what there is none of; they add up."""
    children = seen(store, id).children
    found = {str(status): int(getattr(children, status)) for status in Status}
    assert sum(found.values()) == children.total
    return {status: count for status, count in found.items() if count}


# ---- one operation -------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", [ERROR, CANCELLED, COMPLETE])
def test_it_waits_until_its_next_run_begins_and_then_has_one_more_attempt(store: Store, outcome: Status) -> None:
    """The earlier one stays readable, as it was."""
    step = StepState(1, "One", StepStatus.COMPLETE)
    store.append([queued("a"), blob("a", head(), steps=[step]), ended("a", outcome)])
    assert kinds(store, again(store, "a")) == ["stored"]
    waits = seen(store, "a")
    assert (waits.status, waits.run, waits.attempt, waits.steps, waits.ended) == (QUEUED, "", 1, [], None)
    store.append([started("a", "r2")])
    found = seen(store, "a")
    assert (found.status, found.run, found.attempt) == (RUNNING, "r2", 2)
    record = store.runs("a")
    assert record is not None
    first, second = runs_of(record)
    assert (first.number, first.run.run, first.run.status, first.steps) == (1, "r1", outcome, [step])
    assert (second.number, second.run.run) == (2, "r2")


def test_watchers_are_told_to_read_it_again(store: Store) -> None:
    """Nothing of the earlier attempt is left in what they hold."""
    store.append([queued("a")])
    failed(store)
    store.append([again(store, "a")])
    last = shown(store, "a")[-1]
    assert (last.status, last.run, last.rev) == (QUEUED, "", seen(store, "a").rev)
    change = feed(store)[-1]
    (event,) = change.events
    assert (change.hole, event.type) == (True, EventType.OPERATION_QUEUED)
    assert event.queue is not None
    assert event.queue.again == Again("ada", NOW + 9, "t2", "r1", True)
    store.append([started("a", "r2"), ended("a", COMPLETE, "r2")])
    assert shown(store, "a")[-1].status is COMPLETE


def test_of_two_who_ask_at_once_one_is_heard(store: Store) -> None:
    """Both have read the same; and saying the same twice is no second request."""
    store.append([queued("a")])
    failed(store)
    first, second = again(store, "a", "t2"), again(store, "a", "t3")
    assert kinds(store, first, second, first) == ["stored", "ignored", "duplicate"]
    assert store.waits("a") == (QUEUED, "t2")
    store.append([started("a", "r2")])
    assert kinds(store, first, second) == ["duplicate", "ignored"]
    assert seen(store, "a").status is RUNNING


def test_what_was_judged_of_the_earlier_attempt_stays_with_it(store: Store) -> None:
    """A lost one is lost, and does not come back when it shows life."""
    store.append([queued("a"), by("p", started("a")), lease("p", "r1")])
    store.append([VerdictItem("a", RUNNING, Verdict(LOST, NOW, "worker", run="r1", reason="died"))])
    assert kinds(store, again(store, "a")) == ["stored"]
    store.append([lease("p", "r1"), by("p", ended("a"))])
    assert (seen(store, "a").status, seen(store, "a").error) == (QUEUED, None)
    store.append([started("a", "r2")])
    record = store.runs("a")
    assert record is not None
    verdict = runs_of(record)[0].verdict
    assert verdict is not None
    assert (verdict.status, verdict.reason, seen(store, "a").status) == (LOST, "died", RUNNING)


def test_a_waiting_attempt_is_cancelled_and_may_be_asked_for_once_more(store: Store) -> None:
    """Also one of an operation that never ran; and nobody asks the new run to end."""
    store.append([queued("a"), queued("b")])
    failed(store)
    store.append([again(store, "a")])
    assert [store.cancel("a", "bob"), store.cancel("b", "bob")] == [True, True]
    for id in "ab":
        assert (seen(store, id).status, asked(store, id)) == (CANCELLED, "bob")
        assert kinds(store, again(store, id, "t3", resumes=False)) == ["stored"]
        assert (seen(store, id).status, asked(store, id)) == (QUEUED, None)
        assert told(store, started(id, f"{id}2")) == {}
    assert [(seen(store, id).status, seen(store, id).attempt) for id in "ab"] == [(RUNNING, 2), (RUNNING, 1)]


def test_only_who_resumes_finds_what_was_kept(store: Store) -> None:
    """As with scripts."""
    for id, resumes in (("a", True), ("b", False)):
        store.append([queued(id), replace(blob(id, head()), results=[("One", b"1")]), ended(id, ERROR)])
        store.append([again(store, id, resumes=resumes)])
        assert store.results(id) == {"One": b"1"}
        store.append([replace(started(id, "r2"), resumes=resumes)])
    assert [store.results(id) for id in "ab"] == [{"One": b"1"}, {}]


# ---- what it is below ----------------------------------------------------------------------------


def test_a_settled_batch_runs_while_one_of_its_children_does_and_is_settled_anew(store: Store) -> None:
    """Its counts add up at every change."""
    first, second = batch_of(store, 2)
    store.append([started("b", "rb"), ended("b", run="rb")])
    failed(store, first, "r1", "b")
    store.append([started(second, "r2", "b"), ended(second, run="r2", parent="b")])
    assert (seen(store, "b").status, counts(store, "b")) == (ERROR, {"complete": 1, "error": 1})
    store.append([again(store, first)])
    assert (seen(store, "b").status, counts(store, "b")) == (RUNNING, {"complete": 1, "queued": 1})
    store.append([started(first, "r3", "b")])
    assert counts(store, "b") == {"complete": 1, "running": 1}
    store.append([ended(first, run="r3", parent="b")])
    assert (seen(store, "b").status, counts(store, "b")) == (COMPLETE, {"complete": 2})


def test_a_child_of_a_cancelled_batch_may_run_again_and_is_reached_if_that_is_cancelled_too(store: Store) -> None:
    """The request was not about this attempt; a later one is."""
    first, _ = batch_of(store, 2)
    store.cancel("b", "ada")
    assert kinds(store, again(store, first)) == ["stored"]
    assert told(store, started(first, "r2", parent="b")) == {}
    assert (seen(store, first).status, asked(store, first)) == (RUNNING, None)
    assert store.cancel("b", "bob")
    assert asked(store, first) == "bob"


def test_a_child_that_is_queued_again_below_a_batch_that_is_being_cancelled_is_cancelled(store: Store) -> None:
    """The batch still runs, and is to end."""
    first, second, _ = batch_of(store, 3)
    store.append([started("b", "rb"), started(second, "r2", "b")])
    failed(store, first, "r1", "b")
    store.cancel("b", "ada")
    store.append([again(store, first)])
    assert (seen(store, first).status, asked(store, first)) == (CANCELLED, "ada")


def test_a_batch_that_runs_again_is_not_settled_before_all_of_it_was_queued(store: Store) -> None:
    """However soon the first of its children has ended."""
    first, second = batch_of(store, 2)
    failed(store, first, "r1", "b")
    failed(store, second, "r2", "b")
    assert seen(store, "b").status is ERROR
    store.append([again(store, "b", "tb")])
    assert seen(store, "b").status is QUEUED
    store.append([started("b", "rb"), again(store, first, "t3"), started(first, "r3", "b")])
    store.append([ended(first, run="r3", parent="b")])
    assert (seen(store, "b").status, counts(store, "b")) == (RUNNING, {"complete": 1, "error": 1})
    store.append([again(store, second, "t4"), started(second, "r4", "b"), ended(second, run="r4", parent="b")])
    store.append([ended("b", run="rb")])
    assert seen(store, "b").status is RUNNING
    store.append([Seal("b", 2)])
    assert (seen(store, "b").status, counts(store, "b")) == (COMPLETE, {"complete": 2})


def test_children_that_an_ended_operation_left_behind_are_reached(store: Store) -> None:
    """It has ended itself, so nothing is asked of it."""
    store.append([started("a"), started("c", "rc", parent="a"), ended("a")])
    store.append([started("d", "rd", parent="c")])
    assert store.cancel("a", "ada")
    assert [(seen(store, id).status, asked(store, id)) for id in "acd"] == [
        (COMPLETE, None),
        (RUNNING, "ada"),
        (RUNNING, "ada"),
    ]
    store.append([ended("d", CANCELLED, "rd", parent="c"), ended("c", CANCELLED, "rc", parent="a")])
    assert not store.cancel("a", "ada")


# ---- what had left -------------------------------------------------------------------------------


def test_what_had_left_comes_back_as_it_was_and_goes_on_counting(store: Store) -> None:
    """With its steps, and what its steps had kept."""
    step = StepState(1, "One", StepStatus.COMPLETE)
    store.append([queued("a"), blob("a", head(), steps=[step]), ended("a", ERROR)])
    before, request = parts_of(store, "a"), again(store, "a")
    go(store, "a")
    assert kinds(store, request) == ["ignored"]
    back = Back(before, 4)
    answers = store.append([Kept("a", {"One": b"\xff1"}), back, back])
    assert [answer.kind for answer in answers] == ["stored", "stored", "duplicate"]
    after = parts_of(store, "a")
    assert msgspec.structs.replace(after, rev=0, attempt=1) == msgspec.structs.replace(before, rev=0)
    assert after.rev > before.rev
    assert kinds(store, request) == ["stored"]
    assert [found.id for found in store.operations().items] == ["a"]
    store.append([replace(started("a", "r5"), resumes=True)])
    assert (seen(store, "a").attempt, store.results("a")) == (5, {"One": b"\xff1"})


def test_a_batch_that_had_left_counts_the_children_that_stay_away(store: Store) -> None:
    """One of them runs again, and the batch is settled anew."""
    ids = batch_of(store, 3)
    outcomes = dict(zip(ids, [COMPLETE, ERROR, ERROR], strict=True))
    store.append([started("b", "rb"), ended("b", run="rb")])
    for id, outcome in outcomes.items():
        store.append([started(id, f"r{id}", "b"), ended(id, outcome, f"r{id}", parent="b")])
    before = {id: parts_of(store, id) for id in ["b", *ids]}
    request = again(store, ids[2])
    for id in [*ids, "b"]:
        go(store, id)
    places = [(id, float(number), outcome) for number, (id, outcome) in enumerate(outcomes.items(), 1)]
    assert store.append([Below("b", places)]) == [Answer("stored", 0)]
    assert store.operation("b") is None
    store.append([Back(before["b"], 0), Below("b", places)])
    assert (seen(store, "b").status, counts(store, "b")) == (ERROR, {"complete": 1, "error": 2})
    assert store.client.redis.ttl(store.keys.children("b")) == -1
    store.append([Back(before[ids[2]], 1), request])
    assert (seen(store, "b").status, counts(store, "b")) == (RUNNING, {"complete": 1, "error": 1, "queued": 1})
    store.append([started(ids[2], "r9", "b"), ended(ids[2], run="r9", parent="b")])
    assert (seen(store, "b").status, counts(store, "b")) == (ERROR, {"complete": 2, "error": 1})
    assert seen(store, ids[2]).attempt == 2


def test_what_was_brought_for_an_operation_that_never_comes_does_not_stay(store: Store) -> None:
    """Whoever asked was interrupted."""
    store.append([Below("b", [("b.1", 1.0, ERROR)]), Kept("b", {"One": b"1"})])
    names = [store.keys.children("b"), store.keys.children("b", "error"), store.keys.results("b")]
    assert all(store.client.redis.ttl(name) > 0 for name in names)
