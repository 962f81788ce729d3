"""What is written, what a second write may change, and the lists."""

from __future__ import annotations

from contextlib import closing

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.archive.making import NOW, child, record, run, shown, steps
from tracker.archive import Archive, reading, texts
from tracker.compose import compose
from tracker.ids import new_id
from tracker.model import Children, LogLine, Parts, QueuePart, Status, StepState, StepStatus, Verdict
from tracker.record import Attempt, Record


def status_of(archive: Archive, id: str) -> Status:
    """As people see it."""
    parts = archive.operation(id)
    assert parts is not None
    return compose(parts).status


# ---- single operations ---------------------------------------------------------------------------


def test_what_is_not_there_is_told_as_missing(archive: Archive) -> None:
    """Also for ids that none can have."""
    for id in ("nothing", "", "a b", "é" * 16, "x" * 200):
        assert archive.operation(id) is None
        assert (archive.attempts(id), archive.logs(id), archive.results(id)) == ([], [], {})
        assert archive.heads([id]) == {}
        assert archive.children(id) == []
        assert archive.erase(id) is False


def test_writing_the_same_twice_changes_nothing(archive: Archive) -> None:
    """A recorder that was killed after its write does it again."""
    told = record(
        "a",
        run("r2"),
        attempt=2,
        earlier=[Attempt(1, run("r1", Status.ERROR), list(steps(2).values()))],
        logs=[LogLine(1, NOW, "one", attempt=1), LogLine(1, NOW, "two", 1, "warning", 2)],
        results={"key": b"1"},
    )
    archive.write([told])
    before = (archive.operation("a"), archive.attempts("a"), archive.logs("a"), archive.durations("job"))
    archive.write([told, told])
    archive.write([told])
    assert (archive.operation("a"), archive.attempts("a"), archive.logs("a"), archive.durations("job")) == before


def test_an_outcome_is_never_replaced(archive: Archive) -> None:
    """Neither by another one nor by less, whatever its number."""
    archive.write([record("a", run(status=Status.ERROR), rev=5)])
    archive.write([record("a", run(status=Status.COMPLETE), rev=9)])
    archive.write([record("a", run(status=Status.RUNNING), rev=12, steps={})])
    assert status_of(archive, "a") is Status.ERROR
    parts = archive.operation("a")
    assert parts is not None
    assert (parts.rev, parts.steps) == (12, steps())


def test_a_run_that_was_called_lost_may_still_tell_its_outcome(archive: Archive) -> None:
    """A verdict is a guess from outside, and the run knows."""
    lost = Verdict(Status.LOST, NOW + 300, "recorder", run="r1")
    archive.write([record("a", run(status=Status.RUNNING), verdict=lost, rev=5)])
    assert status_of(archive, "a") is Status.LOST
    archive.write([record("a", run(status=Status.COMPLETE), verdict=lost, rev=6)])
    assert status_of(archive, "a") is Status.COMPLETE
    archive.write([record("a", run(status=Status.RUNNING), verdict=lost, rev=5)])
    assert status_of(archive, "a") is Status.COMPLETE


def test_a_verdict_stays_when_a_later_word_knows_of_none(archive: Archive) -> None:
    """Otherwise something that has ended would run again for ever."""
    lost = Verdict(Status.LOST, NOW + 300, "recorder", run="r1")
    archive.write([record("a", run(status=Status.RUNNING), verdict=lost, rev=5)])
    archive.write([record("a", run(status=Status.RUNNING), rev=7)])
    assert status_of(archive, "a") is Status.LOST


def test_a_later_attempt_becomes_the_newest(archive: Archive) -> None:
    """The earlier one stays readable."""
    archive.write([record("a", run("r1", Status.ERROR))])
    archive.write([record("a", run("r2"), attempt=2, rev=9, steps=steps(5))])
    assert status_of(archive, "a") is Status.COMPLETE
    assert [(found.number, found.run.run) for found in archive.attempts("a")] == [(1, "r1"), (2, "r2")]
    assert [len(found.steps) for found in archive.attempts("a")] == [3, 5]


def test_an_older_run_that_arrives_late_does_not_become_the_newest(archive: Archive) -> None:
    """It only completes the history."""
    archive.write([record("a", run("r2"), attempt=2, rev=9, results={"new": b"1"})])
    archive.write([record("a", run("r1", Status.ERROR), attempt=1, rev=4, results={"old": b"1"})])
    parts = archive.operation("a")
    assert parts is not None
    assert parts.run is not None
    assert (parts.run.run, parts.attempt, parts.rev) == ("r2", 2, 9)
    assert [found.run.run for found in archive.attempts("a")] == ["r1", "r2"]
    assert archive.results("a") == {"new": b"1"}


def test_runs_that_claim_one_number_are_numbered_in_the_order_they_started(archive: Archive) -> None:
    """A Redis that had forgotten the first attempts counts from 1 again; lines follow their run."""
    first = record("a", run("r1", Status.ERROR), attempt=1, rev=8, logs=[LogLine(1, NOW, "first", attempt=1)])
    again = record(
        "a",
        run("r9", started=NOW + 60),
        attempt=1,
        rev=3,
        logs=[LogLine(1, NOW, "again", attempt=1)],
    )
    archive.write([first])
    for _ in range(2):
        archive.write([again])
        assert [(found.number, found.run.run) for found in archive.attempts("a")] == [(1, "r1"), (2, "r9")]
        assert [(line.attempt, line.text) for line in archive.logs("a")] == [(1, "first"), (2, "again")]
    parts = archive.operation("a")
    assert parts is not None
    assert parts.run is not None
    assert (parts.run.run, parts.attempt, parts.rev) == ("r9", 2, 8)


def test_lines_and_results_of_two_writes_add_up(archive: Archive) -> None:
    """Redis keeps only the last lines; what it has dropped since is not lost here."""
    archive.write([record("a", logs=[LogLine(n, NOW, f"{n}", attempt=1) for n in (1, 2)], results={"x": b"1"})])
    archive.write([record("a", logs=[LogLine(n, NOW, f"{n}", attempt=1) for n in (2, 3)], results={"y": b"2"})])
    assert [line.text for line in archive.logs("a")] == ["1", "2", "3"]
    assert archive.results("a") == {"x": b"1", "y": b"2"}


def test_an_operation_that_never_ran_is_kept_as_well(archive: Archive) -> None:
    """Cancelled in the queue, with what it was given."""
    queue = QueuePart("job", NOW, "A title", "q", args={"big": 2**80, "deep": [{"é": None}]})
    told = Record(Parts("a", 2, queue=queue, verdict=Verdict(Status.CANCELLED, NOW + 1, "somebody")))
    archive.write([told])
    assert archive.operation("a") == told.parts
    assert status_of(archive, "a") is Status.CANCELLED


def test_lists_show_one_step_even_of_thousands(archive: Archive) -> None:
    """The failed one, else the newest that has begun; the single view has all."""
    many = {index: StepState(index, f"File {index}", StepStatus.COMPLETE, NOW, 0.1) for index in range(1, 5001)}
    many[7] = msgspec.structs.replace(many[7], status=StepStatus.ERROR, error="no")
    told = record("a", run(status=Status.ERROR), steps=many)
    archive.write([told])
    assert archive.operation("a") == told.parts
    assert archive.heads(["a"])["a"].steps == {7: many[7]}
    assert archive.top_level() == [shown(told.parts)]


def test_namespaces_share_a_file_and_nothing_else(url: str) -> None:
    """One id may exist in both."""
    with closing(Archive(url, "ours")) as ours, closing(Archive(url, "theirs")) as theirs:
        ours.write([record("a"), child("a.1", "a", 1)])
        theirs.write([record("a", run(status=Status.ERROR))])
        assert status_of(ours, "a") is Status.COMPLETE
        assert (status_of(theirs, "a"), theirs.children("a"), theirs.durations("job")) == (Status.ERROR, [], {})
        assert theirs.erase("a")
        assert [parts.id for parts in ours.top_level()] == ["a"]
        assert ours.identity == theirs.identity


def test_names_and_steps_beyond_the_numbered_ones_are_found_all_the_same(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name with a variable in it gets no number, and nothing grows that is never removed."""
    monkeypatch.setattr(texts, "LIMIT", 4)
    told = [record(f"{n}", run(f"r{n}", name=f"job {n}", title="T", app="app"), steps=steps(9)) for n in range(6)]
    archive.write(told)
    for n, given_record in enumerate(told):
        assert archive.operation(f"{n}") == given_record.parts
        assert [parts.id for parts in archive.top_level(name=f"job {n}")] == [f"{n}"]
    assert archive.top_level(name="job 9") == []


# ---- lists ---------------------------------------------------------------------------------------


def everything(archive: Archive, limit: int, **filters: str) -> list[str]:
    """All pages of a list, one after the other."""
    found: list[str] = []
    after = None
    while page := archive.top_level(after=after, limit=limit, **filters):  # type: ignore[arg-type]
        found += [parts.id for parts in page]
        after = (compose(page[-1]).created, page[-1].id)
    return found


def test_top_level_operations_come_newest_first_and_filtered(archive: Archive) -> None:
    """By status, by name, by both; children are not among them."""
    told = [
        record(f"{n:02}", run("r", status, name=name, created=NOW + n))
        for n, (status, name) in enumerate([(Status.COMPLETE, "a"), (Status.ERROR, "b"), (Status.COMPLETE, "b")] * 4)
    ]
    archive.write([*told, child("00.1", "00", 1)])
    newest_first = [f"{n:02}" for n in reversed(range(12))]
    for limit in (1, 5, 100):
        assert everything(archive, limit) == newest_first
        assert everything(archive, limit, status="error") == newest_first[1::3]
        assert everything(archive, limit, name="b") == [id for id in newest_first if int(id) % 3]
        assert everything(archive, limit, name="b", status="complete") == newest_first[0::3]
    assert everything(archive, 5, status="running") == everything(archive, 5, status="nonsense") == []


ordered_ids = st.lists(
    st.tuples(
        st.sampled_from([NOW, NOW + 1, NOW + 2]), st.uuids().map(str) | st.from_regex("[0-9a-f]{1,3}", fullmatch=True)
    ),
    max_size=12,
    unique_by=lambda pair: pair[1],
)


def test_equal_times_are_told_apart_by_id_as_the_store_does(archive: Archive) -> None:
    """However ids are packed, pages of both can be merged without leaving one out."""

    @settings(max_examples=60)
    @given(ordered_ids, st.integers(1, 4))
    def check(places: list[tuple[float, str]], limit: int) -> None:
        archive.write([record(id, run(created=created)) for created, id in places])
        archive.write([Record(Parts("batch", queue=QueuePart("b", NOW - 9, batch=True)))])
        assert everything(archive, limit) == [id for _, id in sorted(places, reverse=True)] + ["batch"]
        for _, id in places:
            archive.erase(id)

    check()


def test_children_come_in_the_order_they_were_queued(archive: Archive) -> None:
    """By index; those without one by the time they were made; with a filter and from page to page."""
    parent = new_id()
    told = [child(f"{parent}.{n}", parent, n, Status.ERROR if n % 5 == 0 else Status.COMPLETE) for n in range(1, 31)]
    started = [record(f"s{n}", run(parent=parent, created=NOW + n)) for n in (2, 1)]
    archive.write([*reversed(told), *started])
    expected = [f"{parent}.{n}" for n in range(1, 31)] + ["s1", "s2"]
    found: list[str] = []
    after = None
    while page := archive.children(parent, after=after, limit=7):
        found += [parts.id for parts in page]
        last = page[-1]
        after = (float(last.queue.index) if last.queue else compose(last).created, last.id)
    assert found == expected
    failed = archive.children(parent, limit=4, status="error")
    assert [parts.id for parts in failed] == [f"{parent}.{n}" for n in (5, 10, 15, 20)]
    following = archive.children(parent, after=(20.0, f"{parent}.20"), limit=4, status="error")
    assert [parts.id for parts in following] == [f"{parent}.{n}" for n in (25, 30)]


def test_a_batch_is_what_its_verdict_says(archive: Archive) -> None:
    """With the counts of its children, which stay with it."""
    counts = Children(3, complete=2, error=1, version=9)
    queue = QueuePart("job", NOW, batch=True)
    verdict = Verdict(Status.ERROR, NOW + 5, "children")
    told = record("b", run(), queue=queue, verdict=verdict, children=counts)
    archive.write([told])
    assert [parts.children for parts in archive.top_level(status="error")] == [counts]
    archive.write([record("b", run(), queue=queue, verdict=verdict, rev=4)])
    assert archive.operation("b") == told.parts


def test_a_list_is_the_same_whatever_was_done_with_it_when_it_was_asked_for_before(archive: Archive) -> None:
    """Watchers take it as a beginning, and change it as they hear of more."""
    archive.write([record("a")])
    (first,) = archive.top_level()
    told, steps = first.run, dict(first.steps)
    first.run, first.rev = None, 0
    first.steps.clear()
    (again,) = archive.top_level()
    assert (again.run, again.steps) == (told, steps)
    assert again.rev > 0


def test_lists_are_right_although_not_all_of_them_is_kept_in_memory(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was asked for longest ago makes room, and is read again."""
    monkeypatch.setattr(reading, "LISTED", 2)
    archive.write([record(id) for id in "abc"])
    for _ in range(3):
        assert {parts.id for parts in archive.top_level()} == set("abc")
    assert len(archive._texts.taken) == 2
