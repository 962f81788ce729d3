"""``cancel``, ``resume`` and ``rerun``: what they do, say and refuse."""

from __future__ import annotations

from pathlib import Path

import msgspec

from tests.cli.conftest import Run
from tests.cli.system import free_address
from tests.store.making import ended, queued, started
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
    command = tracker("cancel", "waits", "runs", "over", "never")
    assert command.code() == 1
    assert command.lines == ["cancelled waits", "asked runs to end, with what is open below it"]
    assert [line.partition(";")[0] for line in command.err.splitlines()] == [
        "tracker: over has ended already (complete), and nothing below it is open",
        "tracker: there is no operation 'never'",
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
