"""Requests to end an operation: what ends at once, what is asked, who is told, and what is not meant."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.store.making import batch_of, blob, by, ended, head, lease, queued, started, step_event, whole
from tests.store.revs import feed
from tracker.compose import compose
from tracker.model import EventType, Operation, Status
from tracker.store import CANCELLED_AT_ONCE, Answer, Cancel, RunBlob, Seal, Store, View

CANCELLED, COMPLETE, ERROR, QUEUED, RUNNING = (
    Status.CANCELLED, Status.COMPLETE, Status.ERROR, Status.QUEUED, Status.RUNNING,
)  # fmt: skip


def seen(store: Store, id: str) -> Operation:
    """The operation as people see it; what is indexed says the same."""
    parts = store.operation(id)
    assert parts is not None
    found = compose(parts)
    assert store.status(id) is found.status
    return found


def asked(store: Store, id: str) -> str | None:
    """Who wants the operation to end."""
    cancel = seen(store, id).cancel
    return cancel.by if cancel is not None else None


def told(store: Store, blob: RunBlob) -> dict[str, str]:
    """What the process that sends ``blob`` learns of requests."""
    (answer,) = store.append([blob])
    return dict(answer.cancelled)


def shown(store: Store, id: str) -> list[Operation]:
    """The operation after each change, as somebody sees it who has followed from the start."""
    view = View(store.operation)
    news = [view.apply(change) for change in feed(store)]
    return [event.operation for events in news for event in events if event.operation.id == id]


# ---- one operation -------------------------------------------------------------------------------


def test_a_queued_operation_is_cancelled_at_once(store: Store) -> None:
    """By whom and when is kept, and watchers see what readers do."""
    store.append([queued("a")])
    assert store.cancel("a", "ada")
    found = seen(store, "a")
    assert (found.status, asked(store, "a")) == (CANCELLED, "ada")
    assert found.cancel is not None
    assert found.ended == found.cancel.at
    last = shown(store, "a")[-1]
    assert (last.status, last.cancel, last.rev) == (CANCELLED, found.cancel, found.rev)


def test_a_running_operation_is_asked_and_its_run_is_told(store: Store) -> None:
    """It goes on until it heeds the request; every answer to its run says so."""
    store.append([by("p", started("a"))])
    assert store.cancel("a", "ada")
    assert (seen(store, "a").status, asked(store, "a")) == (RUNNING, "ada")
    assert [(operation.status, operation.cancel is not None) for operation in shown(store, "a")] == [
        (RUNNING, False),
        (RUNNING, True),
    ]
    assert told(store, step_event("a", 2)) == {"r1": "ada"}
    assert told(store, step_event("a", 2)) == {"r1": "ada"}
    assert told(store, step_event("a", 9)) == {"r1": "ada"}
    assert told(store, whole("a", 9)) == {"r1": "ada"}
    assert told(store, ended("a", CANCELLED, seq=10)) == {"r1": "ada"}
    assert (seen(store, "a").status, asked(store, "a")) == (CANCELLED, "ada")


def test_a_silent_run_learns_it_with_its_lease(store: Store) -> None:
    """And of all runs of the process only those that are meant."""
    store.append([by("p", started("a")), by("p", started("b", "r2")), lease("p", "r1", "r2")])
    store.cancel("a", 'a "quoted" name')
    (answer,) = store.append([lease("p", "r1", "r2")])
    assert (answer.runs, answer.cancelled) == ((), {"r1": 'a "quoted" name'})
    store.append([by("p", ended("a", CANCELLED))])
    assert store.append([lease("p", "r2")])[0].cancelled == {}


def test_asking_again_changes_nothing(store: Store) -> None:
    """Whoever asked first stays the one who did."""
    store.append([queued("a"), started("b")])
    assert [store.cancel("a", "ada"), store.cancel("b", "ada")] == [True, True]
    revs = seen(store, "a").rev, seen(store, "b").rev
    assert store.append([Cancel("a", "bob"), Cancel("b", "bob")]) == [Answer("ignored", 0), Answer("duplicate", 0)]
    assert (asked(store, "b"), (seen(store, "a").rev, seen(store, "b").rev)) == ("ada", revs)


@pytest.mark.parametrize("status", [COMPLETE, ERROR, CANCELLED])
def test_what_has_ended_or_was_never_there_is_left_alone(store: Store, status: Status) -> None:
    """And whoever asked hears that there was nothing to ask."""
    store.append([started("a"), ended("a", status)])
    before = store.client.redis.xlen(store.keys.feed)
    assert [store.cancel("a", "ada"), store.cancel("never", "ada")] == [False, False]
    assert store.client.redis.xlen(store.keys.feed) == before
    assert (seen(store, "a").status, store.operation("never")) == (status, None)


def test_a_run_that_ends_well_all_the_same_is_complete(store: Store) -> None:
    """Its outcome is its own."""
    store.append([started("a")])
    store.cancel("a", "ada")
    store.append([ended("a")])
    assert seen(store, "a").status is COMPLETE


def test_both_live_runs_of_an_operation_are_asked(store: Store) -> None:
    """Also the older one, which decides nothing any more."""
    store.append([by("p", started("a", "r1")), by("q", started("a", "r2"))])
    store.cancel("a", "ada")
    older, newer = store.append([lease("p", "r1"), lease("q", "r2")])
    assert (older.cancelled, newer.cancelled) == ({"r1": "ada"}, {"r2": "ada"})


def test_a_later_attempt_is_not_meant(store: Store) -> None:
    """Whoever resumes what was cancelled wants it to run."""
    store.append([started("a"), queued("b")])
    store.cancel("a", "ada")
    store.cancel("b", "ada")
    store.append([ended("a", CANCELLED)])
    assert told(store, started("a", "r2")) == {}
    assert told(store, replace(started("b", "r3"), resumes=True)) == {}
    assert [(seen(store, id).status, asked(store, id)) for id in ("a", "b")] == [(RUNNING, None)] * 2


def test_a_run_that_begins_although_it_was_cancelled_while_it_waited_is_asked(store: Store) -> None:
    """Its worker could not look, or looked a moment too early."""
    store.append([queued("a")])
    store.cancel("a", "ada")
    assert told(store, started("a")) == {"r1": "ada"}
    assert (seen(store, "a").status, asked(store, "a")) == (RUNNING, "ada")
    assert shown(store, "a")[-1].cancel == seen(store, "a").cancel


def test_a_run_that_was_asked_is_not_run_again_later(store: Store) -> None:
    """It asked for another run before it heard; what waits is cancelled."""
    again = blob("a", head("r1", QUEUED, next_at=1.0), seq=2, type="operation.update")
    store.append([started("a")])
    store.cancel("a", "ada")
    assert told(store, again) == {"r1": "ada"}
    assert seen(store, "a").status is CANCELLED
    assert told(store, started("a", "r2")) == {"r2": "ada"}


def test_what_waits_to_be_run_again_is_cancelled_at_once(store: Store) -> None:
    """As what waits for its first run."""
    store.append([started("a"), blob("a", head("r1", QUEUED, next_at=1.0), seq=2, type="operation.update")])
    assert seen(store, "a").status is QUEUED
    store.cancel("a", "ada")
    assert (seen(store, "a").status, asked(store, "a")) == (CANCELLED, "ada")
    assert store.append([Cancel("a", "bob")]) == [Answer("ignored", 0)]


# ---- what is below it ----------------------------------------------------------------------------


def test_a_batch_s_children_end_with_it(store: Store) -> None:
    """Those that wait at once, those that run when they heed it; then the batch is cancelled, and not failed."""
    ids = batch_of(store, 2 * CANCELLED_AT_ONCE + 5)
    store.append([started("b", "rb"), started(ids[0], "r0", parent="b"), started(ids[1], "r1", parent="b")])
    store.append([ended(ids[1], run="r1", parent="b")])
    assert store.cancel("b", "ada")
    batch = seen(store, "b")
    assert (batch.status, batch.children.running, batch.children.complete) == (RUNNING, 1, 1)
    assert batch.children.cancelled == len(ids) - 2
    assert told(store, ended(ids[0], CANCELLED, "r0", parent="b")) == {"r0": "ada"}
    batch = seen(store, "b")
    assert (batch.status, asked(store, "b")) == (CANCELLED, "ada")
    assert batch.error is not None
    assert batch.error.message == f"{len(ids) - 1} of {len(ids)} did not complete"
    (settled,) = [operation for operation in shown(store, "b") if operation.status is CANCELLED]
    assert settled.children == batch.children


@pytest.mark.parametrize(
    ("before", "after", "status"),
    [
        (COMPLETE, CANCELLED, CANCELLED),
        (ERROR, CANCELLED, CANCELLED),
        (ERROR, COMPLETE, CANCELLED),
        (COMPLETE, ERROR, ERROR),
    ],
)
def test_a_cancelled_batch_is_an_error_only_if_something_failed_since(
    store: Store, before: Status, after: Status, status: Status
) -> None:
    """What failed before is counted, and not what the batch ended of."""
    first, second, _ = batch_of(store, 3)
    store.append([started("b", "rb"), started(first, parent="b"), ended(first, before, parent="b")])
    store.append([started(second, parent="b")])
    store.cancel("b", "ada")
    store.append([ended(second, after, parent="b")])
    assert seen(store, "b").status is status


def test_a_batch_that_completes_all_the_same_is_complete(store: Store) -> None:
    """Nothing waited, and what ran did not heed the request."""
    (child,) = batch_of(store, 1)
    store.append([started("b", "rb"), started(child, parent="b")])
    store.cancel("b", "ada")
    store.append([ended(child, parent="b")])
    assert seen(store, "b").status is COMPLETE


def test_a_batch_that_waits_is_cancelled_with_all_that_waits_below_it(store: Store) -> None:
    """And each of its children that is still stored after it."""
    ids = batch_of(store, 3)
    store.cancel("b", "ada")
    assert [seen(store, id).status for id in ["b", *ids]] == [CANCELLED] * 4
    store.append([queued("b.4", parent="b", index=4), Seal("b", 4)])
    assert (seen(store, "b.4").status, asked(store, "b.4")) == (CANCELLED, "ada")
    assert seen(store, "b").children.cancelled == 4


def test_a_call_that_stopped_half_way_is_taken_up_by_the_next(store: Store) -> None:
    """Also where the batch itself had ended with it already."""
    ids = batch_of(store, 3)
    assert store.append([Cancel("b", "ada")]) == [Answer("stored", 3)]
    assert (seen(store, "b").status, seen(store, ids[0]).status) == (CANCELLED, QUEUED)
    assert store.cancel("b", "bob")
    assert [seen(store, id).status for id in ids] == [CANCELLED] * 3
    assert not store.cancel("b", "bob")


def test_what_comes_to_be_below_a_cancelled_operation_is_cancelled_as_it_comes(store: Store) -> None:
    """Whether it is queued or begun, at any depth; and what is queued again."""
    store.append([started("a")])
    store.append([started("c", "rc", parent="a")])
    store.append([Cancel("a", "ada")])
    assert told(store, started("d", "rd", parent="a")) == {"rd": "ada"}
    assert told(store, started("e", "re", parent="d")) == {"re": "ada"}
    store.append([queued("f", parent="e")])
    again = blob("c", head("rc", QUEUED, next_at=1.0), seq=2, type="operation.update", parent="a")
    assert told(store, again) == {"rc": "ada"}
    assert [(seen(store, id).status, asked(store, id)) for id in "adefc"] == [
        (RUNNING, "ada"),
        (RUNNING, "ada"),
        (RUNNING, "ada"),
        (CANCELLED, "ada"),
        (CANCELLED, "ada"),
    ]


def test_everything_open_below_is_reached_at_any_depth(store: Store) -> None:
    """Once, also if somebody made an operation its own descendant."""
    store.append([started("a", parent="c"), started("b", "rb", parent="a"), started("c", "rc", parent="b")])
    store.cancel("a", "ada")
    assert [asked(store, id) for id in "abc"] == ["ada"] * 3
    assert sum(event.cancel is not None for change in feed(store) for event in change.events) == 3


def test_a_new_run_of_a_batch_is_free_to_send_its_children(store: Store) -> None:
    """What is queued below a later attempt was not meant."""
    batch_of(store, 1)
    store.append([started("b", "rb")])
    store.cancel("b", "ada")
    store.append([ended("b", CANCELLED, "rb"), replace(started("b", "rc"), resumes=True)])
    store.append([queued("b.2", parent="b", index=2)])
    assert (seen(store, "b.2").status, asked(store, "b")) == (QUEUED, None)


def test_the_request_is_told_as_one_event(store: Store) -> None:
    """A verdict about what waited, an update of what runs."""
    store.append([queued("a"), started("b")])
    store.cancel("a", "ada")
    store.cancel("b", "ada")
    types = [(change.operation, str(event.type)) for change in feed(store) for event in change.events if event.cancel]
    assert types == [("a", EventType.OPERATION_VERDICT), ("b", EventType.OPERATION_UPDATE)]
