"""Where everything is: how many running operations of each name stand at which step."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.store.making import NOW, batch_of, blob, by, ended, head, queued, started
from tracker.history import Everywhere, History, Place, Whereabouts, whereabouts
from tracker.model import Status, StepState, StepStatus
from tracker.store import RunBlob, Store


def at_step(id: str, index: int, *, parent: str = "", begun: float = NOW, name: str = "job") -> RunBlob:
    """A run that has come to a step."""
    run = replace(head(f"r-{id}"), started=begun, name=name)
    return by("p", blob(id, run, steps=[StepState(index, f"Step {index}", StepStatus.RUNNING)], parent=parent))


def test_everything_that_runs_stands_at_a_step(store: Store, history: History) -> None:
    """By name, in the order of the steps; before the first step is a place, too."""
    steps = [at_step("a", 2, begun=NOW - 5), at_step("b", 1), at_step("c", 2, begun=NOW - 9)]
    store.append([*steps, at_step("e", 1, name="another"), by("p", started("d", "rd")), queued("waits")])
    store.append([by("p", started("done")), by("p", ended("done", Status.ERROR))])
    assert history.survey().everywhere() == Everywhere(
        [
            Whereabouts("another", 1, "", [Place(1, "Step 1", 1, NOW)]),
            Whereabouts(
                "job", 4, "", [Place(0, "", 1, NOW), Place(1, "Step 1", 1, NOW), Place(2, "Step 2", 2, NOW - 9)]
            ),
        ],
        more=False,
    )


def test_children_of_a_batch_stand_at_their_steps_and_the_batch_at_none(store: Store, history: History) -> None:
    """And it is told which operation all of a name are below."""
    first, second, _ = batch_of(store, 3)
    store.append([by("p", blob("b", head("rb"))), at_step(first, 3, parent="b"), at_step(second, 3, parent="b")])
    (found,) = history.survey().everywhere().items
    assert (found.running, found.below, [place.count for place in found.places]) == (2, "b", [2])
    store.append([at_step("alone", 1)])
    (found,) = history.survey().everywhere().items
    assert (found.running, found.below) == (3, "")
    (found,) = history.survey().everywhere("b").items
    assert (found.running, found.below) == (2, "b")


def test_it_is_told_when_more_runs_than_was_looked_at(
    store: Store, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much that is, a bounded part of it is read."""
    monkeypatch.setattr(whereabouts, "LOOKED_AT", 2)
    store.append([at_step("a", 1), at_step("b", 1)])
    assert not history.survey().more
    store.append([at_step("c", 1)])
    found = history.survey().everywhere()
    assert (found.more, [each.running for each in found.items]) == (True, [2])
