"""Durations of steps and counts of outcomes: each run counts once, whatever is written how often."""

from __future__ import annotations

import msgspec

from tests.archive.making import NOW, child, record, run, steps
from tracker.archive import Archive, StepDurations
from tracker.model import Parts, QueuePart, Status, StepState, StepStatus, Verdict
from tracker.record import Record

TODAY = int(NOW // 86400)


def timed(id: str, seconds: float, *, ended: float = NOW, status: Status = Status.COMPLETE) -> Record:
    """An operation whose one step took so long."""
    step = StepState(1, "Read", StepStatus.COMPLETE, ended - seconds, seconds)
    return record(id, run(id, status, started=ended - seconds, ended=ended), steps={1: step})


def test_percentiles_are_those_of_the_last_successful_runs(archive: Archive) -> None:
    """Each of them a duration that did occur; failed runs tell nothing about how long it should take."""
    archive.write([timed(f"{n}", float(n)) for n in range(1, 101)])
    archive.write([timed("bad", 999.0, status=Status.ERROR)])
    assert archive.durations("job") == {"Read": StepDurations(100, 50.0, 90.0, 95.0, 99.0)}
    assert archive.durations("job", last=10) == {"Read": StepDurations(10, 95.0, 99.0, 100.0, 100.0)}
    assert archive.durations("job", last=0) == archive.durations("other") == {}


def test_only_the_last_thousand_runs_are_asked_however_they_were_written(archive: Archive) -> None:
    """Durations of older ones are dropped, their counts are not."""
    for begin in range(0, 1500, 70):
        archive.write([timed(f"{n}", n / 1000) for n in range(begin, min(begin + 70, 1500))])
    found = archive.durations("job")["Read"]
    assert (found.count, found.p50, found.p99) == (1000, 0.999, 1.489)
    assert archive.durations("job", last=5000)["Read"].count < 1050
    assert archive.outcomes("job")[TODAY][Status.COMPLETE] == 1500


def test_a_run_that_ended_earlier_and_arrives_late_counts_on_its_own_day(archive: Archive) -> None:
    """So the last runs are the last that ended, not the last that were written."""
    archive.write([timed("today", 1.0)])
    archive.write([timed("yesterday", 5.0, ended=NOW - 86400)])
    assert archive.durations("job", last=1)["Read"].p50 == 1.0
    assert [(day, found[Status.COMPLETE]) for day, found in archive.outcomes("job").items()] == [
        (TODAY - 1, 1),
        (TODAY, 1),
    ]
    assert list(archive.outcomes("job", since=NOW)) == [TODAY]


def test_an_outcome_counts_once_and_a_corrected_one_in_place_of_the_guess(archive: Archive) -> None:
    """Lost, then complete after all."""
    lost = Verdict(Status.LOST, NOW + 300, "recorder", run="r1")
    guess = record("a", run(status=Status.RUNNING), verdict=lost)
    for _ in range(2):
        archive.write([guess, guess])
    assert archive.outcomes("job")[TODAY] == {
        Status.COMPLETE: 0,
        Status.ERROR: 0,
        Status.CANCELLED: 0,
        Status.LOST: 1,
    }
    for _ in range(2):
        archive.write([record("a", run(), verdict=lost, rev=9), guess])
    assert archive.outcomes("job")[TODAY][Status.COMPLETE] == 1
    assert archive.outcomes("job")[TODAY][Status.LOST] == 0
    assert archive.durations("job")["Step 1"].count == 1


def test_every_attempt_counts_and_what_it_reused_or_skipped_does_not(archive: Archive) -> None:
    """A reused step took no time, which says nothing about its work."""
    archive.write([record("a", run("r1", Status.ERROR))])
    again = steps() | {2: msgspec.structs.replace(steps()[2], reused=True)}
    again |= {3: StepState(3, "Step 3", StepStatus.SKIPPED, NOW, 0.0)}
    archive.write([record("a", run("r2"), attempt=2, rev=9, steps=again)])
    assert archive.outcomes("job")[TODAY][Status.ERROR] == archive.outcomes("job")[TODAY][Status.COMPLETE] == 1
    assert set(archive.durations("job")) == {"Step 1"}


def test_a_step_that_occurs_often_in_a_run_counts_as_often(archive: Archive) -> None:
    """Loops give their steps one name."""
    loop = {n: StepState(n, "Row", StepStatus.COMPLETE, NOW, float(n)) for n in range(1, 5)}
    archive.write([record("a", steps=loop)])
    assert archive.durations("job")["Row"] == StepDurations(4, 2.0, 4.0, 4.0, 4.0)


def test_batches_count_by_their_children(archive: Archive) -> None:
    """The batch itself bears the name of its job, and is none of its runs."""
    queue = QueuePart("job", NOW, batch=True)
    archive.write([record("b", queue=queue, verdict=Verdict(Status.COMPLETE, NOW, "children"))])
    archive.write([child(f"b.{n}", "b", n) for n in range(1, 4)])
    assert archive.outcomes("job")[TODAY][Status.COMPLETE] == 3


def test_what_was_cancelled_before_it_ran_is_counted(archive: Archive) -> None:
    """It has an outcome, if no run."""
    parts = Parts("a", 2, queue=QueuePart("job", NOW), verdict=Verdict(Status.CANCELLED, NOW, "somebody"))
    archive.write([Record(parts)])
    archive.write([Record(parts)])
    assert archive.outcomes("job")[TODAY][Status.CANCELLED] == 1
