"""The contract with watchers holds whatever happens to Redis and to the way there: once, in order, no silent gap."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import msgspec
import pytest
import redis
from msgspec.structs import replace
from redis.crc import key_slot

from tests.faults.conftest import Follow
from tests.faults.following import stored
from tests.faults.picks import Every
from tests.faults.proxy import FaultProxy
from tests.faults.servers import BreakableServer
from tests.store.making import NOW, batch_of, by, ended, head, lease, leave, queued, started, step_event, whole
from tests.store.revs import rev_of
from tests.support import wait_for
from tracker import StepTracker, event_bus
from tracker.archive import Archive
from tracker.compose import compose
from tracker.errors import StoreUnavailable
from tracker.history import archiving
from tracker.history.recorder import Recorder
from tracker.model import Again, Event, LogLine, Parts, RunPart, Status, Verdict
from tracker.publish import Publisher
from tracker.store import (
    Answer,
    Back,
    Below,
    Cancel,
    Earlier,
    Erase,
    Hold,
    Item,
    Kept,
    Leave,
    Paid,
    Passed,
    QueueAgain,
    Quiet,
    RunBlob,
    Seal,
    Sent,
    Silence,
    Store,
    Take,
    Trim,
    VerdictItem,
)
from tracker.store import Follow as Following

EVENTS = 1_000
"""As many as an operation's log keeps, so that one line too many pushes out the first."""


def lines(operation: str, first: int, last: int) -> RunBlob:
    """Consecutive events of a run, each with one log line that says its number."""
    numbers = range(first, last + 1)
    events = [Event("step.log", operation, NOW, "r1", seq, log=LogLine(seq, NOW, str(seq))) for seq in numbers]
    part: RunPart | None = head() if first == 1 else None
    if part is not None:
        events[0].head = part
    return RunBlob(operation, "r1", events, "", NOW, part)


def send(store: Store, item: Item) -> Answer:
    """As a publisher does: the same thing again until somebody answers."""
    while True:
        try:
            return store.append([item])[0]
        except StoreUnavailable:
            store.client.disconnect()


def start(*threads: threading.Thread) -> None:
    for thread in threads:
        thread.start()


def test_lost_replies_double_nothing_and_lose_nothing(store: Store, proxy: FaultProxy, following: Follow) -> None:
    """Four producers send 1,000 events each while every third reply is lost; each is stored once and in order."""
    watcher = following()
    wait_for(lambda: watcher.resets)
    proxy.drop_replies(Every(3))
    ids = [f"op-{number}" for number in range(4)]
    start(*(threads := [threading.Thread(target=produce, args=(proxy.url, id)) for id in ids]))
    for thread in threads:
        thread.join()
    assert proxy.replies_dropped > 150, proxy
    wanted = list(range(1, EVENTS + 1))
    for id in ids:
        wait_for(lambda id=id: watcher.rev(id) == EVENTS)
        assert [line.number for line in store.logs(id)] == wanted
        assert watcher.revs(id) == wanted
        heard = [event.seq for change in watcher.changes if change.operation == id for event in change.events]
        assert heard == wanted
    assert store.client.redis.xlen(store.keys.feed) == 4 * EVENTS // 8
    assert watcher.resets == ["start"]


def produce(url: str, id: str) -> None:
    store = Store(url)
    for first in range(1, EVENTS + 1, 8):
        send(store, lines(id, first, first + 7))
    store.client.disconnect()


def test_a_tracked_block_is_stored_once_though_replies_are_lost(
    publisher: Publisher, proxy: FaultProxy, store: Store
) -> None:
    """The publisher repeats what it does not know to be stored, and nothing of it counts twice."""
    proxy.drop_replies(Every(3))
    with StepTracker("Import", id="import", display="quiet") as tracker:
        for number in range(20):
            tracker.step(f"Step {number}")
            tracker.log(f"line {number}")
            assert event_bus.flush(30), proxy
    assert event_bus.flush(30), proxy
    assert proxy.replies_dropped > 3
    parts = store.operation("import")
    assert parts is not None
    operation = compose(parts)
    assert operation.status is Status.COMPLETE
    assert [step.name for step in operation.steps or []] == [f"Step {number}" for number in range(20)]
    assert [line.text for line in store.logs("import")] == [f"line {number}" for number in range(20)]


def test_a_request_that_arrives_after_its_repetition_changes_nothing(
    server: BreakableServer, store: Store, far_store: Store, proxy: FaultProxy, following: Follow
) -> None:
    """A network may hold a request until long after the caller has given up and sent it again another way."""
    watcher = following()
    wait_for(lambda: watcher.resets)
    far_store.append([started("a")])
    proxy.stall("server")
    with pytest.raises(StoreUnavailable, match="Timeout"):
        far_store.append([step_event("a", 2)])
    store.append([step_event("a", 2)])
    store.append([ended("a", seq=3)])
    held, calls = stored(store), appends(server)
    proxy.heal()
    wait_for(lambda: appends(server) > calls)
    assert stored(store) == held
    wait_for(lambda: watcher.rev("a") == 3)
    assert watcher.revs("a") == [1, 2, 3]
    assert store.client.redis.xlen(store.keys.feed) == 3


def appends(server: BreakableServer) -> int:
    return int(server.admin.info("commandstats")["cmdstat_evalsha"]["calls"])


# ---- messages that are not heard -----------------------------------------------------------------


def test_subscribers_that_are_thrown_out_under_load_miss_nothing(
    server: BreakableServer, store: Store, following: Follow
) -> None:
    """However often it happens while changes are written, every rev arrives once and in order, without a reset."""
    watcher = following()
    wait_for(lambda: watcher.resets)
    killed = 0
    for seq in range(1, 501):
        store.append([started("a") if seq == 1 else step_event("a", seq, seq % 7)])
        if seq % 10 == 0:
            killed += server.kill_pubsub()
        if seq % 100 == 0:
            wait_for(lambda seq=seq: watcher.rev("a") == seq)
    assert killed >= 5
    assert watcher.revs("a") == list(range(1, 501))
    assert watcher.resets == ["start"]
    assert watcher.seen == stored(store)


def test_fifty_watchers_that_join_while_events_are_written_all_end_with_the_full_state(
    store: Store, following: Follow
) -> None:
    """Nothing falls between a snapshot and what follows it, for no one."""
    ids = [f"op-{number}" for number in range(4)]
    writing = [threading.Thread(target=write_steps, args=(store.client.url, id, 250)) for id in ids]
    start(*writing)
    watchers = [following() for _ in range(50)]
    for thread in writing:
        thread.join()
    final = stored(store)
    assert [rev_of(store, id) for id in ids] == [250] * 4
    for watcher in watchers:
        wait_for(lambda watcher=watcher: watcher.seen == final)
        assert watcher.resets == ["start"]


def write_steps(url: str, id: str, number: int) -> None:
    store = Store(url)
    for seq in range(1, number + 1):
        store.append([started(id) if seq == 1 else step_event(id, seq, seq % 20)])
    store.client.disconnect()


# ---- a server that takes no writes ---------------------------------------------------------------


@pytest.mark.parametrize("known", [False, True], ids=["new", "known"])
def test_a_full_redis_publishes_nothing_that_is_not_stored(
    server: BreakableServer, store: Store, following: Follow, known: bool
) -> None:
    """Neither of a new operation nor of a known one; afterwards the same blobs are taken in order."""
    watcher = following()
    wait_for(lambda: watcher.resets)
    if known:
        store.append([started("a")])
        wait_for(lambda: watcher.rev("a") == 1)
    before = stored(store)
    blobs = [started("a"), step_event("a", 2), ended("a", seq=3)][known:]
    server.fill()
    for items in (blobs, blobs[:1]):
        with pytest.raises(StoreUnavailable, match="maxmemory"):
            store.append(items)
    assert stored(store) == before
    server.unfill()
    assert [send(store, blob).kind for blob in blobs] == ["stored"] * len(blobs)
    wait_for(lambda: watcher.rev("a") == 3)
    assert watcher.revs("a") == [1, 2, 3]


def test_what_is_tracked_while_redis_is_full_is_stored_once_it_is_not(
    server: BreakableServer, publisher: Publisher, store: Store, following: Follow
) -> None:
    """The work goes on meanwhile; no watcher sees a step that is not stored, and all of them come in order."""
    watcher = following()
    wait_for(lambda: watcher.resets)
    with StepTracker("Import", id="import", display="quiet") as tracker:
        tracker.step("Before")
        assert event_bus.flush(30)
        server.fill()
        for number in range(50):
            tracker.step(f"Step {number}")
        assert not event_bus.flush(0.5)
        assert [step.name for step in stored(store)["import"].steps or []] == ["Before"]
        assert watcher.rev("import") <= stored(store)["import"].rev
        server.unfill()
    assert event_bus.flush(30)
    steps = ["Before", *(f"Step {number}" for number in range(50))]
    assert [step.name for step in stored(store)["import"].steps or []] == steps
    wait_for(lambda: watcher.seen == stored(store))
    assert watcher.revs("import") == list(range(1, watcher.rev("import") + 1))


def test_a_full_redis_is_still_trimmed(server: BreakableServer, store: Store) -> None:
    """What takes no memory is possible, above all what frees some."""
    recorder = Recorder(store)
    store.append([started("a"), ended("a")])
    recorder.turn()
    store.client.redis.zadd(store.keys.prefix + "ended", {"a": 1})
    server.fill()
    recorder.turn()
    server.unfill()
    assert (recorder.active, recorder.trimmed) == (True, 1)
    assert stored(store) == {}


def test_a_full_redis_is_emptied_into_the_archive_though_late_runs_wait(
    server: BreakableServer, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those find room only once others have left."""
    monkeypatch.setattr(archiving, "QUIET", 0.0)
    archive = Archive(f"sqlite:///{tmp_path}/archive.sqlite3")
    turns = archiving.Archiving(store, archive, 0)
    store.append([started("a"), ended("a")])
    store.append([replace(blob, replay=True) for blob in (started("late"), ended("late"))])
    server.fill()
    with pytest.raises(StoreUnavailable):
        turns.turn()
    assert stored(store) == {}
    server.unfill()
    turns.turn()
    assert sorted(archive.heads(["a", "late"])) == ["a", "late"]
    archive.close()


@pytest.mark.parametrize(
    ("broken", "mended"),
    [
        (BreakableServer.read_only, BreakableServer.writable),
        (BreakableServer.misconf, BreakableServer.fix),
        (BreakableServer.kill, BreakableServer.start),
        (BreakableServer.pause, BreakableServer.resume),
        (lambda server: server.maxclients(1), lambda server: server.maxclients(10_000)),
    ],
    ids=["read only", "misconf", "kill", "pause", "maxclients"],
)
def test_a_tracked_block_survives_a_redis_that_is_of_no_use_for_a_while(
    server: BreakableServer,
    publisher: Publisher,
    store: Store,
    broken: Callable[[BreakableServer], None],
    mended: Callable[[BreakableServer], None],
) -> None:
    """It ends as usual, and Redis has all of it afterwards."""
    with StepTracker("Import", id="import", display="quiet") as tracker:
        tracker.step("Before")
        assert event_bus.flush(30)
        publisher._store.client.disconnect()
        broken(server)
        tracker.step("Meanwhile")
        assert not event_bus.flush(0.3)
        mended(server)
    assert event_bus.flush(30)
    store.client.disconnect()
    operation = stored(store)["import"]
    assert operation.status is Status.COMPLETE
    assert [step.name for step in operation.steps or []] == ["Before", "Meanwhile"]


# ---- one hash slot -------------------------------------------------------------------------------


def test_every_key_the_script_touches_lies_in_one_hash_slot(server: BreakableServer, store: Store) -> None:
    """Of every kind of item, also those keys that are gone again."""
    with redis.Redis.from_url(server.url, decode_responses=True).monitor() as monitor:
        touch_everything(store)
        store.client.redis.echo("nothing more")
        keys, commands = set(), set()
        while "nothing more" not in (heard := monitor.next_command())["command"]:
            name, *words = heard["command"].split(" ")
            if heard["client_type"] == "lua" and name.upper() not in ("TIME", "PUBLISH"):
                commands.add(name.upper())
                words = words[1:] if name.upper() == "MEMORY" else words
                keys.update(words if name.upper() in ("UNLINK", "DEL") else words[:1])
    assert {"XADD", "HSET", "ZADD", "SADD", "RPUSH", "UNLINK", "DEL"} <= commands
    assert all(key.startswith(store.keys.prefix) for key in keys), keys
    assert len({key_slot(key.encode()) for key in keys}) == 1


def touch_everything(store: Store) -> None:
    """Store an item of every kind and bring each part of the script to do something."""
    first, second = batch_of(store, 2)
    kept = [("key", b"value")]
    store.append([started(first, parent="b"), lines("logs", 1, 3), Hold("me", 60), Hold("me", 0)])
    store.append([replace(started("results"), results=kept), started("results", "r2"), whole("logs", 9)])
    lost = Verdict(Status.LOST, NOW, "worker", run="r1")
    store.append([VerdictItem(first, Status.RUNNING, lost), started(second, parent="b"), ended(second, parent="b")])
    open_run = [by("p", started("open")), lease("p", "r1")]
    silence = Silence("p", 1, "open", Verdict(Status.LOST, NOW, "recorder", run="r1"))
    store.append([*open_run, silence, lease("p", "r1"), lease("p")])
    store.append([replace(started("gone"), replay=True)])
    store.append([Earlier("logs", 2), Quiet("logs", "r1", 9), Cancel("logs", "ada"), lease("p", "r1"), lease("p")])
    store.append([queued("waits"), Cancel("waits", "ada"), queued("below", parent="waits")])
    store.client.redis.zadd(store.keys.prefix + "ended", {"b": 1})
    assert store.append([Trim()]) == [Answer("stored", 3)]
    store.append([started("left"), ended("left")])
    store.append([leave(store, "left"), started("erased", parent="b"), ended("erased", parent="b"), Erase("erased")])
    store.append([replace(started("erased"), created=1.0)])
    store.append([queued("again"), Cancel("again", "ada"), Take("again", "m", "again", "w")])
    part = msgspec.structs.replace(queued("again").part, again=Again("ada", NOW, "task"))
    store.append([QueueAgain("again", Status.CANCELLED, part), Take("again", "m", "task", "w"), Sent("again", 1)])
    store.append([Following("again", "after", part), Following("again"), Paid("after"), Passed("token", 1, {"job": 1})])
    store.append([Below("away", [("child", 1.0, Status.COMPLETE)]), Kept("away", {"key": b"value"})])
    store.append([Back(Parts("away", queue=part), 1)])
    used = (whole("x", 1), queued("x"), Seal("x", 1), Hold("x", 1), Trim(), lease("x"), silence, Leave("x", 1, 0))
    kinds = {type(item) for item in used} | {
        VerdictItem,
        Earlier,
        Quiet,
        Cancel,
        Erase,
        Passed,
        QueueAgain,
        Back,
        Below,
    }
    kinds |= {Below, Kept, Take, Sent, Following, Paid}
    assert kinds == set(get_args(Item)), "a new kind of item belongs in here, too"


def test_who_may_not_publish_stores_all_of_a_call_and_followers_find_it(
    server: BreakableServer, store: Store, following: Follow, quick_compare: None
) -> None:
    """A batch whose last child ends in that call is settled; new users of Redis have no rights to channels."""
    watcher = following()
    ids = batch_of(store, 2)
    server.admin.execute_command("ACL", "SETUSER", "default", "resetchannels")
    ends = [blob for id in ids for blob in (started(id, parent="b"), ended(id, parent="b"))]
    assert [answer.kind for answer in store.append(ends)] == ["stored"] * 4
    assert stored(store)["b"].status is Status.COMPLETE
    assert [answer.kind for answer in store.append(ends)] == ["duplicate"] * 4
    server.allow()
    wait_for(lambda: watcher.seen.get("b") == stored(store)["b"])
