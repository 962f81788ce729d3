"""The recorder flags runs whose step is quieter than its own history, by a clock that the test moves."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.archive import making
from tests.store.making import NOW, blob, by, ended, head, started
from tests.support import Clock, wait_for
from tracker.archive import Archive
from tracker.compose import compose
from tracker.history import quiet
from tracker.history.liveness import LOST_AFTER
from tracker.history.quiet import KNOWN_ENOUGH, QUIET_AFTER
from tracker.history.recorder import EVERY, SILENCE, Recorder
from tracker.model import Parts, Status, StepState, StepStatus
from tracker.store import About, Lease, RunBlob, Store

ABOUT = About("node-1", 4711, NOW)
USUAL = 60.0
"""Seconds that the step takes by its history."""


def flags(store: Store, id: str = "a") -> list[str]:
    parts = store.operation(id)
    assert parts is not None
    assert compose(parts).status is Status.RUNNING
    return compose(parts).flags


def has_history(archive: Archive, count: int = KNOWN_ENOUGH, seconds: float = USUAL, name: str = "job") -> None:
    """So many successes, whose first step took that long."""
    runs = [
        making.record(f"{name}-{number}", making.run(f"run-{name}-{number}", name=name), steps=making.steps(1, seconds))
        for number in range(count)
    ]
    archive.write(runs)


def at_step(id: str = "a", run: str = "r1", seq: int = 1, status: StepStatus = StepStatus.RUNNING) -> RunBlob:
    """The run is at its first step, ``Step 1``."""
    return by("p", blob(id, head(run), seq=seq, steps=[StepState(1, "Step 1", status, NOW)]))


class Process:
    """One that lives: it renews its lease before every turn of the recorder."""

    def __init__(self, store: Store, recorder: Recorder, clock: Clock, **told: int) -> None:
        self.told = told or {"r1": 1}
        self._store, self._recorder, self._clock = store, recorder, clock
        self.turn()

    def turn(self) -> None:
        self._store.append([Lease("p", self.told, ABOUT)])
        self._recorder.turn()

    def goes_on(self, seconds: float) -> None:
        self._clock.pass_by(seconds, self.turn)


def test_a_step_is_quiet_when_it_tells_nothing_for_longer_than_it_ever_took(
    store: Store, archive: Archive, recorder: Recorder, clock: Clock
) -> None:
    """Not before; its next word withdraws that, and it has the whole time again."""
    has_history(archive)
    store.append([at_step()])
    process = Process(store, recorder, clock)
    process.goes_on(USUAL - EVERY)
    assert flags(store) == []
    process.goes_on(EVERY)
    assert flags(store) == ["quiet"]
    store.append([at_step(seq=2)])
    assert flags(store) == []
    process.told = {"r1": 2}
    process.goes_on(USUAL)
    assert flags(store) == []
    process.goes_on(EVERY)
    assert flags(store) == ["quiet"]


def test_a_run_that_goes_on_telling_is_never_quiet(
    store: Store, archive: Archive, recorder: Recorder, clock: Clock
) -> None:
    """However long its step takes."""
    has_history(archive)
    store.append([at_step()])
    process = Process(store, recorder, clock)
    for seq in range(2, 10):
        process.goes_on(USUAL - EVERY)
        store.append([at_step(seq=seq)])
        process.told = {"r1": seq}
        process.turn()
        assert flags(store) == []


def test_quick_steps_have_half_a_minute_all_the_same(
    store: Store, archive: Archive, recorder: Recorder, clock: Clock
) -> None:
    """A pause of that length says nothing."""
    has_history(archive, seconds=0.1)
    store.append([at_step()])
    process = Process(store, recorder, clock)
    process.goes_on(QUIET_AFTER - EVERY)
    assert flags(store) == []
    process.goes_on(EVERY)
    assert flags(store) == ["quiet"]


@pytest.mark.parametrize("why", ["few successes", "another name", "no step", "between steps"])
def test_what_has_no_history_is_never_quiet(
    store: Store, archive: Archive, recorder: Recorder, clock: Clock, why: str
) -> None:
    """Nobody can say what is usual."""
    name = "other" if why == "another name" else "job"
    has_history(archive, KNOWN_ENOUGH - 1 if why == "few successes" else 20, name=name)
    status = StepStatus.COMPLETE if why == "between steps" else StepStatus.RUNNING
    store.append([by("p", started("a")) if why == "no step" else at_step(status=status)])
    process = Process(store, recorder, clock)
    process.goes_on(LOST_AFTER)
    assert flags(store) == []


def test_one_success_that_took_for_ever_does_not_count_among_many(
    store: Store, archive: Archive, recorder: Recorder, clock: Clock
) -> None:
    """Of a hundred, all but the longest."""
    has_history(archive, 99)
    archive.write([making.record("slow", making.run("run-slow"), steps=making.steps(1, 10_000.0))])
    store.append([at_step()])
    Process(store, recorder, clock).goes_on(USUAL)
    assert flags(store) == ["quiet"]


def test_without_an_archive_nothing_is_quiet(store: Store, clock: Clock) -> None:
    """There is no history then."""
    store.append([at_step()])
    Process(store, Recorder(store), clock).goes_on(LOST_AFTER)
    assert flags(store) == []


def test_a_process_that_was_cut_off_has_the_whole_time_again(
    store: Store, archive: Archive, recorder: Recorder, clock: Clock
) -> None:
    """What it had to tell may have waited on its disk."""
    has_history(archive)
    store.append([at_step()])
    process = Process(store, recorder, clock)
    process.goes_on(USUAL - EVERY)
    clock.pass_by(SILENCE + EVERY, recorder.turn)
    process.goes_on(USUAL - EVERY)
    assert flags(store) == []
    process.goes_on(2 * EVERY)
    assert flags(store) == ["quiet"]


def test_a_recorder_that_was_cut_off_begins_anew(
    store: Store, archive: Archive, recorder: Recorder, clock: Clock
) -> None:
    """As it does with silent processes."""
    has_history(archive)
    store.append([at_step()])
    process = Process(store, recorder, clock)
    process.goes_on(USUAL - EVERY)
    there, store.client.url = store.client.url, "redis://127.0.0.1:1/0"
    store.client._redis = None
    recorder.turn()
    store.client.url, store.client._redis = there, None
    process.goes_on(USUAL)
    assert flags(store) == []
    process.goes_on(EVERY)
    assert flags(store) == ["quiet"]


def test_a_run_that_ended_is_forgotten(store: Store, archive: Archive, recorder: Recorder, clock: Clock) -> None:
    """Nothing is kept for it."""
    has_history(archive)
    store.append([at_step()])
    process = Process(store, recorder, clock)
    process.goes_on(USUAL)
    store.append([by("p", ended("a"))])
    clock.pass_by(SILENCE + EVERY, recorder.turn)
    assert recorder._liveness._quiet is not None
    assert recorder._liveness._quiet._marks == {}


def test_each_silence_is_looked_up_once_and_only_so_many_in_a_turn(
    store: Store, archive: Archive, recorder: Recorder, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands of runs may be silent; the others are looked up in the turns after."""
    monkeypatch.setattr(quiet, "LOOKS", 10)
    has_history(archive)
    runs = {f"r{number}": 1 for number in range(25)}
    store.append([at_step(run, run) for run in runs])
    looks: list[int] = []
    heads = store.heads

    def counted(ids: list[str]) -> list[Parts | None]:
        looks.append(len(ids))
        return heads(ids)

    monkeypatch.setattr(store, "heads", counted)
    process = Process(store, recorder, clock, **runs)
    process.goes_on(2 * USUAL)
    assert [count for count in looks if count] == [10, 10, 5]
    assert [flags(store, run) for run in runs] == [["quiet"]] * 25


SCRIPT = (
    "import sys\n"
    "from tracker import StepTracker\n"
    "from tracker.publish import lease\n"
    "lease.LEASE_EVERY = 0.05\n"
    "with StepTracker('Script', id='a', name='job', display='quiet') as tracker:\n"
    "    with tracker.step('Step 1') as step:\n"
    "        sys.stdin.readline()\n"
    "        step.advance()\n"
    "        sys.stdin.readline()\n"
)


def test_a_script_that_hangs_in_a_step_is_quiet_until_it_goes_on(
    store: Store, archive: Archive, recorder: Recorder, clock: Clock, redis_url: str
) -> None:
    """With its real leases."""
    has_history(archive)
    environment = os.environ | {"TRACKER_REDIS_URL": redis_url, "TRACKER_NAMESPACE": store.keys.namespace}
    with subprocess.Popen([sys.executable, "-c", SCRIPT], stdin=subprocess.PIPE, env=environment) as script:
        assert script.stdin is not None
        try:
            wait_for(lambda: [lease for lease in store.leases() if lease.seqs and min(lease.seqs) == 2])

            def turn() -> None:
                count = store.leases()[0].count
                wait_for(lambda: store.leases()[0].count > count)
                recorder.turn()

            turn()
            clock.pass_by(USUAL, turn)
            assert flags(store) == ["quiet"]
            script.stdin.write(b"\n")
            script.stdin.flush()
            wait_for(lambda: flags(store) == [])
            script.stdin.close()
            assert script.wait(20) == 0
        finally:
            script.kill()
