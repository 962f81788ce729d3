"""Durations of steps and counts of outcomes: each run counts once, whatever is written how often."""

from __future__ import annotations

import math
from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.archive.making import NOW, child, record, run, steps
from tracker.archive import Archive, Percentiles, percentiles
from tracker.archive.spread import bucket_of
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
    assert archive.durations("job") == {"Read": Percentiles(100, 50.0, 90.0, 95.0, 99.0)}
    assert archive.durations("job", last=10) == {"Read": Percentiles(10, 95.0, 99.0, 100.0, 100.0)}
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
    assert archive.durations("job")["Row"] == Percentiles(4, 2.0, 4.0, 4.0, 4.0)


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


# ---- day by day ----------------------------------------------------------------------------------


def test_the_lengths_of_whole_runs_are_kept_by_day(archive: Archive) -> None:
    """Of successful ones, however many, within 2.2 %."""
    archive.write([timed(f"{n}", n / 10) for n in range(1, 1001)])
    archive.write([timed("late", 7.0, ended=NOW - 86400), timed("bad", 9e6, status=Status.ERROR)])
    found = archive.days("job", 0)
    assert list(found) == [TODAY - 1, TODAY]
    took = percentiles(found[TODAY].took)
    assert took is not None
    assert took.count == 1000
    assert [took.p50, took.p90, took.p95, took.p99] == pytest.approx([50, 90, 95, 99], rel=0.022)
    both = percentiles(found[TODAY].took + found[TODAY - 1].took)
    assert both is not None
    assert both.count == 1001
    assert archive.days("job", TODAY).keys() == {TODAY}
    assert archive.days("other", 0) == {}


@given(st.lists(st.floats(1e-6, 1e9), min_size=1))
def test_a_percentile_is_close_to_a_duration_that_did_occur(seconds: list[float]) -> None:
    """Whatever the durations are, from a microsecond to thirty years."""
    found = percentiles(Counter(map(bucket_of, seconds)))
    assert found is not None
    exact = sorted(seconds)[math.ceil(len(seconds) * 0.5) - 1]
    assert found.p50 == pytest.approx(exact, rel=0.022)
    assert found.p50 <= found.p90 <= found.p95 <= found.p99


def failed_at(step: str, status: StepStatus) -> dict[int, StepState]:
    return steps(1) | {2: StepState(2, step, status, NOW, 0.5)}


def test_failed_and_lost_runs_count_at_the_step_they_were_at(archive: Archive) -> None:
    """The one that failed, or else the one that ran when everything stopped; a run without steps at none."""
    broken, cut = failed_at("Check", StepStatus.ERROR), failed_at("Write", StepStatus.RUNNING)
    archive.write([record(f"a{n}", run(f"a{n}", Status.ERROR), steps=broken) for n in range(3)])
    lost = Verdict(Status.LOST, NOW, "recorder", run="b")
    archive.write([record("b", run("b", Status.RUNNING), verdict=lost, steps=cut)])
    archive.write([record("c", run("c", Status.ERROR), steps={}), record("d", run("d"), steps=steps())])
    assert archive.days("job", 0)[TODAY].failed == {"Check": 3, "Write": 1}


def test_a_run_taken_for_lost_that_lives_takes_its_failure_back(archive: Archive) -> None:
    """It counts as what it became, once, on every retelling."""
    cut = failed_at("Write", StepStatus.RUNNING)
    lost = Verdict(Status.LOST, NOW + 1, "recorder", run="r1")
    guess = record("a", run(status=Status.RUNNING), verdict=lost, steps=cut)
    archive.write([guess])
    assert archive.days("job", 0)[TODAY].failed == {"Write": 1}
    for _ in range(2):
        archive.write([record("a", run(duration=4.0), verdict=lost, rev=9, steps=steps()), guess])
    found = archive.days("job", 0)[TODAY]
    assert (found.failed, found.took) == ({}, {bucket_of(4.0): 1})


def test_steps_with_variables_in_their_names_do_not_make_a_day_large(archive: Archive) -> None:
    """The frequent ones stay."""
    often = [record(f"o{n}", run(f"o{n}", Status.ERROR), steps=failed_at("Often", StepStatus.ERROR)) for n in range(2)]
    archive.write(often)
    for n in range(3):
        named = [failed_at(f"Row {n * 50 + row}", StepStatus.ERROR) for row in range(50)]
        archive.write(
            [record(f"{n}.{at}x", run(f"{n}.{at}", Status.ERROR), steps=held) for at, held in enumerate(named)]
        )
    found = archive.days("job", 0)[TODAY].failed
    assert (len(found), found["Often"]) == (50, 2)


def test_days_that_are_too_old_go_with_their_operations(archive: Archive) -> None:
    """And not before."""
    archive.write([timed("old", 1.0, ended=NOW - 5 * 86400), timed("new", 1.0)])
    archive.remove(NOW - 2 * 86400)
    assert archive.remove(NOW - 2 * 86400) == 0
    assert list(archive.days("job", 0)) == list(archive.outcomes("job")) == [TODAY]
