"""A batch whose dispatch dies is given up when that happens again and again, and never while it comes further."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.store.making import NOW, batch_of, blob, by, head, lease
from tests.support import Clock
from tracker.errors import DispatchDied
from tracker.history import History
from tracker.history.batches import DEATHS, check_dispatch
from tracker.history.liveness import UNRESPONSIVE_AFTER
from tracker.history.recorder import Recorder
from tracker.model import Again, Status, StepState, StepStatus, Verdict
from tracker.store import QueueAgain, Sent, Silence, Store, VerdictItem


def begins(store: Store, run: str, sent: int = 0) -> None:
    """A process hands the batch out, and has told how far that is."""
    step = StepState(1, "Queue children", StepStatus.RUNNING, NOW, current=sent, total=9)
    store.append([by(run, blob("b", head(run), steps=[step])), lease(run, run)])


def dies(store: Store, run: str, sent: int = 0) -> None:
    """… and is killed there; its message goes back to the queue."""
    begins(store, run, sent)
    store.append([VerdictItem("b", Status.RUNNING, Verdict(Status.RUNNING, NOW + 3, "worker", run=run, reason="gone"))])


def deaths(store: Store, run: str = "") -> int:
    """How many count for the next run, or for that one."""
    record = store.runs("b")
    assert record is not None
    return check_dispatch(record, store.messages.sent("b"), run)


def test_only_so_many_deaths_in_a_row_are_borne(store: Store) -> None:
    """The run that asks is no death, whether or not it is known already."""
    batch_of(store, 9)
    for number in range(DEATHS):
        assert deaths(store) == number
        dies(store, f"r{number}")
    for run in ("", "last"):
        with pytest.raises(DispatchDied, match=f"died {DEATHS} times in a row") as died:
            deaths(store, run)
        assert "\n" not in str(died.value)
        begins(store, "last")


def test_one_more_child_that_was_sent_begins_the_count_anew(store: Store) -> None:
    """Also if whoever sent it was killed before it could tell of it."""
    batch_of(store, 9)
    for sent in range(9):
        for number in range(DEATHS - 1):
            dies(store, f"r{sent}-{number}", sent)
        assert deaths(store) == DEATHS - 1
        store.append([Sent("b", sent + 1)])
        assert deaths(store) == 0


@pytest.mark.parametrize("steps", [[], [StepState(1, "Queue children", StepStatus.RUNNING, NOW)]])
def test_whoever_dies_before_it_has_said_how_far_that_is_has_sent_none(store: Store, steps: list[StepState]) -> None:
    """It says so before it sends any."""
    batch_of(store, 9)
    store.append([Sent("b", 4)])
    for number in range(2):
        run = f"r{number}"
        store.append([by(run, blob("b", head(run), steps=steps)), lease(run, run)])
        store.append([VerdictItem("b", Status.RUNNING, Verdict(Status.RUNNING, NOW + 3, "worker", run=run))])
    assert deaths(store) == 2


def test_what_is_lost_with_its_whole_worker_has_died_as_well(store: Store) -> None:
    """Nobody but the recorder has said so."""
    batch_of(store, 9)
    begins(store, "r1")
    verdict = Verdict(Status.LOST, NOW, "recorder", run="r1")
    store.append([Silence("r1", 1, "b", verdict)])
    assert deaths(store) == 1


def test_a_run_that_may_be_alive_has_not_died(store: Store, recorder: Recorder, history: History, clock: Clock) -> None:
    """Neither one of which nothing was said, nor one that is silent for a while, nor one that lives after all."""
    batch_of(store, 9)
    begins(store, "r1")
    begins(store, "r2")
    assert deaths(store, "r2") == 0
    clock.pass_by(UNRESPONSIVE_AFTER + 10, recorder.turn)
    begins(store, "r3")
    assert deaths(store, "r3") == 0
    clock.pass_by(UNRESPONSIVE_AFTER + 10, recorder.turn)
    assert history.operation("b").flags[:1] == ["unresponsive"]
    store.append([lease("r3", "r3")])
    begins(store, "r4")
    assert deaths(store, "r4") == 0


def test_deaths_for_an_earlier_request_count_no_more(store: Store, history: History) -> None:
    """Whoever resumes a batch wants it to be tried anew."""
    batch_of(store, 9)
    for number in range(DEATHS - 1):
        dies(store, f"r{number}")
    begins(store, "last")
    store.append([VerdictItem("b", Status.RUNNING, Verdict(Status.LOST, NOW, "worker", run="last"))])
    with pytest.raises(DispatchDied):
        deaths(store)
    queue = history.record("b").parts.queue
    assert queue is not None
    asked = Again("ada", NOW, "t2", "last", resumes=True)
    store.append([QueueAgain("b", Status.LOST, replace(queue, again=asked))])
    assert deaths(store) == 0
    dies(store, "anew")
    assert deaths(store) == 1


def test_an_attempt_whose_dispatch_died_is_shown_as_lost(store: Store, history: History) -> None:
    """Nobody shall read that it still runs: another one went on."""
    batch_of(store, 9)
    dies(store, "r1", 4)
    begins(store, "r2", 4)
    first, second = history.attempts("b")
    assert (first.status, first.ended, first.duration) == (Status.LOST, NOW + 3, 3.0)
    assert first.error is not None
    assert (first.error.type, first.error.message) == ("lost", "gone")
    assert second.status is Status.RUNNING
