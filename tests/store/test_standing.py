"""How many operations are open is known without a look at any of them."""

from __future__ import annotations

from tests.store.making import batch_of, ended, go, head, queued, started
from tracker.model import Event, Status
from tracker.store import RunBlob, Standing, Store


def test_those_that_wait_and_those_that_run_are_counted(store: Store) -> None:
    """Only top-level ones: children are counted by their parents."""
    assert store.standing() == Standing(0, 0)
    store.append([queued("a"), queued("b"), started("b"), queued("child", parent="b")])
    batch_of(store, 3, "batch")
    assert store.standing() == Standing(queued=2, running=1)
    store.append([started("child", parent="b"), ended("b"), started("a", "r2")])
    assert store.standing() == Standing(queued=1, running=1)


def test_a_batch_is_counted_once_to_its_end(store: Store) -> None:
    """Its verdict comes from its children, and takes it out."""
    ids = batch_of(store, 2, "batch")
    store.append([started("batch", "dispatch")])
    assert store.standing() == Standing(0, 1)
    for id in ids:
        store.append([started(id, parent="batch"), ended(id, parent="batch")])
    store.append([ended("batch", run="dispatch")])
    assert store.standing() == Standing(0, 0)


def test_what_begins_again_or_leaves_is_counted_as_it_is(store: Store) -> None:
    """A second attempt runs; an operation that has left is nowhere."""
    store.append([started("a"), ended("a", Status.ERROR)])
    assert store.standing() == Standing(0, 0)
    again = head("r2")
    store.append([RunBlob("a", "r2", [Event("operation.start", "a", 1.0, "r2", 1, head=again)], "", 1.0, again)])
    assert store.standing() == Standing(0, 1)
    store.append([ended("a", run="r2")])
    go(store, "a")
    assert store.standing() == Standing(0, 0)
