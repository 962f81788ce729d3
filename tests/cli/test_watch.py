"""``tracker watch`` in a pipe: plain lines for people and logs, events for programs."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.cli.conftest import Run
from tests.store.making import NOW, batch_of, blob, by, ended, head, lease, queued, started, step_event
from tests.store.revs import begun
from tests.support import wait_for
from tracker.clock import now
from tracker.embedded import ensure_server
from tracker.model import Error, Event, EventType, LogLine, RunPart, Status, StepStatus, Verdict
from tracker.store import RunBlob, Silence, Store, VerdictItem


def test_every_transition_is_one_line(tracker: Run, store: Store) -> None:
    """From the running operation over its steps to its outcome, then it ends by itself."""
    store.append([started("one")])
    command = tracker("watch", "one")
    command.shows("A title: running")
    store.append([step_event("one", 2)])
    store.append([step_event("one", 3, status=StepStatus.COMPLETE)])
    why = Error("ValueError", "no", path=["A title", "Step 2"])
    store.append([blob("one", head(status=Status.ERROR, error=why), seq=4, type="operation.complete")])
    assert command.code() == 0
    assert [line.partition("  ")[2] for line in command.lines] == [
        "A title: running",
        "[1] Step 1: running",
        "[1] Step 1: complete",
        'A title: error after 1.0s at "Step 2": ValueError: no',
    ]
    assert "\x1b" not in command.out


def test_json_is_a_snapshot_and_then_every_event(tracker: Run, store: Store) -> None:
    """Each event carries the operation after it; nothing but JSON is on stdout."""
    store.append([started("one")])
    command = tracker("watch", "one", "--json")
    wait_for(lambda: command.objects)
    store.append([step_event("one", 2), step_event("one", 3, status=StepStatus.COMPLETE), ended("one", seq=4)])
    assert command.code() == 0
    first, *events = command.objects
    assert (first["type"], first["operation"]["status"]) == ("snapshot", "running")
    assert [event["type"] for event in events] == ["step.start", "step.start", "operation.complete"]
    before = begun(store, "one")
    assert [event["operation"]["rev"] - before for event in (first, *events)] == [1, 2, 3, 4]
    assert events[1]["step"]["status"] == "complete"
    assert all(event["cursor"] for event in events)


def test_an_operation_that_is_over_is_told_and_left_at_once(tracker: Run, store: Store) -> None:
    """Nothing to wait for: its outcome, and a word on stderr that it is old."""
    store.append([started("one"), ended("one")])
    command = tracker("watch", "one")
    assert command.code() == 0
    assert command.err == "A title is already over\n"
    assert command.lines[-1].endswith("A title: complete in 1.0s")


def test_it_waits_for_an_operation_that_does_not_exist_yet_when_asked(tracker: Run, store: Store) -> None:
    """With ``--wait`` an unknown id is no error: it says so and goes on when it appears."""
    command = tracker("watch", "later", "--wait", "--exit-status")
    command.shows("waiting for operation later")
    store.append([started("later"), ended("later", Status.CANCELLED)])
    assert command.code() == 3


def test_the_beginning_of_an_id_is_enough(tracker: Run, store: Store) -> None:
    """As long as only one operation's id begins so."""
    store.append([started("abcdef"), ended("abcdef"), queued("abxxxx")])
    command = tracker("watch", "abc", "--json")
    assert command.code() == 0
    assert command.objects[0]["operation"]["id"] == "abcdef"


def test_a_batch_tells_each_child_s_outcome_and_repeats_the_failures(tracker: Run, store: Store) -> None:
    """A child's beginning is no news among hundreds; its outcome is, and failures stand at the end once more."""
    ids = batch_of(store, 3)
    command = tracker("watch", "b", "--exit-status")
    command.shows("A title: queued")
    store.append([started(id, parent="b") for id in ids])
    why = Error("NotText", "not UTF-8", path=["A title", "Check"])
    failed = RunPart("r1", "job", "Bad file", NOW, NOW, Status.ERROR, ended=NOW + 1, error=why)
    store.append([ended(ids[0], parent="b"), ended(ids[1], parent="b")])
    store.append([blob(ids[2], failed, seq=2, type="operation.complete", parent="b")])
    assert command.code() == 1
    told = [line.partition("  ")[2] for line in command.lines]
    assert told.count("A title: complete in 1.0s") == 2
    assert 'Bad file: error after 1.0s at "Check": NotText: not UTF-8' in told
    assert command.lines[-1] == '  Bad file: error at "Check": NotText: not UTF-8'
    assert "2 complete, 1 error" in command.lines[-2]


def test_a_batch_s_children_are_part_of_the_json_stream(tracker: Run, store: Store) -> None:
    """The snapshot holds the batch and every child; the totals add up in every line."""
    ids = batch_of(store, 5)
    store.append([started(ids[0], parent="b"), ended(ids[0], parent="b")])
    command = tracker("watch", "b", "--json")
    wait_for(lambda: len(command.objects) == 6)
    store.append([change for id in ids[1:] for change in (started(id, parent="b"), ended(id, parent="b"))])
    assert command.code() == 0
    lines = command.objects
    assert {line["operation"]["id"] for line in lines[:6]} == {"b", *ids}
    last = {line["operation"]["id"]: line["operation"]["status"] for line in lines}
    assert last == {"b": "complete", **dict.fromkeys(ids, "complete")}
    counts = [line["operation"]["children"] for line in lines if line["operation"]["id"] == "b"]
    statuses = [status.value for status in Status]
    assert all(sum(count[status] for status in statuses) == count["total"] == 5 for count in counts)


def test_without_an_id_everything_top_level_is_followed(tracker: Run, store: Store) -> None:
    """A batch is one line with its counts; its children are not listed."""
    command = tracker("watch", "--json", "--timeout", "60")
    store.append([started("one")])
    wait_for(lambda: command.objects)
    ids = batch_of(store, 2)
    store.append([change for id in ids for change in (started(id, parent="b"), ended(id, parent="b"))])
    wait_for(lambda: [one for one in command.objects if one["operation"]["status"] == "complete"])
    assert {one["operation"]["id"] for one in command.objects} == {"one", "b"}
    command.process.send_signal(signal.SIGINT)
    assert command.code() == 130


def test_a_verdict_from_outside_ends_the_watching(tracker: Run, store: Store) -> None:
    """Also an operation whose process cannot say anything any more comes to an end."""
    store.append([started("one")])
    command = tracker("watch", "one", "--exit-status")
    command.shows("running")
    store.append([VerdictItem("one", Status.RUNNING, Verdict(Status.LOST, now(), "test", run="r1", reason="died"))])
    assert command.code() == 4
    assert "A title: lost" in command.lines[-1]


def test_silence_and_life_are_told_as_they_are_judged(tracker: Run, store: Store) -> None:
    """A line says that the process is silent, and one that it is well again."""
    store.append([by("p", started("a")), lease("p", "r1")])
    command = tracker("watch", "a")
    command.shows("A title: running")
    verdict = Verdict(Status.RUNNING, NOW, "recorder", run="r1", flags=["unresponsive"])
    store.append([Silence("p", 1, "a", verdict)])
    command.shows("A title: running, unresponsive")
    store.append([lease("p", "r1"), by("p", ended("a"))])
    assert command.code() == 0
    said = [line.partition("  ")[2] for line in command.lines]
    assert said[:3] == ["A title: running", "A title: running, unresponsive", "A title: running"]
    assert said[3].startswith("A title: complete")


def test_ls_and_show_say_that_a_process_is_silent(tracker: Run, store: Store) -> None:
    """In the status, for pipes and for people."""
    verdict = Verdict(Status.RUNNING, NOW, "recorder", run="r1", flags=["unresponsive"])
    store.append([by("p", started("a")), lease("p", "r1"), Silence("p", 1, "a", verdict)])
    listed, shown = tracker("ls"), tracker("show", "a")
    assert (listed.code(), shown.code()) == (0, 0)
    assert listed.lines[0].split("\t")[1] == "running, unresponsive"
    assert shown.lines[0] == "A title: running, unresponsive"


def test_a_redis_that_goes_away_is_told_and_the_watching_goes_on_with_it(tracker: Run, tmp_path: Path) -> None:
    """Nothing of what happens afterwards is missed, and stdout says from where on it was read anew."""
    server = ensure_server(tmp_path / "redis")
    store = Store(server.url)
    store.append([started("one")])
    command = tracker("watch", "one", "--exit-status", TRACKER_REDIS_URL=server.url, TRACKER_NAMESPACE="default")
    try:
        command.shows("A title: running")
        server.stop()
        command.shows("no answer from Redis since")
        server = ensure_server(tmp_path / "redis")
        command.shows("Redis answers again")
        store.client.disconnect()
        store.append([ended("one")])
        assert command.code() == 0
    finally:
        command.close()
        store.client.disconnect()
        server.stop()
    assert command.lines[-1].endswith("A title: complete in 1.0s")


def test_log_lines_and_warnings_appear_as_they_are_said(tracker: Run, store: Store) -> None:
    """Under the operation one watches; cleaned, and in between the transitions."""
    store.append([started("one")])
    command = tracker("watch", "one")
    command.shows("A title: running")
    said = [LogLine(1, NOW, "reading"), LogLine(2, NOW, "no \x1b[31mfield", 1, "warning")]
    events = [Event(EventType.STEP_LOG, "one", NOW, "r1", seq, log=line) for seq, line in enumerate(said, 2)]
    store.append([RunBlob("one", "r1", events, "", NOW), ended("one", seq=4)])
    assert command.code() == 0
    assert [line.partition("  ")[2] for line in command.lines][1:3] == ["| reading", "| warning: no \ufffd[31mfield"]
