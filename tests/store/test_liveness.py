"""The recorder's judgement of silent runs, by a clock that the test moves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.making import batch_of, by, ended, lease, started
from tests.store.revs import rev_of
from tests.support import Clock, frozen
from tracker.compose import compose
from tracker.embedded import Server, ensure_server
from tracker.history.liveness import AT_ONCE, LOST_AFTER, UNRESPONSIVE_AFTER
from tracker.history.recorder import EVERY, Recorder
from tracker.model import Operation, Status
from tracker.store import Sent, Store, Take

FLAGGED = (Status.RUNNING, ["unresponsive"])
WELL = (Status.RUNNING, list[str]())


def operation(store: Store, id: str) -> Operation:
    parts = store.operation(id)
    assert parts is not None
    return compose(parts)


def seen(store: Store, id: str = "a") -> tuple[Status, list[str]]:
    found = operation(store, id)
    return found.status, found.flags


def open_run(store: Store, id: str = "a", run: str = "r1", process: str = "p") -> None:
    store.append([by(process, started(id, run)), lease(process, run)])


def test_silence_is_shown_after_half_a_minute_and_lost_after_five(store: Store, clock: Clock) -> None:
    """Not before, and the reason says since when."""
    open_run(store)
    recorder = Recorder(store)
    recorder.turn()
    clock.pass_by(UNRESPONSIVE_AFTER - EVERY, recorder.turn)
    assert seen(store) == WELL
    clock.pass_by(EVERY, recorder.turn)
    assert seen(store) == FLAGGED
    rev = operation(store, "a").rev
    clock.pass_by(LOST_AFTER - UNRESPONSIVE_AFTER - EVERY, recorder.turn)
    assert (seen(store), operation(store, "a").rev) == (FLAGGED, rev)
    clock.pass_by(EVERY, recorder.turn)
    error = operation(store, "a").error
    assert operation(store, "a").status is Status.LOST
    assert error is not None
    assert error.message.startswith("no sign of life since ")
    assert error.message.endswith(" UTC")
    assert list(store.live_runs()) == []


def test_a_process_that_renews_is_never_judged(store: Store, clock: Clock) -> None:
    """However long its run takes."""
    open_run(store)
    recorder = Recorder(store)

    def turn() -> None:
        store.append([lease("p", "r1")])
        recorder.turn()

    turn()
    clock.pass_by(2 * LOST_AFTER, turn)
    assert seen(store) == WELL
    assert rev_of(store, "a") == 1


def test_a_process_that_goes_on_without_a_run_has_lost_it(store: Store, clock: Clock) -> None:
    """It renews its lease, and lists others."""
    open_run(store)
    recorder = Recorder(store)

    def turn() -> None:
        store.append([lease("p", "another")])
        recorder.turn()

    turn()
    clock.pass_by(UNRESPONSIVE_AFTER, turn)
    assert seen(store) == FLAGGED
    clock.pass_by(LOST_AFTER - UNRESPONSIVE_AFTER, turn)
    found = operation(store, "a")
    assert found.status is Status.LOST
    assert found.error is not None
    assert found.error.message == "its process goes on without it"


def test_a_run_without_a_lease_is_judged(store: Store, clock: Clock) -> None:
    """Its process gave it back, or Redis has lost it."""
    store.append([by("p", started("a"))])
    recorder = Recorder(store)
    recorder.turn()
    clock.pass_by(UNRESPONSIVE_AFTER, recorder.turn)
    assert seen(store) == FLAGGED
    clock.pass_by(LOST_AFTER - UNRESPONSIVE_AFTER, recorder.turn)
    assert seen(store) == (Status.LOST, [])


def test_life_starts_the_time_anew(store: Store, clock: Clock) -> None:
    """A run that was silent and lives has the whole time again."""
    open_run(store)
    recorder = Recorder(store)
    recorder.turn()
    clock.pass_by(LOST_AFTER - EVERY, recorder.turn)
    assert seen(store) == FLAGGED
    store.append([lease("p", "r1")])
    assert seen(store) == WELL
    recorder.turn()
    clock.pass_by(UNRESPONSIVE_AFTER - EVERY, recorder.turn)
    assert seen(store) == WELL
    clock.pass_by(EVERY, recorder.turn)
    assert seen(store) == FLAGGED


def test_a_new_recorder_counts_from_zero(store: Store, clock: Clock) -> None:
    """It has observed nothing yet; what was judged before stays, and is not told again."""
    open_run(store)
    first = Recorder(store)
    first.turn()
    clock.pass_by(UNRESPONSIVE_AFTER, first.turn)
    rev = operation(store, "a").rev
    first._let_go()
    second = Recorder(store)
    second.turn()
    clock.pass_by(LOST_AFTER - EVERY, second.turn)
    assert (seen(store), operation(store, "a").rev) == (FLAGGED, rev)
    clock.pass_by(EVERY, second.turn)
    assert seen(store) == (Status.LOST, [])


def test_a_recorder_on_standby_judges_nothing_and_counts_from_zero(store: Store, clock: Clock) -> None:
    """Only the active one has a say."""
    open_run(store)
    active, standby = Recorder(store), Recorder(store)
    active.turn()
    standby.turn()
    clock.pass_by(LOST_AFTER, standby.turn)
    assert seen(store) == WELL
    active._let_go()
    standby.turn()
    clock.pass_by(UNRESPONSIVE_AFTER - EVERY, standby.turn)
    assert seen(store) == WELL


def test_a_recorder_that_was_stopped_itself_counts_from_zero(store: Store, clock: Clock) -> None:
    """What happened meanwhile, it has not observed."""
    open_run(store)
    recorder = Recorder(store)
    recorder.turn()
    clock.time += 2 * LOST_AFTER
    recorder.turn()
    assert seen(store) == WELL
    clock.pass_by(UNRESPONSIVE_AFTER - EVERY, recorder.turn)
    assert seen(store) == WELL
    clock.pass_by(EVERY, recorder.turn)
    assert seen(store) == FLAGGED


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server that the test may stop."""
    server = ensure_server(tmp_path / "redis")
    yield server
    server.stop()


def test_nothing_is_judged_while_redis_hangs_nor_until_half_a_minute_after(server: Server, clock: Clock) -> None:
    """Silence that nobody could break proves nothing."""
    store = Store(server.url)
    open_run(store)
    recorder = Recorder(store)
    recorder.turn()
    clock.pass_by(UNRESPONSIVE_AFTER - EVERY, recorder.turn)
    with frozen(server.pid):
        recorder.turn()
        clock.pass_by(EVERY, recorder.turn)
    recorder.turn()
    assert recorder.active
    assert seen(store) == WELL
    clock.pass_by(UNRESPONSIVE_AFTER - EVERY, recorder.turn)
    assert seen(store) == WELL
    clock.pass_by(EVERY, recorder.turn)
    assert seen(store) == FLAGGED
    store.client.disconnect()


def test_the_older_of_two_runs_is_lost_without_its_operation(store: Store, clock: Clock) -> None:
    """The newest goes on, and is a duplicate no more."""
    open_run(store, "a", "r1", "p")
    open_run(store, "a", "r2", "q")
    recorder = Recorder(store)

    def turn() -> None:
        store.append([lease("q", "r2")])
        recorder.turn()

    turn()
    clock.pass_by(LOST_AFTER - EVERY, turn)
    assert seen(store) == (Status.RUNNING, ["duplicate"])
    clock.pass_by(EVERY, turn)
    assert seen(store) == WELL


def test_many_runs_of_a_machine_that_is_gone_are_lost_in_one_turn(store: Store, clock: Clock) -> None:
    """And settle their batch."""
    ids = batch_of(store, 2 * AT_ONCE + 1)
    store.append([by("p", started(id, f"run-{id}", parent="b")) for id in ids])
    recorder = Recorder(store)
    recorder.turn()
    clock.pass_by(LOST_AFTER, recorder.turn)
    batch = operation(store, "b")
    assert (batch.status, batch.children.lost) == (Status.ERROR, len(ids))


def test_a_lost_dispatch_takes_nothing_from_the_one_that_goes_on(store: Store, clock: Clock) -> None:
    """The children are the newer one's to send."""
    (child,) = batch_of(store, 1)
    store.append([by("p", started("b", "rb")), by("q", started("b", "rc"))])
    recorder = Recorder(store)

    def turn() -> None:
        store.append([lease("q", "rc")])
        recorder.turn()

    turn()
    clock.pass_by(LOST_AFTER, turn)
    assert [run.run for run in store.live_runs()] == ["rc"]
    assert seen(store, child)[0] is Status.QUEUED


def test_a_run_that_ends_is_forgotten(store: Store, clock: Clock) -> None:
    """Its process may be gone afterwards."""
    open_run(store)
    recorder = Recorder(store)
    recorder.turn()
    store.append([by("p", ended("a")), lease("p")])
    clock.pass_by(LOST_AFTER, recorder.turn)
    assert seen(store) == (Status.COMPLETE, [])
    assert recorder._liveness._marks == {}


def test_a_lost_dispatch_is_owed_and_its_batch_goes_on(store: Store, clock: Clock) -> None:
    """Whoever sends what is owed goes on where it stopped, and nothing of the batch is lost."""
    ids = batch_of(store, 3)
    store.append([Take("b", "m1", "b", "w"), by("p", started("b", "rb")), lease("p", "rb"), Sent("b", 1)])
    recorder = Recorder(store)
    recorder.turn()
    clock.pass_by(LOST_AFTER, recorder.turn)
    assert [seen(store, id)[0] for id in ["b", *ids]] == [Status.RUNNING, *[Status.QUEUED] * 3]
    assert list(store.live_runs()) == []
    assert [(id, part.batch) for id, part in store.messages.owed("w").items()] == [("b", True)]
    second, first = store.append([Take("b", "m2", "b", "w"), Take("b", "m1", "b", "w")])
    assert (second.kind, first.kind, store.messages.sent("b")) == ("stored", "ignored", 1)


def test_a_lost_dispatch_that_lives_after_all_is_well(store: Store, clock: Clock) -> None:
    """Its process was stopped for a while, and another one may have gone on for it."""
    batch_of(store, 1)
    store.append([by("p", started("b", "rb")), lease("p", "rb")])
    recorder = Recorder(store)
    recorder.turn()
    clock.pass_by(LOST_AFTER, recorder.turn)
    store.append([by("q", started("b", "rc")), lease("q", "rc"), lease("p", "rb")])
    assert seen(store, "b") == (Status.RUNNING, ["duplicate"])
