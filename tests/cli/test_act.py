"""``cancel``, ``resume``, ``rerun`` and ``erase``: what they do, say and refuse."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tests.cli.conftest import Run
from tests.store.making import batch_of, ended, queued, started
from tests.support import free_address
from tracker.model import Status
from tracker.store import JobInfo, QueueItem, Store

SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}


def failed(store: Store, id: str) -> None:
    """A job's operation that has failed, and a worker that would run it again."""
    part = msgspec.structs.replace(queued(id, name="copy").part, args={"path": "a"}, whole=True)
    store.append([QueueItem(id, part), started(id), ended(id, Status.ERROR)])
    store.publish_jobs("w1", [JobInfo("copy", SCHEMA, f"queue-{store.keys.namespace}")])


def test_what_waits_is_cancelled_and_what_runs_is_asked(tracker: Run, store: Store) -> None:
    """One line for each, also for what cannot be; who asked is kept."""
    store.append([queued("waits"), started("runs", "r2"), started("over", "r3"), ended("over", run="r3")])
    command = tracker("cancel", "waits", "runs", "over", "never", "--yes")
    assert command.code() == 1
    assert command.lines == ["cancelled waits", "asked runs to end, with what is open below it"]
    assert [line.partition(";")[0] for line in command.err.splitlines()] == [
        "tracker: there is no operation 'never'",
        "tracker: over has ended already (complete), and nothing below it is open",
    ]
    parts = store.operation("runs")
    assert parts is not None
    assert parts.cancel is not None
    assert "@" in parts.cancel.by


def test_json_is_one_object_a_line_and_nothing_else(tracker: Run, store: Store) -> None:
    """The operation as it is then; where something was resumed, with what is expected."""
    failed(store, "a")
    store.append([queued("b")])
    cancelled, resumed = tracker("cancel", "b", "--json", "--terminate"), tracker("resume", "a", "--json")
    assert [command.code() for command in (cancelled, resumed)] == [0, 0]
    assert [found["status"] for found in cancelled.objects] == ["cancelled"]
    (found,) = resumed.objects
    assert (found["status"], found["attempt"]) == ("queued", 1)
    assert found["expected"]["summary"] == "nothing can be reused, so every step runs"
    assert (cancelled.err, resumed.err) == ("", "")


def test_more_than_one_is_asked_about_on_a_terminal(tracker: Run, store: Store) -> None:
    """A no changes nothing; ``--yes`` asks nothing."""
    store.append([queued("a"), queued("b")])
    refused = tracker("cancel", "a", "b", terminal=(80, 24))
    refused.shows("cancel 2 operations?")
    refused.press("n\n")
    assert refused.code() == 130
    assert store.status("a") is Status.QUEUED
    assert tracker("cancel", "a", "b", "--yes", terminal=(80, 24)).code() == 0
    assert [store.status(id) for id in "ab"] == [Status.CANCELLED] * 2


def test_what_cannot_run_again_is_one_line(tracker: Run, store: Store) -> None:
    """And exit code 1; where Redis is away, 5."""
    failed(store, "a")
    store.append([queued("waits")])
    queued_again = tracker("rerun", "a")
    assert (queued_again.code(), queued_again.lines) == (0, ["queued a again"])
    for verb in ("resume", "rerun"):
        refused = tracker(verb, "waits")
        assert (refused.code(), refused.out, refused.err.count("\n")) == (1, "", 1)
        assert refused.err.startswith("tracker: waits is queued")
        assert tracker(verb, "a", TRACKER_REDIS_URL="redis://127.0.0.1:1/0").code() == 5


def test_a_failed_job_is_resumed_and_waited_for(tracker: Run, tmp_path: Path) -> None:
    """On a whole running system, when what was missing is there."""
    own = {"TRACKER_REDIS_URL": "", "TRACKER_BIND": free_address(), "TRACKER_DATA_ROOT": str(tmp_path)}
    tracker("up", **own).shows("(Ctrl-C stops everything)", 60)
    submitted = tracker("submit", "files.process", "--arg", "path=a.txt", "-q", **own)
    assert submitted.code() == 0
    id = submitted.out.strip()
    assert tracker("watch", id, "--exit-status", **own).code() == 1
    (tmp_path / "a.txt").write_text("good\n")
    resumed = tracker("resume", id, "--wait", "--exit-status", **own)
    assert resumed.code(60) == 0, resumed.err
    assert resumed.lines[0].startswith(f"queued {id} again: ")
    shown = tracker("show", id, "--json", **own)
    assert (shown.code(), shown.objects[0]["attempt"]) == (0, 2)


def test_what_the_filters_find_is_cancelled_if_it_is_open(tracker: Run, store: Store) -> None:
    """Shown before it is asked about on a terminal; a script has to say --yes."""
    store.append([queued("a", name="copy"), queued("b", name="copy"), queued("c"), started("over"), ended("over")])
    unasked = tracker("cancel", "--name", "copy")
    assert (unasked.code(), unasked.err.count("\n")) == (2, 1)
    assert "say --yes" in unasked.err
    asked = tracker("cancel", "--name", "copy", terminal=(100, 24))
    asked.shows("cancel 2 operations?")
    assert "a  queued  A title" in asked.text
    assert "not complete" not in asked.text
    asked.press("y\n")
    assert asked.code() == 0
    assert [store.status(id) for id in "abc"] == [Status.CANCELLED, Status.CANCELLED, Status.QUEUED]
    none = tracker("cancel", "--name", "copy", "--yes")
    assert (none.code(), none.err) == (0, "no open operations that fit\n")


def test_ending_processes_is_asked_about_on_a_terminal(tracker: Run, store: Store) -> None:
    """Also of one operation: what it is in the midst of is lost."""
    store.append([queued("a")])
    command = tracker("cancel", "a", "--terminate", terminal=(80, 24))
    command.shows("cancel 1 operation and end the processes that run it?")
    command.press("n\n")
    assert command.code() == 130
    assert store.status("a") is Status.QUEUED


@pytest.mark.parametrize(
    "arguments", [[], ["a", "--name", "job"], ["--status", "complete"], ["--label", "tenant"], ["--status", "nope"]]
)
def test_what_to_cancel_has_to_be_said(tracker: Run, store: Store, arguments: list[str]) -> None:
    """Nothing is cancelled because something was left out, or fits nothing that is open."""
    store.append([queued("a")])
    command = tracker("cancel", "--yes", *arguments)
    assert (command.code(), command.out) == (2, "")
    assert command.err.count("\n") == 1
    assert store.status("a") is Status.QUEUED


def test_several_run_again_after_a_question(tracker: Run, store: Store) -> None:
    """A script says --yes; of an id that means nothing, nothing is done to the others."""
    failed(store, "a")
    part = msgspec.structs.replace(queued("b", name="copy").part, args={"path": "b"}, whole=True)
    store.append([QueueItem("b", part), started("b", "r2"), ended("b", Status.ERROR, run="r2")])
    unasked, unknown = tracker("rerun", "a", "b"), tracker("rerun", "a", "nope", "--yes")
    assert (unasked.code(), unknown.code()) == (2, 1)
    assert [store.status(id) for id in "ab"] == [Status.ERROR] * 2
    done = tracker("rerun", "a", "b", "--yes")
    assert (done.code(), done.lines) == (0, ["queued a again", "queued b again"])


def test_resuming_much_of_a_batch_is_asked_about(tracker: Run, store: Store) -> None:
    """It says how many children would run; a no queues nothing."""
    ids = batch_of(store, 3)
    store.append([started(id, f"r{id}", parent="b") for id in ids])
    store.append([ended(ids[0], run=f"r{ids[0]}", parent="b")])
    store.append([ended(id, Status.ERROR, run=f"r{id}", parent="b") for id in ids[1:]])
    asked, unasked = tracker("resume", "b", terminal=(100, 24)), tracker("resume", "b")
    asked.shows("resume 2 children of it?")
    assert "b  error  A title, 2 of 3 below it not complete" in asked.text
    asked.press("n\n")
    assert (asked.code(), unasked.code()) == (130, 2)
    assert "say --yes" in unasked.err
    assert store.status(ids[1]) is Status.ERROR


def test_what_is_erased_is_named_before_and_gone_afterwards(tracker: Run, store: Store) -> None:
    """With what is below it; a no leaves all there, and a script has to say yes."""
    batch_of(store, 2)
    store.cancel("b", "ada")
    scripted = tracker("erase", "b")
    assert (scripted.code(), scripted.out) == (2, "")
    assert "erase 1 operation and 2 below for good? Nobody can be asked here; say --yes" in scripted.err
    asked = tracker("erase", "b", terminal=(100, 24))
    asked.shows("erase 1 operation and 2 below for good?")
    asked.press("n\n")
    assert asked.code() == 130
    assert store.operation("b") is not None
    erased = tracker("erase", "b", "--yes")
    assert (erased.code(), erased.lines) == (0, ["erased b"])
    assert store.operation("b") is None
    assert tracker("erase", "b", "--yes").code() == 1


def test_of_several_those_that_go_on_stay_and_are_named(tracker: Run, store: Store) -> None:
    """The others are erased all the same; of an id that means nothing, none is."""
    store.append([started("runs", "r1"), started("over", "r2"), ended("over", run="r2")])
    unknown = tracker("erase", "over", "never", "--yes")
    assert (unknown.code(), "there is no operation 'never'" in unknown.err) == (1, True)
    assert store.operation("over") is not None
    command = tracker("erase", "runs", "over", "--yes", "--json")
    assert command.code() == 1
    assert command.objects == [{"erased": "over"}]
    assert command.err == "tracker: runs is running; cancel it, and erase it when it has ended\n"
    assert store.operation("runs") is not None
