"""``logs``: what was logged, of which attempt and step, and what is still to come."""

from __future__ import annotations

from collections.abc import Sequence

from tests.cli.conftest import Run
from tests.store.making import NOW, batch_of, blob, ended, head, queued
from tracker.model import Event, EventType, LogLine, Status, StepState, StepStatus
from tracker.store import RunBlob, Store

STEPS = [StepState(1, "Read", StepStatus.COMPLETE), StepState(2, "Write", StepStatus.RUNNING)]


def logged(id: str, run: str, first: int, *texts: str, step: int = 0, level: str = "", parent: str = "") -> RunBlob:
    """A run's next events, each a line."""
    lines = [LogLine(seq - 1, NOW + seq, text, step, level) for seq, text in enumerate(texts, first)]
    events = [Event(EventType.STEP_LOG, id, NOW, run, line.number + 1, log=line) for line in lines]
    return RunBlob(id, run, events, parent, NOW, None)


def begun(store: Store, id: str = "one", run: str = "r1", parent: str = "") -> None:
    """A run with two steps."""
    store.append([blob(id, head(run), parent=parent, steps=STEPS)])


def texts(lines: Sequence[str]) -> list[str]:
    return [line.split("\t")[-1] for line in lines]


def test_a_pipe_gets_columns_in_order(tracker: Run, store: Store) -> None:
    """Time, id, attempt, step, level and text; warnings are marked, and nothing moves a cursor."""
    begun(store)
    store.append([logged("one", "r1", 2, "reading", step=1)])
    store.append([logged("one", "r1", 3, "no \x1b[31mfield\t!", level="warning")])
    command = tracker("logs", "one")
    assert command.code() == 0
    assert [line.split("\t") for line in command.lines] == [
        ["2027-01-15T08:00:02.000Z", "one", "1", "Read", "", "reading"],
        ["2027-01-15T08:00:03.000Z", "one", "1", "", "warning", "no \ufffd[31mfield !"],
    ]


def test_lines_of_one_step_and_the_last_ones(tracker: Run, store: Store) -> None:
    """A step by its name or its number; the tail is that of what is wanted."""
    begun(store)
    store.append([logged("one", "r1", 2, "a", "b", step=1), logged("one", "r1", 4, "c", "d", step=2)])
    told = [tracker("logs", "one", *words) for words in (["--step", "Read"], ["--step", "2"], ["--tail", "1"])]
    both, none = tracker("logs", "one", "--step", "Read", "--tail", "1"), tracker("logs", "one", "--tail", "0")
    unknown = tracker("logs", "one", "--step", "Reat")
    assert [command.code() for command in (*told, both, none, unknown)] == [0, 0, 0, 0, 0, 1]
    assert [texts(command.lines) for command in (*told, both, none)] == [["a", "b"], ["c", "d"], ["d"], ["b"], []]
    assert unknown.err == "tracker: one has no step 'Reat'; it has: Read, Write. Did you mean Read?\n"


def test_attempts_are_told_apart(tracker: Run, store: Store) -> None:
    """By a column in a pipe, by a line on a terminal, and only where there are several."""
    begun(store)
    store.append([logged("one", "r1", 2, "first")])
    once = tracker("logs", "one", terminal=(80, 24))
    assert once.code() == 0
    assert "attempt" not in once.text
    store.append([ended("one", Status.ERROR, seq=3)])
    begun(store, run="r2")
    store.append([logged("one", "r2", 2, "second")])
    shown, piped = tracker("logs", "one", terminal=(80, 24)), tracker("logs", "one")
    assert (shown.code(), piped.code()) == (0, 0)
    assert [line.split("\t")[2] for line in piped.lines] == ["1", "2"]
    assert [line.split()[-1] for line in shown.text.splitlines()] == ["1", "first", "2", "second"]


def test_lines_that_are_not_kept_are_counted_where_they_are_missing(tracker: Run, store: Store) -> None:
    """Between the others on a terminal, on stderr beside a pipe; not where only some were asked for."""
    begun(store)
    lines = [LogLine(number, NOW + number, text) for number, text in ((3, "third"), (8, "eighth"), (9, "ninth"))]
    events = [Event(EventType.STEP_LOG, "one", NOW, "r1", seq, log=line) for seq, line in enumerate(lines, 2)]
    store.append([RunBlob("one", "r1", events, "", NOW, None)])
    shown, piped = tracker("logs", "one", terminal=(80, 24)), tracker("logs", "one")
    last, named = tracker("logs", "one", "--tail", "2"), tracker("logs", "one", "--step", "Read")
    assert [command.code() for command in (shown, piped, last, named)] == [0, 0, 0, 0]
    assert [line.split()[-1] for line in shown.text.splitlines() if "kept" not in line] == ["third", "eighth", "ninth"]
    assert [line for line in shown.text.splitlines() if "kept" in line] == [
        "2 lines are not kept",
        "4 lines are not kept",
    ]
    assert texts(piped.lines) == ["third", "eighth", "ninth"]
    assert piped.err.splitlines() == [
        "2 lines are not kept before 2027-01-15T08:00:03.000Z",
        "4 lines are not kept before 2027-01-15T08:00:08.000Z",
    ]
    assert "kept" not in last.err + named.err


def test_json_says_what_each_line_belongs_to(tracker: Run, store: Store) -> None:
    """One object for each, and nothing else on stdout."""
    begun(store)
    store.append([logged("one", "r1", 2, "low on space", step=2, level="warning")])
    command = tracker("logs", "one", "--json")
    assert (command.code(), command.err) == (0, "")
    assert command.objects == [
        {"operation": "one", "attempt": 1, "number": 1, "ts": NOW + 2, "step": 2, "name": "Write", "level": "warning",
         "text": "low on space"}
    ]  # fmt: skip


def test_failed_children_tell_their_lines_as_well(tracker: Run, store: Store) -> None:
    """Of a batch that is what explains it; those that went well are left out."""
    good, bad = batch_of(store, 2)
    for id in (good, bad):
        begun(store, id, parent="b")
        store.append([logged(id, "r1", 2, f"word of {id}", parent="b")])
    store.append([ended(good, seq=3, parent="b"), ended(bad, Status.ERROR, seq=3, parent="b")])
    alone, failed = tracker("logs", "b"), tracker("logs", "b", "--failed")
    shown = tracker("logs", "b", "--failed", terminal=(80, 24))
    assert [command.code() for command in (alone, failed, shown)] == [0, 0, 0]
    assert (alone.out, alone.err) == ("", "nothing was logged\n")
    assert texts(failed.lines) == [f"word of {bad}"]
    assert "✗ error" in shown.text.splitlines()[0]
    assert tracker("logs", "b", "--failed", "--follow").code() == 2


def test_following_ends_with_the_operation(tracker: Run, store: Store) -> None:
    """Each line once, those before it, those meanwhile, and the last one; then exit code 0."""
    begun(store)
    store.append([logged("one", "r1", 2, "before")])
    command = tracker("logs", "one", "--follow")
    command.shows("before")
    store.append([logged("one", "r1", 3, "meanwhile", step=1)])
    command.shows("meanwhile")
    store.append([logged("one", "r1", 4, "at last"), ended("one", Status.ERROR, seq=5)])
    assert command.code() == 0
    assert texts(command.lines) == ["before", "meanwhile", "at last"]


def test_following_goes_on_over_attempts_and_waits_for_the_first(tracker: Run, store: Store) -> None:
    """What waits has logged nothing yet; an attempt that asks to be run again has not ended the operation."""
    store.append([queued("one")])
    command = tracker("logs", "one", "-f", "--json")
    begun(store)
    store.append([logged("one", "r1", 2, "first")])
    command.shows("first")
    store.append([blob("one", head("r1", Status.QUEUED), seq=3)])
    begun(store, run="r2")
    store.append([logged("one", "r2", 2, "second"), ended("one", run="r2", seq=3)])
    assert command.code() == 0
    assert [(line["attempt"], line["text"]) for line in command.objects] == [(1, "first"), (2, "second")]
