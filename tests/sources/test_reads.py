"""What is stored is told in the same words, whichever way it is read."""

from __future__ import annotations

import json
import time
import uuid
from contextlib import closing

import msgspec
import pytest

from tests.sources.conftest import Both
from tests.store.making import NOW, batch_of, blob, ended, head, queued, started, step_event
from tracker.archive import Archive
from tracker.history.archiving import Archiving
from tracker.model import Error, Event, LogLine, Status, StepState, StepStatus
from tracker.settings import Settings
from tracker.store import QueueItem, RunBlob, Store

HOSTILE = "\x1b[31mred\x1b[0m \u202egnp.exe <b>&amp;</b> \x00\r\n[bold]x[/bold] 🏴‍☠️ " + "ａ" * 80


def failed(store: Store, id: str, message: str = "no") -> None:
    """An operation that has run two steps and failed at the second."""
    why = Error("ValueError", message, path=["A title", "Step 2"], traceback="Traceback …\n  line\n", step=2)
    store.append([started(id), step_event(id, 2), step_event(id, 3, status=StepStatus.COMPLETE), step_event(id, 4, 2)])
    wrong = StepState(2, "Step 2", StepStatus.ERROR, NOW, 1.0, 3, 10, "rows")
    store.append([blob(id, head(status=Status.ERROR, error=why), seq=5, type="operation.complete", steps=[wrong])])


def complete(store: Store, id: str) -> None:
    store.append([started(id), step_event(id, 2), step_event(id, 3, status=StepStatus.COMPLETE), ended(id, seq=4)])


def a_batch(store: Store, id: str) -> None:
    """Three children, of which one fails and one is cancelled."""
    one, two, three = batch_of(store, 3, id)
    outcomes = {one: Status.COMPLETE, two: Status.ERROR, three: Status.CANCELLED}
    for child, status in outcomes.items():
        why = Error("OSError", f"disk of {child} full") if status is Status.ERROR else None
        run = f"run-{child}"
        end = blob(child, head(run, status, error=why), seq=2, type="operation.complete", parent=id)
        store.append([started(child, run, parent=id), end])


def run_again(store: Store, id: str) -> None:
    """Failed, and run again by another run."""
    failed(store, id)
    store.append([started(id, "r2"), step_event(id, 2, run="r2"), ended(id, run="r2", seq=3)])


def hostile(store: Store, id: str) -> None:
    """Texts that would break a terminal, a page, or a table."""
    part = msgspec.structs.replace(
        queued(id).part, title=HOSTILE, name=HOSTILE[:100], labels={HOSTILE[:50]: HOSTILE[:60]}
    )
    store.append([QueueItem(id, part), started(id)])
    line = Event("step.log", id, NOW, "r1", 2, log=LogLine(1, NOW, HOSTILE, level="warning"))
    store.append([RunBlob(id, "r1", [line], "", NOW, None, [], None)])
    failed(store, f"other-{id}", HOSTILE)


MAKERS = [complete, failed, a_batch, run_again, hostile]


@pytest.mark.parametrize("make", MAKERS)
def test_one_operation_is_shown_the_same(both: Both, store: Store, id: str, make: type) -> None:
    """In columns, as JSON, each attempt of it, and by the beginning of its id."""
    make(store, id)
    plain, as_json = both("show", id), both("show", id, "--json")
    assert plain.code == as_json.code == 0
    assert json.loads(as_json.out)["id"] == id
    assert both("show", id[:20]).out == plain.out
    both("show", id, "--attempt", "1")


@pytest.mark.parametrize("make", MAKERS)
def test_watching_what_is_over_tells_the_same(both: Both, store: Store, id: str, make: type) -> None:
    """Its snapshot, its failures, its outcome as exit code."""
    make(store, id)
    if make is hostile:
        id = f"other-{id}"
    assert both("watch", id, "--exit-status").err.endswith("is already over\n")
    assert both("watch", id, "--json").code == 0


def test_a_list_is_the_same(both: Both, store: Store, id: str) -> None:
    """Also one that is longer than the server gives at once."""
    store.append([queued(f"{id}-{number}") for number in range(230)])
    assert len(both("ls", "--limit", "225").out.splitlines()) == 225
    listed = [json.loads(line) for line in both("ls", "--json", "--status", "queued", "--limit", "5").out.splitlines()]
    assert [one["status"] for one in listed] == ["queued"] * 5
    both("ls", "--name", "nobody-has-this-name")


def test_jobs_are_the_same(both: Both, store: Store) -> None:
    """Those with workers and those without."""
    assert "idle" in both("jobs").out
    assert [json.loads(line)["name"] for line in both("jobs", "--json").out.splitlines()] == ["copy", "idle"]


def test_what_is_in_the_archive_is_the_same(
    both: Both, store: Store, shared: dict[str, str], id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has to know where an operation is kept."""
    failed(store, id)
    before = both("show", id, "--json")
    later = time.time() + 60
    monkeypatch.setattr("tracker.history.archiving.now", lambda: later, raising=False)
    from tests.support import wait_for

    def has_left(archive: Archive) -> bool:
        Archiving(store, archive, 90).turn()
        return not store.client.redis.exists(store.keys.operation(id))

    with closing(Archive(Settings.from_env(shared).archive, store.keys.namespace)) as archive:
        wait_for(lambda: has_left(archive))
    after = both("show", id, "--json")
    assert {**json.loads(after.out), "rev": 0} == {**json.loads(before.out), "rev": 0}
    both("watch", id, "--json")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["show", "never"], 1, "there is no operation 'never'"),
        (["show", ""], 1, "there is no operation ''"),
        (["show", "a/../b"], 1, "there is no operation 'a/../b'"),
        (["show", ".."], 1, "there is no operation '..'"),
        (["show", "ä ö?x=1#y"], 1, "there is no operation 'ä ö?x=1#y'"),
        (["show", "x" * 300], 1, "there is no operation 'xxx"),
        (["watch", "never"], 1, "there is no operation 'never'"),
        (["cancel", "never"], 1, "there is no operation 'never'"),
        (["submit", "nobody.knows", "--args", "{}"], 2, "'nobody.knows'"),
        (["submit", "nobody.knows", "--arg", "a=b"], 2, "'nobody.knows'"),
        (["submit", "idle", "--args", '{"path": "x"}'], 1, "no live worker"),
        (["submit", "copy", "--args", '{"path": 3}'], 2, "not of type"),
        (["submit", "copy"], 2, "path"),
        (["batch", "copy", '{"path": "a"}', '{"path": 3}'], 2, "not of type"),
        (["batch", "copy", "a", "--on-complete", "nobody.knows"], 2, "nobody.knows"),
    ],
)
def test_a_mistake_is_told_in_the_same_words(
    both: Both, store: Store, arguments: list[str], code: int, said: str
) -> None:
    """One line, and the same exit code."""
    told = both(*arguments)
    assert told.code == code
    assert said in told.err
    assert told.err.count("\n") == 1


@pytest.mark.parametrize("verb", ["show", "watch", "logs", "cancel", "resume"])
def test_what_cannot_be_read_is_told_in_the_same_words(both: Both, store: Store, id: str, verb: str) -> None:
    """One line, which names the field and what to do."""
    store.append([started(id)])
    store.client.redis.hset(store.keys.operation(id), "queue", "{{")
    told = both(verb, id)
    assert told.code == 1
    assert told.err.startswith(f"tracker: the record of operation '{id}' cannot be read: its `queue` makes no sense (")
    assert told.err.count("\n") == 1
    assert "`tracker doctor`" in told.err
    store.client.redis.delete(store.keys.operation(id))


def test_a_beginning_that_several_ids_have_is_told_in_the_same_words(both: Both, store: Store) -> None:
    """And that of one is enough."""
    mark = uuid.uuid4().hex
    store.append([queued(f"{mark}-{letter}") for letter in "ab"])
    assert both("show", mark).err == f"tracker: {mark!r} is the beginning of 2 operations; give more of the id\n"
    assert both("show", f"{mark}-a").code == 0


def test_what_cannot_be_done_is_told_in_the_same_words(both: Both, store: Store, id: str) -> None:
    """What has ended cannot be cancelled, and what runs or was no job cannot run again."""
    complete(store, f"{id}-over")
    store.append([started(f"{id}-runs")])
    failed(store, f"{id}-script")
    told = [both("cancel", f"{id}-over"), both("rerun", f"{id}-runs"), both("resume", f"{id}-script")]
    assert [one.code for one in told] == [1, 1, 1]
    assert "has ended already" in told[0].err


def test_logs_statistics_and_exports_are_the_same(both: Both, store: Store, id: str) -> None:
    """As columns, as JSON, and as a file."""
    hostile(store, id)
    assert len(both("logs", id).out.splitlines()) == 1
    assert json.loads(both("logs", id, "--json").out)["level"] == "warning"
    assert both("stats", "--json").code == both("stats").code == 0
    assert id in both("export", "--format", "csv", "--search", id).out
    assert json.loads(both("export", "--format", "jsonl", "--search", id).out.splitlines()[0])["id"].endswith(id)
