"""The flag of a run whose step tells nothing for unusually long: when it is set, and what takes it back."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.store.making import by, ended, lease, queued, started, step_event
from tests.store.revs import feed
from tracker.compose import compose
from tracker.model import Operation, Status, Verdict
from tracker.store import Answer, Quiet, RunBlob, Silence, Store, View


def seen(store: Store, id: str = "a") -> Operation:
    parts = store.operation(id)
    assert parts is not None
    return compose(parts)


def shown(store: Store, id: str = "a") -> list[list[str]]:
    """The flags after each change, as somebody sees them who has followed from the start."""
    view = View(store.operation)
    news = [event.operation for change in feed(store) for event in view.apply(change)]
    return [operation.flags for operation in news if operation.id == id]


def test_a_quiet_run_is_flagged_until_its_next_word(store: Store) -> None:
    """Readers and watchers see the same, and lists do."""
    store.append([by("p", started("a"))])
    assert store.append([Quiet("a", "r1", 1), Quiet("a", "r1", 1)]) == [Answer("stored", 0), Answer("duplicate", 0)]
    assert (seen(store).status, seen(store).flags) == (Status.RUNNING, ["quiet"])
    assert [compose(parts).flags for parts in store.operations().items] == [["quiet"]]
    store.append([step_event("a", 2)])
    assert seen(store).flags == []
    assert shown(store) == [[], ["quiet"], [], []]


@pytest.mark.parametrize(
    "blob",
    [ended("a"), ended("a", Status.QUEUED), replace(started("a", "r2"), process="q")],
    ids=["ends", "will be run again", "a newer run"],
)
def test_the_end_of_a_run_and_a_newer_one_take_the_flag_away(store: Store, blob: RunBlob) -> None:
    """It says nothing of what comes after."""
    store.append([by("p", started("a")), Quiet("a", "r1", 1), blob])
    assert "quiet" not in seen(store).flags
    assert "quiet" not in shown(store)[-1]
    store.append([started("a", "r3")])
    assert "quiet" not in seen(store).flags
    assert "quiet" not in shown(store)[-1]


@pytest.mark.parametrize(
    "item",
    [Quiet("a", "r1", 1), Quiet("a", "r0", 1), Quiet("b", "r2", 1), Quiet("c", "r3", 1), Quiet("never", "r1", 1)],
    ids=["has told more", "older run", "ended", "another run", "unknown"],
)
def test_nothing_is_flagged_that_is_not_as_it_was_looked_at(store: Store, item: Quiet) -> None:
    """The word of the run may have been under way."""
    store.append([started("a", "r0"), started("a"), step_event("a", 2), started("b", "r2"), ended("b", run="r2")])
    store.append([queued("c")])
    before = store.client.redis.xlen(store.keys.feed)
    assert store.append([item]) == [Answer("ignored", 0)]
    assert store.client.redis.xlen(store.keys.feed) == before


def test_a_sign_of_life_alone_does_not_take_it_away(store: Store) -> None:
    """It is about a process that lives."""
    store.append([by("p", started("a")), lease("p", "r1"), Quiet("a", "r1", 1), lease("p", "r1")])
    assert seen(store).flags == ["quiet"]


def test_a_silent_process_is_not_called_quiet_too(store: Store) -> None:
    """What is worse is said."""
    store.append([by("p", started("a")), lease("p", "r1"), Quiet("a", "r1", 1)])
    verdict = Verdict(Status.RUNNING, 1.0, "recorder", run="r1", flags=["unresponsive"])
    store.append([Silence("p", 1, "a", verdict)])
    assert seen(store).flags == ["unresponsive"]
    store.append([lease("p", "r1")])
    assert seen(store).flags == ["quiet"]
