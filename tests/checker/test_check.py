"""The checker itself: a right history passes, and each way in which one can be wrong is found."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from tests.checker.check import check, in_order, outcomes_final
from tests.checker.history import STATUSES, History, Intent, Seen, Stored, StoredRun, load, save

DONE = {1: "complete", 2: "complete"}


def counts(**given: int) -> dict[str, int]:
    held = dict.fromkeys(STATUSES, 0) | given
    return held | {"total": sum(held.values())}


def journal(title: str, operation: str, *, left: bool = True) -> list[Intent]:
    """Two steps, one after the other."""
    intents = [Intent("start", title, operation)]
    for index in (1, 2):
        intents += [Intent("step", title, step=index, status=status) for status in ("running", "complete")]
    intents.append(Intent("end", title, status="complete"))
    return [*intents, Intent("left")] if left else intents


def watched() -> list[Seen]:
    """A run seen from its start to its end, and then shown."""
    run = ("r1", "one")
    return [
        Seen("reset"),
        Seen("state", "a", 1, *run, "running"),
        Seen("event", "a", 2, *run, "running", {1: "running"}),
        Seen("event", "a", 3, *run, "running", {1: "complete"}),
        Seen("event", "a", 4, *run, "running", {2: "running"}),
        Seen("event", "a", 5, *run, "running", {2: "complete"}),
        Seen("event", "a", 6, *run, "complete"),
        Seen("event", "b", 1, "", "", "queued", {}, counts(queued=1)),
        Seen("final", "a", 6, *run, "complete", dict(DONE)),
        Seen("final", "b", 1, "", "", "running", {}, counts(complete=1)),
    ]


def right() -> History:
    """Two producers, one of them killed in its second step; a parent with one child; one watcher."""
    killed = journal("two", "c", left=False)[:4]
    return History(
        journals={"journal-1": journal("one", "a"), "journal-2": killed},
        stored=[
            Stored("a", "redis", "complete", [StoredRun("r1", "one", 1, "complete", dict(DONE))], parent="b"),
            Stored("b", "redis", "running", children=counts(complete=1)),
            Stored("c", "redis", "lost", [StoredRun("r2", "two", 1, "running", {1: "complete"})]),
        ],
        watchers={"watcher-1": watched()},
    )


def test_a_right_history_passes() -> None:
    """Also one in which the end of a killed producer's journal is not stored."""
    assert check(right()) == []


def test_a_run_that_is_told_again_after_its_operation_has_left_passes() -> None:
    """Its publisher had got no answer; but without having left, no run begins once more."""
    history = right()
    seen = history.watchers["watcher-1"]
    last = seen[-2]
    again = [msgspec.structs.replace(record, rev=100 + record.rev) for record in seen[1:7]]
    again[0].what, last.rev = "first", again[-1].rev
    seen[-2:-2] = again
    assert check(history) == []
    again[0].what, again[0].rev = "event", 7
    assert {"order", "outcome"} <= {violation.rule for violation in check(history)}


def test_all_runs_of_an_operation_are_told_again_when_one_is() -> None:
    """Of two attempts that were over, both begin once more; and neither does without having left."""

    def told(rev: int) -> list[Seen]:
        runs = [("r1", rev), ("r2", rev + 3)]
        return [
            Seen("event", "a", at + place, run, run, status, {1: step})
            for run, at in runs
            for place, (status, step) in enumerate(
                [("running", "running"), ("running", "complete"), ("complete", "complete")]
            )
        ]

    seen = told(1) + told(100)
    seen[0].what = seen[6].what = "first"
    assert [*in_order("one", seen), *outcomes_final("one", seen)] == []
    seen[6].what, seen[6].rev = "event", 7
    assert {violation.rule for violation in in_order("one", seen)} == {"order", "gap"}
    assert {violation.rule for violation in outcomes_final("one", seen)} == {"outcome"}


WRONG: dict[str, tuple[str, Callable[[History], object]]] = {
    "a run is not stored": ("missing", lambda h: h.stored[0].runs.clear()),
    "a step is not stored": ("missing", lambda h: h.stored[0].runs[0].steps.pop(2)),
    "the outcome is not stored": ("missing", lambda h: setattr(h.stored[0].runs[0], "status", "running")),
    "the outcome is another one": ("missing", lambda h: setattr(h.stored[0].runs[0], "status", "error")),
    "a step ended otherwise": ("missing", lambda h: h.stored[0].runs[0].steps.update({2: "error"})),
    "an event is missing before one that is stored": ("missing", lambda h: h.stored[2].runs[0].steps.pop(1)
                                                      and h.stored[2].runs[0].steps.update({2: "running"})),
    "what was safe is not stored": ("missing", lambda h: h.journals["journal-2"].insert(4, Intent("safe"))
                                    or h.stored[2].runs[0].steps.clear()),
    "a run nobody made": ("invented", lambda h: h.stored.append(
        Stored("d", "redis", "running", [StoredRun("r9", "nobody", 1, "running")]))),
    "a run under another operation": ("invented", lambda h: setattr(h.stored[2], "operation", "z")),
    "a run stored twice": ("once", lambda h: h.stored[0].runs.append(
        StoredRun("r1", "one", 2, "complete", dict(DONE)))),
    "a run stored as another one as well": ("once", lambda h: h.stored.append(
        Stored("a", "archive", "complete", [StoredRun("r8", "one", 1, "complete", dict(DONE))], parent="b"))),
    "an attempt left out": ("once", lambda h: setattr(h.stored[0].runs[0], "attempt", 2)),
    "counts that are not those of the children": ("counts", lambda h: h.stored[1].children.update(queued=1)),
    "a total that is no sum": ("counts", lambda h: h.watchers["watcher-1"][7].children.update(total=7)),
    "revs out of order": ("order", lambda h: _swap(h.watchers["watcher-1"], 3, 4)),
    "a state of a step left out on the way": ("order", lambda h: h.watchers["watcher-1"][5].steps.update(
        {1: "error"})),
    "a history that goes back without a reset": ("order", lambda h: h.watchers["watcher-1"].insert(
        7, Seen("event", "a", 2, "r1", "one", "complete", {1: "complete"}))),
    "a step that goes back": ("order", lambda h: h.watchers["watcher-1"].insert(
        7, Seen("event", "a", 6, "r1", "one", "complete", {1: "running"}))),
    "an outcome taken back": ("outcome", lambda h: h.watchers["watcher-1"].insert(
        7, Seen("event", "a", 7, "r1", "one", "running"))),
    "an event nobody made": ("invented", lambda h: h.watchers["watcher-1"][5].steps.update({2: "skipped"})),
    "an outcome the watcher missed": ("gap", lambda h: setattr(h.watchers["watcher-1"][-2], "status", "running")),
    "a step the watcher missed": ("gap", lambda h: h.watchers["watcher-1"][-2].steps.pop(2)),
    "an older attempt shown": ("gap", lambda h: setattr(h.watchers["watcher-1"][-2], "run", "r0")),
    "an operation that vanished": ("gap", lambda h: h.watchers["watcher-1"].pop(-2)),
}  # fmt: skip


def _swap(seen: list[Seen], first: int, second: int) -> None:
    seen[first], seen[second] = seen[second], seen[first]


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_history_is_found(name: str) -> None:
    """By the rule that it breaks."""
    rule, spoil = WRONG[name]
    history = right()
    spoil(history)
    assert rule in {violation.rule for violation in check(history)}


@pytest.mark.parametrize("place", [place for place, record in enumerate(watched()) if record.operation == "a"][1:-1])
def test_an_event_that_a_watcher_did_not_see_is_found(place: int) -> None:
    """Whichever it was, and although the watcher shows the right state at the end."""
    history = right()
    del history.watchers["watcher-1"][place]
    assert "gap" in {violation.rule for violation in check(history)}


def test_a_trial_is_checked_from_its_folder(tmp_path: Path) -> None:
    """As a program: it says what is wrong, and its exit code that something is."""
    history = right()
    history.stored[0].runs[0].status = "error"
    for name, records in (history.journals | history.watchers).items():
        save(tmp_path, name, records)
    save(tmp_path, "stored-redis", history.stored)
    assert load(tmp_path) == history
    command = [sys.executable, "-m", "tests.checker.check", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[2])
    assert done.returncode == 1
    assert done.stdout.startswith("missing: the run 'one' is stored as")
