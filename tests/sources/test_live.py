"""What happens is told the same, whichever way it is followed: every step change and outcome, once, in order."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sources import scripts
from tests.sources.conftest import Start
from tests.sources.following import Watcher
from tests.sources.telling import Turn, by_operation, turns
from tests.store.making import batch_of, ended, queued, started
from tests.support import wait_for
from tracker.cli.source import Source
from tracker.cli.source.direct import Direct
from tracker.cli.source.items import Events, Snapshot, Tick
from tracker.cli.source.remote import Remote
from tracker.model import Status
from tracker.settings import Settings
from tracker.store import Item, RunBlob, Store


def outcomes(turned: dict[str, list[Turn]]) -> dict[str, str]:
    """How each has ended; over HTTP, what happens to a child in between may be told in one."""
    return {id: found[-1][2] for id, found in turned.items()}


def test_every_step_and_the_outcome_are_told_in_order(source: Source, store: Store, id: str) -> None:
    """Of an operation that waits when the watching begins."""
    scripts.waits(store, id)
    with Watcher(source, id) as watcher:
        watcher.begins()
        scripts.one_by_one(store, scripts.steps(id, 3))
        watcher.sees_end(id)
    assert watcher.turns == {id: scripts.steps_seen(id, 3)}
    assert watcher.resets == []


def test_what_happens_all_at_once_is_told_step_by_step(source: Source, store: Store, id: str) -> None:
    """Also when it is over before anybody could have looked."""
    scripts.waits(store, id)
    with Watcher(source, id) as watcher:
        watcher.begins()
        store.append(list(scripts.steps(id, 3)))
        watcher.sees_end(id)
    assert watcher.turns == {id: scripts.steps_seen(id, 3)}


def test_every_child_of_a_batch_is_told_to_its_end(source: Source, store: Store, id: str) -> None:
    """Those that succeed and those that do not; the batch itself ends with the last."""
    ids = batch_of(store, 12, id)
    with Watcher(source, id) as watcher:
        watcher.begins()
        for number, one in enumerate(ids):
            scripts.one_by_one(store, scripts.child(one, id, Status.ERROR if number % 5 == 0 else Status.COMPLETE))
        watcher.sees_end(id, *ids)
    assert outcomes(watcher.turns) == {
        one: "error" if number % 5 == 0 else "complete" for number, one in enumerate(ids)
    } | {id: "error"}
    assert watcher.resets == []


def test_all_that_runs_is_told(source: Source, store: Store, id: str) -> None:
    """Without an id: every top-level operation, and none of their children."""
    with Watcher(source, None) as watcher:
        watcher.begins(1)
        parent = batch_of(store, 2, f"{id}-batch")[0].rpartition(".")[0]
        store.append([started(f"{id}-one"), ended(f"{id}-one")])
        watcher.sees_end(f"{id}-one")
        watcher.sees(parent, "queued")
    assert not any(f"{parent}." in one for one in watcher.turns)


def test_a_watcher_says_that_it_is_there_and_stops_when_told(source: Source, store: Store, id: str) -> None:
    """At least once a second, whatever happens; and within a second after it was told."""
    scripts.waits(store, id)
    stop = threading.Event()
    moments = list[float]()
    for item in source.follow(id, stop):
        if isinstance(item, Tick):
            assert not item.stale
            moments.append(time.monotonic())
        if len(moments) == 3:
            stop.set()
            told = time.monotonic()
    assert time.monotonic() - told < 5
    assert max(after - before for before, after in pairwise(moments)) < 5


def test_real_commands_tell_the_same(
    start: Start, store: Store, direct: dict[str, str], remote: dict[str, str], id: str
) -> None:
    """Both at once, of the same batch: every line that is more than progress."""
    ids = batch_of(store, 3, id)
    commands = [start(environment, "watch", id, "--json", "--exit-status") for environment in (direct, remote)]
    wait_for(lambda: all(len(command.objects) >= 4 for command in commands))
    for one in ids:
        scripts.one_by_one(store, scripts.child(one, id, Status.ERROR if one.endswith("2") else Status.COMPLETE))
    assert [command.code() for command in commands] == [1, 1]
    first, second = (outcomes(by_operation(turns(command.objects))) for command in commands)
    assert first == second == {one: "error" if one in (id, ids[1]) else "complete" for one in (id, *ids)}
    assert [command.err for command in commands] == ["", ""]


def test_watching_goes_on_behind_a_cursor(source: Source, store: Store, id: str) -> None:
    """What was told up to there is not told again, and all that came behind it is, also of what is over by now."""
    ids = batch_of(store, 2, id)
    scripts.one_by_one(store, scripts.child(ids[0], id))
    cursor = store.cursor()
    scripts.one_by_one(store, scripts.child(ids[1], id))
    with Watcher(source, id, after=cursor) as watcher:
        watcher.sees_end(ids[1], id)
    shown = [item for item in watcher.told if isinstance(item, Snapshot)]
    assert [snapshot.told for snapshot in shown] == [True, True]
    assert [operation.status for snapshot in shown for operation in snapshot.operations] == [
        Status.QUEUED,
        Status.COMPLETE,
        Status.QUEUED,
    ]
    told = [event.operation.id for item in watcher.told if isinstance(item, Events) for event in item.events]
    assert set(told) == {id, ids[1]}
    assert watcher.turns[ids[1]] == scripts.child_seen(ids[1])


def test_a_cursor_of_elsewhere_begins_anew_and_says_so(source: Source, store: Store, id: str) -> None:
    """What may be missing is not passed over in silence."""
    store.append([queued(id)])
    with Watcher(source, id, after="1-1") as watcher:
        watcher.begins()
    (reason,) = watcher.resets
    assert "no longer holds" in reason
    assert not any(item.told for item in watcher.told if isinstance(item, Snapshot))


def test_what_is_no_cursor_is_an_error(source: Source, store: Store, id: str) -> None:
    """In the same words."""
    store.append([queued(id)])
    with Watcher(source, id, after="yesterday") as watcher:
        wait_for(lambda: watcher.error)
    assert str(watcher.error) == "'yesterday' is no cursor; take one as it was given, or 0-0"


@pytest.mark.parametrize("is_begun", [False, True])
def test_the_command_goes_on_behind_a_cursor(
    start: Start, store: Store, way: dict[str, str], id: str, is_begun: bool
) -> None:
    """From the very beginning or from within, of what is over: only what came behind it, and then it ends."""
    scripts.waits(store, id)
    beginning, *rest = scripts.steps(id, 1)
    scripts.one_by_one(store, [beginning])
    after = store.cursor() if is_begun else "0-0"
    scripts.one_by_one(store, rest)
    command = start(way, "watch", id, "--json", "--after", after)
    assert command.code() == 0
    told = [one["type"] for one in command.objects]
    begun = [] if is_begun else ["operation.queued", "operation.start"]
    assert told == [*begun, "step.start", "step.start", "operation.complete"]


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_both_ways_tell_the_same_of_whatever_happens(
    store: Store, direct: dict[str, str], remote: dict[str, str], seed: int
) -> None:
    """A run with steps and some children, mixed by chance, one change at a time or several at once."""
    chance = random.Random(seed)
    id = f"id-{uuid.uuid4().hex}"
    scripts.waits(store, id)
    children = [f"{id}.{number}" for number in range(chance.randrange(4))]
    outcome = {child: chance.choice([Status.COMPLETE, Status.ERROR]) for child in children}
    runs = [
        list(scripts.steps(id, chance.randint(1, 4))),
        *(scripts.child(child, id, outcome[child]) for child in children),
    ]
    with (
        Watcher(Direct(Settings.from_env(direct)), id) as first,
        Watcher(Remote(remote["TRACKER_SERVER"]), id) as second,
    ):
        first.begins()
        second.begins()
        for changes in mixed(chance, runs):
            store.append(list[Item](changes))
        for watcher in (first, second):
            watcher.sees_end(id, *children)
    assert first.turns[id] == second.turns[id]
    assert outcomes(first.turns) == outcomes(second.turns) == {id: "complete", **outcome}
    assert first.resets == second.resets == []


def mixed(chance: random.Random, runs: list[list[RunBlob]]) -> Iterator[list[RunBlob]]:
    """The changes of some runs, each run's in order, in pieces of one change or more."""
    piece = list[RunBlob]()
    while runs := [run for run in runs if run]:
        piece.append(chance.choice(runs).pop(0))
        if chance.random() < 0.6:
            yield piece
            piece = []
    if piece:
        yield piece
