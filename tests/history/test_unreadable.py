"""An operation whose record makes no sense holds up no other: it stays where it is, and who asks for it learns why."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from tests.history.spoiling import BESIDE, HEADS, PARTS, WAYS, Spoil, Way, field, overwritten, params
from tests.history.test_archiving import done, families, keys_left, replayed
from tests.store.making import batch_of, by, ended, head, lease, queued, started, step_event
from tests.support import Clock
from tracker.archive import Archive
from tracker.clock import now
from tracker.complaints import AGAIN_AFTER
from tracker.errors import Unreadable
from tracker.history import History, liveness, stuck, topics
from tracker.history.recorder import EVERY, Recorder
from tracker.model import Event, EventType, LogLine, Status
from tracker.store import Passed, QueueItem, RunBlob, Store, Take, Trim
from tracker.store.client import Rejected

__all__ = ["families"]


def there(store: Store, *ids: str) -> set[str]:
    """Those of the operations of which anything is in Redis."""
    return {id for id in ids if store.client.redis.exists(store.keys.operation(id))}


# ---- the recorder --------------------------------------------------------------------------------


@pytest.mark.parametrize("way", **params(WAYS))
def test_what_cannot_be_read_stays_and_all_others_are_archived(
    store: Store, archive: Archive, recorder: Recorder, way: Way
) -> None:
    """As it is, for whoever can mend it, and again and again; it is archived like any other once it is mended."""
    store.append([*done("a"), *done("bad"), *done("z")])
    kept = store.client.redis.dump(store.keys.operation("bad")), store.client.redis.dump(store.keys.log("bad"))
    way.spoil(store, "bad")
    spoiled = store.client.redis.dump(store.keys.operation("bad"))
    for _ in range(2):
        recorder.turn()
        store.append(done("later"))
    recorder.turn()
    assert there(store, "a", "bad", "z", "later") == {"bad"}
    assert archive.heads(["a", "bad", "z", "later"]).keys() == {"a", "z", "later"}
    assert store.client.redis.dump(store.keys.operation("bad")) == spoiled
    store.client.redis.restore(store.keys.operation("bad"), 0, kept[0], replace=True)
    store.client.redis.restore(store.keys.log("bad"), 0, kept[1], replace=True)
    store.client.redis.hdel(store.keys.results("bad"), b"\xff")
    recorder.turn()
    assert there(store, "bad") == set()
    assert archive.heads(["bad"]).keys() == {"bad"}


@pytest.mark.parametrize("way", **params(WAYS))
def test_the_log_names_the_operation_and_the_field_once_a_minute(
    store: Store, recorder: Recorder, way: Way, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line, however many turns there are and however many such operations."""
    moment = 1000.0
    monkeypatch.setattr("tracker.complaints.elapsed", lambda: moment)
    store.append([*done("bad"), *done("worse")])
    way.spoil(store, "bad")
    way.spoil(store, "worse")
    for _ in range(3):
        recorder.turn()
    (told,) = caplog.messages
    assert told.startswith("tracker: the recorder goes on without one (and 1 more): the record of operation 'bad' ")
    assert f"`{way.field}`" in told
    assert "tracker doctor" in told
    assert "\n" not in told
    moment += AGAIN_AFTER
    recorder.turn()
    assert len(caplog.messages) == 2


@pytest.mark.usefixtures("families")
@pytest.mark.parametrize("bad", ["top", "mid", "low"])
def test_a_family_stays_whole_while_one_of_it_cannot_be_read(
    store: Store, archive: Archive, recorder: Recorder, bad: str
) -> None:
    """Else those below would be left of nobody; other families leave."""
    store.append([started("top"), started("mid", parent="top"), *done("low", "mid"), *done("other", "single")])
    store.append([ended("mid", parent="top"), ended("top"), *done("single")])
    kept = store.client.redis.dump(store.keys.operation(bad))
    field("queue", b"{{").spoil(store, bad)
    recorder.turn()
    recorder.turn()
    assert there(store, "top", "mid", "low", "single", "other") >= {"top", bad}
    assert there(store, "single", "other") == set()
    store.client.redis.restore(store.keys.operation(bad), 0, kept, replace=True)
    recorder.turn()
    assert keys_left(store) == set()
    assert archive.heads(["top", "mid", "low"]).keys() == {"top", "mid", "low"}


def test_what_was_taken_away_by_hand_leaves_no_entry_in_any_list(store: Store, recorder: Recorder) -> None:
    """So that an operation can be given up; all others leave as usual."""
    store.append([*done("a"), *done("bad"), *done("z")])
    field("queue", b"{{").spoil(store, "bad")
    recorder.turn()
    store.client.redis.unlink(store.keys.operation("bad"))
    recorder.turn()
    assert keys_left(store) == {"results:bad"}


@pytest.mark.parametrize("value", [b"much", b"1.5", b"\xff", b"1e300"])
@pytest.mark.parametrize("name", ["bytes", "created", "parent", "run_status", "seq:r1", "sealed"])
def test_what_only_the_script_looks_at_keeps_nothing_from_leaving(
    store: Store, archive: Archive, recorder: Recorder, name: str, value: bytes
) -> None:
    """It says nothing of the operation itself, so that can be archived as it is."""
    store.append([*done("a"), *done("bad"), *done("z")])
    store.client.redis.hset(store.keys.operation("bad"), name, value)
    recorder.turn()
    assert there(store, "a", "bad", "z") == set()
    assert archive.heads(["a", "bad", "z"]).keys() == {"a", "bad", "z"}


@pytest.mark.parametrize("key", ["ended", "index", "live", "taken"])
def test_an_entry_that_is_no_text_holds_up_nothing(
    store: Store, archive: Archive, recorder: Recorder, history: History, key: str
) -> None:
    """Another program has added it to one of the lists."""
    store.append([*done("a"), queued("b")])
    redis, name = store.client.redis, getattr(store.keys, key)
    if key in ("ended", "index"):
        redis.zadd(name, {b"\xff": now() - 60})
    else:
        redis.hset(name, b"\xff", b"\xff")
    assert [operation.id for operation in history.operations().items] == ["b", "a"]
    assert (history.survey().operations, history.workers()) == ([], [])
    assert [recorder.turn() for _ in range(3)] == [False] * 3
    assert archive.heads(["a"]).keys() == {"a"}
    assert recorder.archived == 1


def test_a_turn_that_fails_unexpectedly_is_told_and_not_the_last(
    store: Store, archive: Archive, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever nobody has thought of."""
    store.append(done("a"))
    recorder = Recorder(store, archive)
    turn, turns = recorder.turn, 0

    def fails_once() -> bool:
        nonlocal turns
        turns += 1
        if turns == 1:
            raise LookupError("nobody has thought of it")
        return turn()

    monkeypatch.setattr(recorder, "turn", fails_once)
    recorder.run(lambda seconds: turns == 2)
    assert archive.heads(["a"]).keys() == {"a"}
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "nobody has thought of it" in caplog.text


def test_what_makes_no_sense_of_what_was_erased_keeps_the_recorder_from_nothing(
    store: Store, archive: Archive, recorder: Recorder
) -> None:
    """One duty that cannot be done leaves the others."""
    store.append(done("a"))
    store.client.redis.hset(store.keys.erased, b"x", b"\xff")
    recorder.turn()
    assert archive.heads(["a"]).keys() == {"a"}


@pytest.mark.parametrize("spoil", [field("queue", b"{{").spoil, overwritten], ids=["a field", "its key"])
def test_a_replayed_run_of_an_operation_that_cannot_be_read_is_kept_in_the_archive(
    store: Store, archive: Archive, recorder: Recorder, history: History, spoil: Spoil
) -> None:
    """What it tells is not lost and holds up no other; nobody knows whether it is the newest, so it decides nothing."""
    older = replace(head("r0", Status.ERROR), started=1.0)
    event = Event(EventType.OPERATION_COMPLETE, "bad", 2.0, "r0", 1, head=older, log=LogLine(1, 2.0, "a line"))
    store.append([started("bad")])
    store.append(replayed(RunBlob("bad", "r0", [event], "", 1.0, older), *done("other")))
    spoil(store, "bad")
    recorder.turn()
    assert store.client.redis.llen(store.keys.late) == 0
    assert [(each.run.run, each.run.status) for each in archive.attempts("bad")] == [("r0", "error")]
    assert history.operation("other").status is Status.COMPLETE


def test_attempts_of_others_that_have_come_back_are_numbered_on(
    store: Store, archive: Archive, recorder: Recorder, history: History
) -> None:
    """Although of one that came back as well nobody can say how many runs of it are here."""
    store.append([*done("a"), *done("bad")])
    recorder.turn()
    store.append([by("p", started("bad", "r2")), by("p", started("a", "r3"))])
    field("queue", b"{{").spoil(store, "bad")
    recorder.turn()
    assert history.operation("a").attempt == 2


def test_counts_that_make_no_sense_hold_up_no_other(store: Store, archive: Archive, recorder: Recorder) -> None:
    """Of executions that were over at once."""
    store.append([Passed("token", 20_000, {"job": 3})])
    store.client.redis.hset(store.keys.brief, mapping={b"soon job": b"1", b"20000 \xff": b"many"})
    recorder.turn()
    assert archive.outcomes("job")[20_000][Status.COMPLETE] == 3
    assert not store.client.redis.exists(store.keys.brief)


def test_a_batch_whose_key_holds_something_else_keeps_the_recorder_from_nothing(
    store: Store, archive: Archive, clock: Clock
) -> None:
    """It was never sent, and cannot be cancelled either."""
    store.append([queued("bad", batch=True), by("p", started("silent")), lease("p", "r1")])
    overwritten(store, "bad")
    recorder = Recorder(store, archive)
    recorder.turn()
    store.append(done("a"))
    clock.pass_by(liveness.LOST_AFTER, recorder.turn)
    assert archive.heads(["a", "silent"]).keys() == {"a", "silent"}


# ---- its judgements ------------------------------------------------------------------------------


@pytest.mark.parametrize("way", **params(WAYS))
def test_silent_runs_are_judged_whatever_one_operation_looks_like(store: Store, clock: Clock, way: Way) -> None:
    """Others that are judged in the same call."""
    store.append([by("p", started(id, f"run-{id}")) for id in ("a", "bad", "z")])
    store.append([lease("p", "run-a", "run-bad", "run-z")])
    way.spoil(store, "bad")
    recorder = Recorder(store)
    recorder.turn()
    clock.pass_by(liveness.LOST_AFTER, recorder.turn)
    assert recorder.active
    assert (store.status("a"), store.status("z")) == (Status.LOST, Status.LOST)


@pytest.mark.parametrize(("name", "value"), [("about", b"{}"), ("runs", b"r1"), ("count", b"x"), ("seen", b"\xff")])
def test_a_sign_of_life_that_cannot_be_read_is_no_silence_and_spoils_no_other(
    store: Store, clock: Clock, history: History, name: str, value: bytes
) -> None:
    """Nobody can say of its runs that they are silent."""
    store.append([by("p", started("bad")), by("q", started("other", "r2")), lease("p", "r1"), lease("q", "r2")])
    store.client.redis.hset(store.keys.lease("p"), name, value)
    recorder = Recorder(store)
    recorder.turn()
    clock.pass_by(liveness.LOST_AFTER, recorder.turn)
    assert (store.status("bad"), store.status("other")) == (Status.RUNNING, Status.LOST)
    assert [worker.name for worker in history.workers()] == ["q"]
    assert history.measures().processes == 1


@pytest.mark.parametrize("way", **params(HEADS))
def test_what_nobody_will_begin_any_more_is_lost_whatever_one_operation_looks_like(
    store: Store, clock: Clock, way: Way
) -> None:
    """Jobs whose worker is gone, and batches that were never sent."""
    store.append([queued(id) for id in ("a", "bad", "z")])
    store.append([Take(id, "message", "task", "gone") for id in ("a", "bad", "z")])
    store.append([queued("unsent", batch=True)])
    way.spoil(store, "bad")
    recorder = Recorder(store)
    recorder.turn()
    clock.pass_by(stuck.GRACE + EVERY, recorder.turn)
    assert [store.status(id) for id in ("a", "z", "unsent")] == [Status.LOST, Status.LOST, Status.CANCELLED]


# ---- reads ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", **params(HEADS))
def test_lists_leave_out_what_cannot_be_read_and_say_so_in_the_log(
    store: Store, history: History, way: Way, caplog: pytest.LogCaptureFixture
) -> None:
    """Lists, searches, children, numbers and live views; in one line."""
    batch_of(store, 3)
    store.append([by("p", started(id, f"run-{id}")) for id in ("a", "bad", "z")])
    store.append([lease("p", "run-a", "run-bad", "run-z")])
    way.spoil(store, "bad")
    way.spoil(store, "b.2")
    assert {found.id for found in history.operations().items} == {"a", "b", "z"}
    assert {found.id for found in history.operations(status="running").items} == {"a", "b", "z"} - {"b"}
    assert [child.id for child in history.children("b").items] == ["b.1", "b.3"]
    assert {parts.id for parts in topics.read(history.live, topics.ALL)} == {"a", "b", "z"}
    assert [parts.id for parts in topics.read(history.live, "children:b")] == ["b.1", "b.3"]
    assert {operation.id for operation in history.survey().operations} == {"a", "z"}
    assert [len(worker.running) for worker in history.workers()] == [2]
    assert history.measures().operations["job", Status.RUNNING] == 2
    (told,) = caplog.messages
    assert "'b.2'" in told or "'bad'" in told
    assert f"`{way.field}`" in told


def test_the_children_of_what_cannot_be_read_are_shown(store: Store, history: History) -> None:
    """To those who watch them."""
    batch_of(store, 2)
    field("queue", b"{{").spoil(store, "b")
    assert [parts.id for parts in topics.read(history.live, "children:b")] == ["b.1", "b.2"]


@pytest.mark.parametrize("way", **params(HEADS | PARTS))
def test_whoever_asks_for_what_cannot_be_read_learns_what_of_it(store: Store, history: History, way: Way) -> None:
    """In one line, which names the operation, the field and what to do."""
    store.append([started("bad"), step_event("bad", 2)])
    way.spoil(store, "bad")
    asked = [history.operation, history.attempts, history.record, history.logs, history.children, history.erase]
    for ask in asked:
        with pytest.raises(Unreadable) as refused:
            ask("bad")
        assert (refused.value.operation, refused.value.field) == ("bad", way.field)
        assert str(refused.value).startswith(f"the record of operation 'bad' cannot be read: its `{way.field}` ")
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize("way", **params({name: way for name, way in BESIDE.items() if way.field == "log"}))
def test_a_log_that_cannot_be_read_is_told_to_those_who_ask_for_it(store: Store, history: History, way: Way) -> None:
    """The operation is shown."""
    store.append([started("bad")])
    way.spoil(store, "bad")
    assert history.operation("bad").status is Status.RUNNING
    with pytest.raises(Unreadable, match="`log`"):
        history.logs("bad")


# ---- the script ----------------------------------------------------------------------------------


def told(store: Store, items: Sequence[QueueItem | RunBlob]) -> list[str]:
    return [store.append([item])[0].kind for item in items]


@pytest.mark.parametrize("spoil", [field("bytes", b"much").spoil, field("alive", b"\xff").spoil, overwritten])
def test_ended_operations_leave_in_time_whatever_the_oldest_of_them_looks_like(
    redis_url: str, namespace: str, spoil: Spoil
) -> None:
    """Else nothing that is new could be stored, once the oldest is due."""
    store = Store(redis_url, namespace, live_days=1)
    store.append([*done("bad"), *done("a"), *done("z")])
    spoil(store, "bad")
    store.client.redis.zadd(store.keys.ended, {"bad": 1, "a": 2, "z": 3})
    assert told(store, [queued("new"), started("newer")]) == ["stored", "stored"]
    while store.append([Trim()])[0].number:
        pass
    assert there(store, "a", "z", "new", "newer") == {"new", "newer"}
    store.client.disconnect()


def test_a_key_that_holds_something_else_keeps_no_other_operation_from_being_told(store: Store) -> None:
    """The sender learns that this one change makes no sense, and not that Redis takes nothing."""
    store.append([started("bad"), started("a", "r2")])
    overwritten(store, "bad")
    store.append_apart([step_event("a", 2, run="r2"), step_event("bad", 2), ended("a", run="r2", seq=3)])
    assert store.status("a") is Status.COMPLETE
    with pytest.raises(Rejected, match="operation bad holds a string"):
        store.append([step_event("bad", 2)])
