"""What the append script stores, refuses and counts, on a real server."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from tests.store.making import NOW, batch_of, blob, ended, go, head, lose_all, queued, started, step_event
from tests.store.revs import feed, rev_of
from tracker.compose import compose
from tracker.model import Event, Status, StepState, StepStatus, Verdict
from tracker.store import Answer, RunBlob, Store, VerdictItem


def status(store: Store, id: str) -> Status:
    parts = store.operation(id)
    assert parts is not None
    return compose(parts).status


def test_a_blob_is_stored_once_however_often_it_is_sent(store: Store) -> None:
    """Sending the same (run, seq) again answers `duplicate` and changes nothing."""
    first = store.append([started("a")])
    held = store.operation("a")
    again = store.append([started("a")])
    assert first == [Answer("stored", 1)]
    assert again == [Answer("duplicate", 1)]
    assert store.operation("a") == held
    assert store.client.redis.xlen(store.keys.feed) == 1


def test_a_blob_with_events_missing_before_it_is_refused(store: Store) -> None:
    """`behind` names the last number the store knows, and nothing is stored."""
    store.append([started("a")])
    assert store.append([ended("a", seq=5)]) == [Answer("behind", 1)]
    assert status(store, "a") is Status.RUNNING


def test_a_rebase_takes_the_place_of_what_was_never_seen(store: Store) -> None:
    """The whole state of a run heals a store that has lost everything."""
    steps = [StepState(1, "Read", StepStatus.COMPLETE), StepState(2, "Write", StepStatus.RUNNING)]
    gap = Event("gap", "a", NOW, "r1", 9, head=head())
    answers = store.append([RunBlob("a", "r1", [gap], "", NOW, head(), steps, steps[1], rebase=True)])
    parts = store.operation("a")
    assert answers == [Answer("stored", 1)]
    assert parts is not None
    assert [step.name for step in compose(parts).steps or []] == ["Read", "Write"]
    assert store.append([step_event("a", 10, 2, StepStatus.COMPLETE)]) == [Answer("stored", 1)]


def test_many_operations_are_stored_in_one_call(store: Store) -> None:
    """Each item has its own answer, in order."""
    answers = store.append([started("a"), started("b"), started("a"), ended("b")])
    assert [answer.kind for answer in answers] == ["stored", "stored", "duplicate", "stored"]


def test_rev_is_dense_whoever_makes_the_change(store: Store) -> None:
    """Queue part, run and verdict share one numbering without holes."""
    store.append([queued("a"), started("a")])
    verdict = Verdict(Status.LOST, NOW, "worker", run="r1")
    store.append([VerdictItem("a", Status.RUNNING, verdict)])
    changes = feed(store)
    assert [change.rev - changes[0].rev for change in changes] == [0, 1, 2]
    assert [change.fresh for change in changes] == [True, False, False]
    assert rev_of(store, "a") == 3
    assert status(store, "a") is Status.LOST


@pytest.mark.parametrize("goes", [go, lose_all], ids=["left", "flushed"])
def test_the_rev_of_an_operation_that_comes_back_goes_on_growing(
    store: Store, goes: Callable[[Store, str], None]
) -> None:
    """It begins anew, densely, above all that was ever told of it, and its first change says so."""
    store.append([started("a"), ended("a")])
    (*_, before) = feed(store)
    goes(store, "a")
    store.append([started("a", "r2")])
    store.append([ended("a", run="r2")])
    changes = feed(store)[-2:]
    assert changes[0].rev > before.rev
    assert changes[1].rev == changes[0].rev + 1
    assert [change.fresh for change in changes] == [True, False]
    assert rev_of(store, "a") == 2


def test_what_follows_on_each_other_in_a_call_is_told_together(store: Store) -> None:
    """One message for many blobs of a run; what others tell in between keeps its place."""
    store.append([started("a"), *(step_event("a", seq) for seq in (2, 3)), started("b"), step_event("a", 4)])
    told = [(change.operation, [event.seq for event in change.events], change.fresh) for change in feed(store)]
    assert told == [("a", [1, 2, 3], True), ("b", [1], True), ("a", [4], False)]
    (first, _, last) = feed(store)
    assert last.rev - first.rev == 1


def test_an_entry_of_the_feed_is_bounded_however_little_each_change_tells(store: Store) -> None:
    """With all that stands beside the events: ids, and the counts of a parent."""
    parent = "p" * 128
    children = [f"{number:04}" + "c" * 124 for number in range(64)]
    store.append([queued(parent, batch=True), *(started(child, parent=parent) for child in children)])
    sizes = [len(fields[b"m"]) for _, fields in store.client.redis.xrange(store.keys.feed)]
    assert len(sizes) > 5
    assert max(sizes) <= 4_100


def test_a_second_run_is_the_next_attempt_and_decides(store: Store) -> None:
    """The newest run decides the operation, and its steps are not mixed with the older run's."""
    step = StepState(1, "Read", StepStatus.ERROR)
    store.append([blob("a", head("r1"), steps=[step]), ended("a", Status.ERROR)])
    store.append([started("a", "r2")])
    parts = store.operation("a")
    assert parts is not None
    operation = compose(parts)
    assert (operation.attempt, operation.status, operation.steps) == (2, Status.RUNNING, [])


def test_a_late_event_of_an_older_run_changes_nothing_people_see(store: Store) -> None:
    """The older of two runs can no longer decide."""
    store.append([started("a", "r1"), started("a", "r2")])
    store.append([ended("a", Status.ERROR, run="r1")])
    assert status(store, "a") is Status.RUNNING


def test_a_late_queue_part_never_takes_a_running_operation_back(store: Store) -> None:
    """The worker may be faster than the sender."""
    store.append([started("a")])
    store.append([queued("a")])
    assert status(store, "a") is Status.RUNNING
    assert store.append([queued("a")]) == [Answer("duplicate", 0)]


def test_a_verdict_that_comes_too_late_is_ignored(store: Store) -> None:
    """A run that has ended cannot be judged lost any more."""
    store.append([started("a"), ended("a")])
    verdict = Verdict(Status.LOST, NOW, "worker", run="r1")
    assert store.append([VerdictItem("a", Status.RUNNING, verdict)]) == [Answer("ignored", 0)]
    assert status(store, "a") is Status.COMPLETE


def test_a_run_that_asks_to_be_run_again_is_queued_and_settles_no_batch(store: Store) -> None:
    """Celery's Retry is neither an error nor an end."""
    (child,) = batch_of(store, 1)
    store.append([started(child, parent="b"), ended(child, Status.QUEUED, parent="b")])
    assert status(store, child) is Status.QUEUED
    assert status(store, "b") is Status.QUEUED


def test_the_counts_of_a_batch_add_up_at_every_look(store: Store) -> None:
    """However its children move, total is the sum, and it is settled exactly when the last one has ended."""
    seed = random.randrange(10**6)
    rng = random.Random(seed)
    ids = batch_of(store, 20)
    moves = [[started(id, parent="b"), ended(id, rng.choice([Status.COMPLETE, Status.ERROR]))] for id in ids]
    while any(moves):
        rng.choice([left for left in moves if left]) and store.append([rng.choice([m for m in moves if m]).pop(0)])
        parts = store.operation("b")
        assert parts is not None
        counts = parts.children
        added = counts.queued + counts.running + counts.complete + counts.error + counts.cancelled + counts.lost
        assert counts.total == added == 20, f"seed {seed}"
        open_ones = counts.queued + counts.running
        assert (parts.verdict is None) == (open_ones > 0), f"seed {seed}"


def test_children_that_are_queued_in_one_call_are_counted_once_for_all(store: Store) -> None:
    """Whatever comes between them or behind them; who follows hears no count that is not true by then."""
    one, two, three, four = (queued(f"b.{index}", parent="b", index=index) for index in (1, 2, 3, 4))
    for items, total in (([queued("b", batch=True), one, two, one], 2), ([three, queued("x"), four], 4)):
        store.append(items)
        batch = store.operation("b")
        assert batch is not None
        assert (batch.children.total, batch.children.queued) == (total, total)
    told = [change.children.total for change in feed(store) if change.children is not None]
    assert told == [3, 4]


def test_a_batch_is_complete_only_if_all_its_children_are(store: Store) -> None:
    """One failure makes it an error that says how many."""
    ids = batch_of(store, 2)
    store.append([started(id, parent="b") for id in ids])
    store.append([ended(ids[0]), ended(ids[1], Status.ERROR)])
    parts = store.operation("b")
    assert parts is not None
    operation = compose(parts)
    assert operation.status is Status.ERROR
    assert operation.error is not None
    assert operation.error.message == "1 of 2 did not complete"


def test_every_key_of_a_namespace_lies_in_one_hash_slot(store: Store) -> None:
    """Whatever the script touches carries the namespace's hash tag."""
    ids = batch_of(store, 1)
    store.append([started(ids[0], parent="b"), ended(ids[0])])
    tag = "{" + store.keys.namespace + "}"
    keys = [key.decode() for key in store.client.redis.keys("*") if store.keys.namespace.encode() in key]
    assert len(keys) > 5
    assert all(key.startswith(f"tracker:{tag}:") for key in keys)


def test_pages_of_a_list_neither_miss_nor_repeat(store: Store) -> None:
    """Operations of the same instant are told apart by id, and new ones do not move a page."""
    ids = {f"op-{index:02}" for index in range(25)}
    store.append([queued(id) for id in sorted(ids)])
    seen: list[str] = []
    page = None
    while True:
        found = store.operations(page=page, limit=7)
        seen += [parts.id for parts in found.items]
        page = found.next
        store.append([queued(f"zz-{len(seen)}")])
        if page is None:
            break
    assert sorted(id for id in seen if id.startswith("op-")) == sorted(ids)
    assert len(seen) == len(set(seen))


def test_a_list_can_be_filtered_by_status_and_name(store: Store) -> None:
    """A rare status is found behind many others."""
    store.append([queued(f"q{index}") for index in range(120)])
    store.append([queued("x", name="other"), started("x"), ended("x", Status.ERROR)])
    assert [parts.id for parts in store.operations(status="error", limit=5).items] == ["x"]
    assert [parts.id for parts in store.operations(name="other", limit=5).items] == ["x"]
