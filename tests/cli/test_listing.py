"""``ls``: which operations it finds, and how it tells of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from tests.cli.conftest import Run
from tests.store.making import batch_of, blob, ended, head, queued, started
from tracker.clock import now
from tracker.model import Error, QueuePart, RunPart, Status, StepState, StepStatus, Worker
from tracker.store import QueueItem, Store

HOUR = 3_600.0


def made(id: str, ago: float = 0.0, **fields: Any) -> QueueItem:
    """An operation that was queued that many seconds ago."""
    part = {"title": f"Title of {id}"} | fields
    return QueueItem(id, QueuePart("job", now() - ago, **part))


def ids(tracker: Run, *arguments: str) -> Sequence[str]:
    """The ids that ``tracker ls -q ARGUMENTS`` prints."""
    command = tracker("ls", "-q", *arguments)
    assert command.code() == 0, command.err
    return command.lines


def test_several_statuses_are_one_list_newest_first(tracker: Run, store: Store) -> None:
    """An option may be given several times; of each only what fits the others too."""
    store.append([made("old", 30), made("new", 10), made("fails", 20), made("done", 5)])
    store.append([started("fails"), ended("fails", Status.ERROR), started("done", "r2"), ended("done", run="r2")])
    assert ids(tracker, "--status", "queued", "--status", "error") == ["new", "fails", "old"]
    assert ids(tracker, "--status", "queued", "--status", "error", "--limit", "2") == ["new", "fails"]
    assert ids(tracker, "--status", "lost") == []


def test_each_filter_finds_what_it_names(tracker: Run, store: Store) -> None:
    """By label, host, step, error, release and text; together they all have to fit."""
    failed = replace(
        head("r1", Status.ERROR),
        worker=Worker("node-3", 7, "q"), error=Error("ValueError", "no"), release="1.2", labels={"tenant": "acme"},
    )  # fmt: skip
    step = StepState(1, "Read", StepStatus.ERROR)
    store.append([made("other"), made("wanted")])
    store.append([blob("wanted", failed, type="operation.complete", steps=[step])])
    given = {
        "--label": "tenant=acme", "--worker": "node-3", "--step": "Read", "--error": "ValueError",
        "--release": "1.2", "--search": "A TITLE", "-s": "want",
    }  # fmt: skip
    for option, value in given.items():
        assert (option, ids(tracker, option, value)) == (option, ["wanted"])
    assert ids(tracker, "--label", "tenant=acme", "--error", "KeyError") == []


def test_times_are_said_as_people_say_them(tracker: Run, store: Store) -> None:
    """How long ago, or a day; both ends of a span."""
    store.append([made("now"), made("hour", 1.5 * HOUR), made("days", 72 * HOUR)])
    assert ids(tracker, "--since", "2h") == ["now", "hour"]
    assert ids(tracker, "--since", "4d", "--until", "1h") == ["hour", "days"]
    assert ids(tracker, "--until", "2020-01-01") == []
    wrong = tracker("ls", "--since", "soon")
    assert (wrong.code(), wrong.err.count("\n")) == (2, 1)
    assert "'soon' is no moment; write it as 2h or 3d" in wrong.err


def test_a_list_goes_on_over_pages(tracker: Run, store: Store) -> None:
    """As many as are asked for, each once."""
    store.append([made(f"op-{n:03}", n) for n in range(450)])
    assert ids(tracker, "--limit", "401") == [f"op-{n:03}" for n in range(401)]


def test_a_table_says_how_to_get_more_and_what_failed(tracker: Run, store: Store) -> None:
    """Titles of the columns, why something failed, how long ago; nothing is said where there is no more."""
    why = Error("NotText", "not UTF-8", path=["A", "Check"])
    part = RunPart("r1", "job", "Bad file", now() - 300, now() - 300, Status.ERROR, 1, now(), 2.2, error=why)
    batch_of(store, 3)
    store.append([blob("bad", part, type="operation.complete", steps=[StepState(1, "Check", StepStatus.ERROR)])])
    store.append([started("one")])
    cut, whole = tracker("ls", "--limit", "1", terminal=(110, 24)), tracker("ls", terminal=(110, 24))
    assert (cut.code(), whole.code()) == (0, 0)
    assert "and more; see them with --limit 5" in cut.text
    lines = whole.text.splitlines()
    assert lines[0].split() == ["ID", "STATUS", "TITLE", "WHERE", "TOOK", "AGE"]
    (row,) = [line for line in lines if "Bad file" in line]
    assert "✗ error" in row
    assert "Check: NotText: not UTF-8" in row
    assert row.endswith("2.2s  5 min")
    assert "0 of 3" in whole.text
    assert "--limit" not in whole.text


def test_nothing_found_says_so(tracker: Run, store: Store) -> None:
    """On a terminal; a pipe stays empty."""
    store.append([queued("one")])
    filtered, piped = tracker("ls", "--name", "other", terminal=(80, 24)), tracker("ls", "--name", "other")
    assert (filtered.code(), piped.code(), piped.out) == (0, 0, "")
    assert filtered.text.strip() == "no operations that fit; `tracker ls` lists all"


@pytest.mark.parametrize("size", [(20, 10), (40, 12), (80, 24), (200, 40)])
def test_a_row_never_wraps(tracker: Run, store: Store, size: tuple[int, int]) -> None:
    """Whatever the width, one line for each operation and one above."""
    store.append([made(f"0197aaaa-{n}", title="W" * 300) for n in range(3)])
    command = tracker("ls", terminal=size)
    assert command.code() == 0
    lines = command.text.splitlines()
    assert len(lines) == 4
    assert max(map(len, lines)) <= size[0]
