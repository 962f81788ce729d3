"""Ended operations move to the archive: nothing is lost on the way, nothing doubled, and nobody has to ask where."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from tests.store.making import NOW, batch_of, blob, by, ended, head, lease, queued, started, step_event
from tests.store.revs import begun
from tests.support import wait_for
from tracker.archive import Archive, Writer
from tracker.errors import ArchiveUnavailable, EventsGone, NotFound, StoreUnavailable, TrackerError
from tracker.history import History, archiving, late
from tracker.history.recorder import Recorder
from tracker.model import Error, Event, EventType, LogLine, Operation, Parts, Status, StepState, StepStatus
from tracker.record import Record
from tracker.store import Item, Leave, RunBlob, Sent, Store, leaving
from tracker.store.snapshot import Snapshot


def done(id: str, parent: str = "", status: Status = Status.COMPLETE, run: str = "r1") -> list[RunBlob]:
    """An operation of one step and one line, from beginning to end."""
    step = StepState(1, "Step 1", StepStatus.COMPLETE, NOW, 0.5)
    event = Event(EventType.STEP_COMPLETE, id, NOW, run, 2, step=step, log=LogLine(1, NOW, "a line", 1))
    middle = RunBlob(id, run, [event], parent, NOW, None, [step], step, results=[("key", b"1")])
    return [started(id, run, parent), middle, ended(id, status, run, 3, parent)]


def keys_left(store: Store) -> set[str]:
    """What is in Redis of operations."""
    found = store.client.redis.keys(f"{store.keys.prefix}*")
    names = {key.decode().removeprefix(store.keys.prefix) for key in found}
    return names - {"feed", "feed:last", "recorder", "archive", "bytes", "nothing"}


def everything(history: History, **filters: str) -> list[Operation]:
    """All pages of the list."""
    items: list[Operation] = []
    page: str | None = None
    while True:
        found = history.operations(page=page, limit=7, **filters)
        items += found.items
        if (page := found.next) is None:
            return items


def test_an_ended_operation_is_the_same_after_it_has_left_redis(
    store: Store, recorder: Recorder, history: History
) -> None:
    """With its steps, lines and attempts; nothing of it stays behind."""
    store.append([queued("a"), *done("a", status=Status.ERROR), *done("a", run="r2")])
    before, lines = history.operation("a"), history.logs("a")
    recorder.turn()
    assert store.operation("a") is None
    assert keys_left(store) == set()
    assert history.operation("a") == before
    assert history.logs("a") == lines
    assert [(line.attempt, line.text) for line in lines] == [(1, "a line"), (2, "a line")]
    assert recorder.archived == 1


def test_what_steps_of_a_failed_operation_have_kept_is_found_without_the_archive(
    store: Store, recorder: Recorder
) -> None:
    """A worker on another machine may run it again; of a complete one nothing is worth keeping."""
    store.append([*done("failed", status=Status.ERROR), *done("complete")])
    recorder.turn()
    assert keys_left(store) == {"results:failed"}
    assert store.results("failed") == {"key": b"1"}
    assert store.client.redis.ttl(store.keys.results("failed")) > 6 * 86400


def test_what_runs_stays_and_what_has_just_ended_too(
    store: Store, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Late events and watchers find it where it was."""
    monkeypatch.setattr(archiving, "QUIET", 3600)
    store.append([started("a"), *done("b")])
    recorder.turn()
    assert {parts.id for parts in store.operations().items} == {"a", "b"}


@pytest.fixture(params=[50, 1], ids=["together", "one by one"])
def families(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small families are moved together with others, large ones by themselves."""
    monkeypatch.setattr(leaving, "FEW", request.param)


@pytest.mark.usefixtures("families")
def test_a_batch_leaves_whole_and_not_before_its_last_child_has_ended(
    store: Store, archive: Archive, recorder: Recorder, history: History
) -> None:
    """The counts are the same wherever it is looked up."""
    ids = batch_of(store, 30)
    for id in ids[1:]:
        store.append(done(id, "b"))
    recorder.turn()
    assert store.operation("b") is not None
    store.append(done(ids[0], "b", Status.ERROR))
    before = history.operation("b")
    children = [child.id for child in history.children("b", limit=50).items]
    recorder.turn()
    assert keys_left(store) == {"results:b.1"}
    assert history.operation("b") == before
    assert [child.id for child in history.children("b", limit=50).items] == children == ids
    assert [child.id for child in history.children("b", status="error").items] == [ids[0]]
    assert archive.operation(ids[0]) is not None


@pytest.mark.usefixtures("families")
def test_a_grandchild_that_runs_keeps_its_family_in_redis(store: Store, recorder: Recorder) -> None:
    """Whatever the operations above it have come to, and others leave all the same."""
    store.append([started("top"), started("mid", parent="top"), started("low", parent="mid")])
    store.append([ended("mid", parent="top"), ended("top"), *done("other")])
    recorder.turn()
    assert {key for key in keys_left(store) if key.startswith("op:")} == {"op:top", "op:mid", "op:low"}
    store.append([ended("low", parent="mid")])
    recorder.turn()
    assert keys_left(store) == set()


def test_a_turn_ends_in_time_however_many_families_there_are(
    store: Store, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recorder that stays away for long would lose its place, and could judge nobody."""
    for number in range(7):
        store.append([started(f"top-{number}"), *done(f"below-{number}", f"top-{number}"), ended(f"top-{number}")])
    monkeypatch.setattr(archiving, "FAMILIES_AT_ONCE", 1)
    moments = itertools.count(step=archiving.LONGEST_TURN / 4)
    monkeypatch.setattr(archiving, "elapsed", lambda: next(moments))
    turns = [(recorder.turn(), len(store.operations().items)) for _ in range(3)]
    assert turns == [(True, 4), (True, 1), (False, 0)]


def test_what_a_failed_dispatch_could_not_give_up_is_lost_all_the_same(
    store: Store, recorder: Recorder, history: History
) -> None:
    """Redis may have been away just then; what had been sent is left alone, however long it waits for a worker."""
    ids = batch_of(store, 3)
    failed = head("rb", Status.ERROR, error=Error("OSError", "the broker is away"))
    store.append([blob("b", failed), Sent("b", 1)])
    for _ in range(2):
        recorder.turn()
    children = history.children("b").items
    assert [(child.id, child.status) for child in children] == list(zip(ids, ("queued", "lost", "lost"), strict=True))
    assert children[1].error is not None
    assert children[1].error.message == "it was not sent to a worker: the broker is away"
    store.append(done(ids[0], "b"))
    recorder.turn()
    assert store.operation("b") is None
    assert history.operation("b").status is Status.ERROR


@pytest.mark.usefixtures("families")
@pytest.mark.parametrize("calls", range(1, 6))
def test_a_recorder_that_is_cut_off_anywhere_loses_and_doubles_nothing(
    store: Store, archive: Archive, history: History, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    """Its successor goes on with what is there; a list shows every operation once all the time."""
    ids = batch_of(store, 45)
    for id in ids:
        store.append(done(id, "b"))
    store.append([blob for number in range(25) for blob in done(f"op-{number:02}")])
    before = everything(history)
    command = store.appender.command

    def dies(items: Sequence[Item]) -> list[object]:
        nonlocal calls
        calls -= any(isinstance(item, Leave) for item in items)
        if not calls:
            raise StoreUnavailable("killed")
        return command(items)

    with monkeypatch.context() as patch:
        patch.setattr(store.appender, "command", dies)
        Recorder(store, archive).turn()
    assert calls == 0
    assert len(keys_left(store)) > 0
    assert everything(history) == before
    assert len(history.children("b", limit=100).items) == 45
    store.client.redis.delete(store.keys.recorder)
    Recorder(store, archive).turn()
    assert keys_left(store) == set()
    assert everything(history) == before
    assert [child.id for child in history.children("b", limit=100).items] == ids


def test_what_stands_otherwise_in_redis_is_not_listed_as_it_was_archived(
    store: Store, archive: Archive, history: History
) -> None:
    """A recorder was cut off before the operation left, and it ran again; whatever is looked for, and on any page."""
    store.append([queued("a"), *done("a", status=Status.ERROR), *done("b", status=Status.ERROR)])
    archive.write(store.leaving.records(["a", "b"]))
    store.append([Leave("b", store.leaving.records(["b"])[0].parts.rev, 0), *done("a", run="r2")])
    assert [(found.id, found.status) for found in everything(history)] == [("b", "error"), ("a", "complete")]
    assert [found.id for found in everything(history, status="error")] == ["b"]
    first = history.operations(limit=1)
    assert [found.status for found in history.operations(limit=1, page=first.next).items] == [Status.COMPLETE]


def test_what_leaves_while_a_list_is_read_is_found_in_the_archive(
    store: Store, recorder: Recorder, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was in the index of Redis, and was gone when it was looked at."""
    store.append(done("a"))
    heads = Snapshot.heads

    def late_heads(snapshot: Snapshot, ids: Sequence[str]) -> list[Parts | None]:
        monkeypatch.setattr(Snapshot, "heads", heads)
        recorder.turn()
        return snapshot.heads(ids)

    monkeypatch.setattr(Snapshot, "heads", late_heads)
    assert [found.id for found in history.operations().items] == ["a"]
    assert recorder.archived == 1


def test_lists_miss_and_repeat_nothing_while_operations_move(
    store: Store, recorder: Recorder, history: History
) -> None:
    """Read page by page, again and again, while a recorder is at work."""
    ids = {f"op-{number:03}" for number in range(200)}
    for id in sorted(ids):
        store.append(done(id))
    seen = threading.Event()

    def move() -> None:
        for _ in range(2):
            seen.wait(0.05)
            recorder.turn()

    mover = threading.Thread(target=move)
    mover.start()
    while mover.is_alive():
        found = [operation.id for operation in everything(history)]
        assert sorted(found) == sorted(ids)
    mover.join()
    assert store.operations().items == []


def test_filters_hold_in_both_places_and_redis_knows_better(store: Store, recorder: Recorder, history: History) -> None:
    """An archived operation that runs again is running, and not what it was."""
    for number in range(20):
        store.append(done(f"op-{number:02}", status=Status.ERROR if number % 3 == 0 else Status.COMPLETE))
    recorder.turn()
    store.append([started("op-03", "again"), *done("new", status=Status.ERROR), queued("named", name="other")])
    failed = {f"op-{number:02}" for number in range(0, 20, 3)} - {"op-03"} | {"new"}
    assert {operation.id for operation in everything(history, status="error")} == failed
    assert [operation.id for operation in everything(history, status="running")] == ["op-03"]
    assert [operation.id for operation in everything(history, name="other")] == ["named"]
    assert len(everything(history)) == 22


def test_an_operation_that_changes_while_it_is_archived_stays(
    store: Store, archive: Archive, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is archived again with what was new."""
    store.append(done("a"))
    write = Writer.write

    def slow(writer: Writer, records: list[Record]) -> None:
        write(writer, records)
        monkeypatch.setattr(Writer, "write", write)
        store.append([started("a", "again")])

    monkeypatch.setattr(Writer, "write", slow)
    recorder.turn()
    assert store.operation("a") is not None
    store.append([ended("a", Status.ERROR, "again")])
    recorder.turn()
    attempts = archive.attempts("a")
    assert [(attempt.number, attempt.run.status) for attempt in attempts] == [(1, "complete"), (2, "error")]


@pytest.mark.usefixtures("families")
def test_a_child_that_changes_while_its_family_moves_keeps_those_above_it(
    store: Store, archive: Archive, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others leave, and the rest when it has ended again."""
    store.append([started("top"), started("mid", parent="top"), *done("low", "mid"), *done("other", "mid")])
    store.append([ended("mid", parent="top"), ended("top"), *done("alone", "single"), *done("single")])
    write = archive.write

    def slow(records: list[Record]) -> None:
        write(records)
        if any(record.parts.id == "low" for record in records):
            store.append([started("low", "again", parent="mid")])

    monkeypatch.setattr(archive, "write", slow)
    recorder.turn()
    here = {key.removeprefix("op:") for key in keys_left(store) if key.startswith("op:")}
    assert {"top", "low"} <= here <= {"top", "mid", "low"}
    monkeypatch.setattr(archive, "write", write)
    store.append([ended("low", run="again", parent="mid")])
    recorder.turn()
    assert keys_left(store) == set()
    assert [attempt.number for attempt in archive.attempts("low")] == [1, 2]


def test_while_the_archive_cannot_be_used_everything_stays_in_redis(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The recorder judges and trims all the same, and says once what is wrong."""
    (tmp_path / "file").write_text("")
    recorder = Recorder(store, Archive(f"sqlite:///{tmp_path}/file/archive.sqlite3"))
    store.append(done("a"))
    recorder.turn()
    recorder.turn()
    assert recorder.active
    assert store.operation("a") is not None
    assert len(caplog.messages) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [pytest.param("rev", 2**70, id="a number for a column"), pytest.param("head", 2**70, id="a number in a blob")],
)
def test_an_operation_that_no_database_takes_stays_and_holds_up_no_other(
    store: Store, archive: Archive, recorder: Recorder, name: str, value: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever has written such numbers; all others are archived and leave, and the log names it once."""
    store.append([*done("a"), *done("odd"), *done("z")])
    odd = msgspec.json.encode({"run": "r1", "name": "job", "title": "Odd", "created": NOW, "started": NOW,
        "status": "complete", "ended": NOW, "total": value}) if name == "head" else value  # fmt: skip
    store.client.redis.hset(store.keys.operation("odd"), name, odd)
    recorder.turn()
    recorder.turn()
    assert store.operation("odd") is not None
    assert (store.operation("a"), store.operation("z")) == (None, None)
    assert archive.heads(["a", "odd", "z"]).keys() == {"a", "z"}
    (told,) = caplog.messages
    assert "operation 'odd' cannot be archived (OverflowError: " in told


def test_what_is_older_than_its_days_leaves_the_archive(store: Store, archive: Archive) -> None:
    """The operations made here ended in another century."""
    store.append(done("a"))
    Recorder(store, archive, days=0).turn()
    assert archive.operation("a") is not None
    store.client.redis.delete(store.keys.recorder)
    Recorder(store, archive, days=1).turn()
    kept = archive.operation("a") is not None
    assert kept == (archiving.now() - 86400 < NOW)


# ---- replays that nobody knows -------------------------------------------------------------------


def replayed(*blobs: RunBlob) -> list[RunBlob]:
    return [replace(blob, replay=True) for blob in blobs]


def test_an_operation_that_only_a_dead_process_knew_is_stored(
    store: Store, recorder: Recorder, history: History
) -> None:
    """As if it had been told in time."""
    assert {answer.kind for answer in store.append(replayed(*done("a")))} == {"late"}
    recorder.turn()
    found = history.operation("a")
    assert (found.status, found.attempt) == (Status.COMPLETE, 1)
    assert [line.text for line in history.logs("a")] == ["a line"]
    assert store.client.redis.llen(store.keys.late) == 0


def test_a_run_that_its_dead_process_did_not_end_is_lost(store: Store, recorder: Recorder, history: History) -> None:
    """At once, for nobody is there to give a sign of life."""
    store.append(replayed(started("a"), step_event("a", 2)))
    recorder.turn()
    found = history.operation("a")
    assert found.status is Status.LOST
    assert found.error is not None
    assert "process ended" in found.error.message


@pytest.mark.parametrize("archived", [True, False])
def test_a_late_run_never_becomes_current_where_there_is_a_newer_one(
    store: Store, archive: Archive, recorder: Recorder, history: History, archived: bool
) -> None:
    """It is an earlier attempt, of the operation in the archive or, once that gets there, of the one in Redis."""
    older = msgspec.structs.replace(head("r0"), started=NOW - 10)
    event = Event(EventType.OPERATION_START, "a", NOW - 10, "r0", 1, head=older)
    late_end = replace(ended("a", Status.ERROR, "r0"), replay=True)
    store.append([*done("a")] if archived else [started("a")])
    recorder.turn()
    store.append([RunBlob("a", "r0", [event], "", NOW, older, replay=True), late_end])
    recorder.turn()
    assert history.operation("a").status is (Status.COMPLETE if archived else Status.RUNNING)
    if not archived:
        store.append([ended("a")])
        recorder.turn()
    assert store.operation("a") is None
    assert history.operation("a").status is Status.COMPLETE
    runs = [(attempt.number, attempt.run.run, attempt.run.status) for attempt in archive.attempts("a")]
    assert runs == [(1, "r0", "error"), (2, "r1", "complete")]


def test_blobs_told_again_change_nothing(store: Store, archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recorder may be killed before it has noted what it took in."""
    store.append(replayed(*done("a")))
    with monkeypatch.context() as patch:
        patch.setattr(store.leaving, "drop_late", lambda blobs: (_ for _ in ()).throw(StoreUnavailable("killed")))
        Recorder(store, archive).turn()
    store.client.redis.delete(store.keys.recorder)
    Recorder(store, archive).turn()
    attempts = archive.attempts("a")
    assert [(attempt.number, len(attempt.steps)) for attempt in attempts] == [(1, 1)]
    assert [line.number for line in archive.logs("a")] == [1]


def test_a_late_blob_that_makes_no_sense_holds_up_no_other(
    store: Store, recorder: Recorder, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in Redis is untrusted."""
    monkeypatch.setattr(late, "AT_ONCE", 2)
    store.client.redis.rpush(store.keys.late, b"\xc1nonsense", b"")
    store.append(replayed(*done("a")))
    recorder.turn()
    assert history.operation("a").status is Status.COMPLETE


def test_late_blobs_are_bounded_and_the_oldest_dropped_are_counted(store: Store) -> None:
    """Without a recorder nobody takes them."""
    pipe = store.client.redis.pipeline()
    for number in range(10_000):
        pipe.rpush(store.keys.late, str(number))
    pipe.execute()
    store.append(replayed(*done("a")))
    assert store.client.redis.llen(store.keys.late) == 10_000
    assert store.client.redis.get(store.keys.prefix + "late:dropped") == b"3"


# ---- the facade ----------------------------------------------------------------------------------


def test_whoever_reads_makes_no_archive(store: Store, archive: Archive, history: History) -> None:
    """A laptop that looks at a distant Redis has none, and need not."""
    store.append(done("a"))
    assert history.operation("a").status is Status.COMPLETE
    assert [operation.id for operation in history.operations().items] == ["a"]
    with pytest.raises(NotFound):
        history.operation("b")
    assert not archive.exists


def test_an_archive_that_is_another_one_is_said(
    store: Store, recorder: Recorder, archive: Archive, history: History, tmp_path: Path
) -> None:
    """Instead of an empty history; also when there is none at all, or no recorder."""
    (notice,) = history.notices()
    assert "no recorder is active" in notice
    recorder.turn()
    assert history.notices() == []
    other = Archive(f"sqlite:///{tmp_path}/other.sqlite3")
    for held in (other, None):
        (notice,) = History(store, held).notices()
        assert str(tmp_path / "archive.sqlite3") in notice
        with pytest.raises(NotFound, match="is not the archive that is read here"):
            History(store, held).operation("gone")
    assert other.identity != archive.identity
    (notice,) = History(store, other).notices()
    assert "is not the archive that is read here" in notice
    other.close()


def test_events_behind_a_cursor_come_in_order_and_only_what_the_feed_can_prove(
    store: Store, recorder: Recorder, history: History
) -> None:
    """A cursor is somebody else's word."""
    store.append([started("a"), started("b"), step_event("a", 2), step_event("b", 2), step_event("a", 3)])
    store.append([step_event("a", 4)])
    changes = history.events("a").items
    before = begun(store, "a")
    assert [change.rev - before for change in changes] == [1, 2, 3, 4]
    for number, change in enumerate(changes, 1):
        assert history.events("a", change.cursor).items == changes[number:]
    for gone in ("1-1", "9999999999999999999-0"):
        with pytest.raises(EventsGone):
            history.events("a", gone)
    for nonsense in ("", "x", "1-1 2", "-1-1", "9" * 20 + "-0"):
        with pytest.raises(TrackerError, match="no cursor"):
            history.events("a", nonsense)
    store.client.redis.xtrim(store.keys.feed, 1, approximate=False)
    for gone in ("0-0", changes[0].cursor):
        with pytest.raises(EventsGone):
            history.events("a", gone)
    with pytest.raises(NotFound):
        history.events("nobody")


def test_durations_and_outcomes_of_a_name_come_from_what_was_archived(
    store: Store, recorder: Recorder, history: History
) -> None:
    """Nothing is known before."""
    assert history.stats("job").steps == {}
    for number in range(5):
        store.append(done(f"op-{number}"))
    recorder.turn()
    stats = history.stats("job")
    assert stats.steps["Step 1"].count == 5
    assert sum(stats.outcomes[int(NOW // 86400)].values()) == 5


def test_workers_are_those_that_execute_something(store: Store, history: History) -> None:
    """With what each runs now."""
    store.append([by("p", started("a")), lease("p", "r1")])
    (worker,) = history.workers()
    assert (worker.host, worker.runs) == ("node-1", ["r1"])


def test_an_archive_that_cannot_be_read_is_an_error_and_no_empty_history(store: Store, tmp_path: Path) -> None:
    """The message says which file."""
    path = tmp_path / "archive.sqlite3"
    path.write_bytes(b"this is no database, however long it may be" * 100)
    with pytest.raises(ArchiveUnavailable, match="archive"):
        History(store, Archive(f"sqlite:///{path}")).operations()


def test_the_command_that_runs_a_recorder_archives(store: Store, archive: Archive) -> None:
    """In a thread, as the web server runs it, until it is told to stop."""
    store.append(done("a"))
    stop = threading.Event()
    told: list[str] = []
    wait: Callable[[float], bool] = stop.wait
    thread = threading.Thread(target=Recorder(store, archive, tell=told.append).run, args=[wait])
    thread.start()
    wait_for(lambda: store.operation("a") is None)
    stop.set()
    thread.join()
    assert told == ["the recorder is active"]
    assert not store.upkeep().recorder
