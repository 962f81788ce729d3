"""The live WebSocket against a real server, a real Redis and a real client."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from tests.store.making import NOW, batch_of, by, ended, head, lease, queued, started, step_event
from tests.store.revs import begun
from tests.support import wait_for
from tests.web.client import Server, serving
from tracker.embedded import ensure_server
from tracker.ids import new_id
from tracker.model import Event, RunPart, Status, StepStatus, Verdict
from tracker.store import RunBlob, Silence, Store


@pytest.fixture
def op() -> str:
    """An id no other test uses: the server they share may still hold theirs."""
    return new_id()


def test_the_first_message_is_hello(server: Server) -> None:
    """It names the protocol's version, the server's, and its time."""
    with server.watch() as watcher:
        hello = watcher.seen[0]
    assert (hello["type"], hello["v"]) == ("hello", 1)
    assert abs(hello["now"] - time.time()) < 60
    assert hello["version"]


def test_a_snapshot_comes_first_and_every_change_after_it(server: Server, store: Store, op: str) -> None:
    """An operation that was there is in the snapshot; what happens to it then comes as events, in order."""
    store.append([queued(op)])
    with server.watch("operations", f"operation:{op}") as watcher:
        assert watcher.until("snapshot")["operations"][0]["status"] == "queued"
        assert watcher.until("snapshot")["operations"][0]["id"] == op
        store.append([started(op), step_event(op, 2)])
        store.append([step_event(op, 3, status=StepStatus.COMPLETE)])
        store.append([ended(op, seq=4)])
        watcher.event(f"operation:{op}", lambda event: event["operation"]["status"] == "complete")
        events = watcher.events(f"operation:{op}")
        revs = [event["operation"]["rev"] - begun(store, op) for event in events]
        assert revs == sorted(revs)
        assert revs[-1] == 5
        assert [event["step"]["status"] for event in events if event.get("step")][-1] == "complete"
        assert all(event["operation"]["steps"] is None for event in events)


def test_silence_loss_and_life_are_told_as_they_are_judged(server: Server, store: Store, op: str) -> None:
    """Also of an operation that the server had let go of, as it had ended."""
    run = f"run-{op}"
    silent = Verdict(Status.RUNNING, NOW, "recorder", run=run, flags=["unresponsive"])
    store.append([by("p", started(op, run)), lease("p", run)])
    with server.watch(f"operation:{op}") as watcher:
        watcher.until("snapshot")
        store.append([Silence("p", 1, op, silent)])
        watcher.event(f"operation:{op}", lambda event: event["operation"]["flags"] == ["unresponsive"])
        store.append([Silence("p", 1, op, Verdict(Status.LOST, NOW, "recorder", run=run, reason="silent"))])
        watcher.event(f"operation:{op}", lambda event: event["operation"]["status"] == "lost")
        store.append([lease("p", run)])
        watcher.event(f"operation:{op}", lambda event: event["operation"]["status"] == "running")
        last = watcher.events(f"operation:{op}")[-1]["operation"]
        assert (last["flags"], last["error"], last["ended"]) == ([], None, None)


@pytest.mark.parametrize("name", ["queue", "step:r1:1"])
def test_an_operation_that_cannot_be_read_spoils_no_other(server: Server, store: Store, op: str, name: str) -> None:
    """Its own page is told why it shows nothing; whatever it tells, others are followed as before."""
    other = new_id()
    store.append([started(op), step_event(op, 2), started(other, "r2")])
    store.client.redis.hset(store.keys.operation(op), name, b"{{")
    with server.watch("operations", f"operation:{op}", f"operation:{other}") as watcher:
        shown = {message["topic"]: message for message in (watcher.until("snapshot") for _ in range(3))}
        assert shown[f"operation:{op}"]["operations"] == []
        assert f"its `{name}` makes no sense" in shown[f"operation:{op}"]["problem"]
        assert {message["problem"] for topic, message in shown.items() if topic != f"operation:{op}"} == {""}
        assert other in [operation["id"] for operation in shown["operations"]["operations"]]
        for seq in range(3, 6):
            store.append([step_event(op, seq, 2), step_event(other, seq - 1, run="r2")])
            watcher.event(f"operation:{other}", lambda event: event["step"])
        store.append([ended(other, run="r2", seq=5)])
        watcher.event(f"operation:{other}", lambda event: event["operation"]["status"] == "complete")
        assert [message for message in watcher.seen if message["type"] == "reset"] == []


def test_a_new_operation_appears_in_the_list(server: Server, store: Store) -> None:
    """Nobody has to subscribe again for it; children do not appear there."""
    with server.watch("operations") as watcher:
        assert watcher.until("snapshot")["operations"] == []
        store.append([queued("parent"), queued("child", parent="parent"), queued("last")])
        watcher.event("operations", lambda event: event["operation"]["id"] == "last")
        ids = {event["operation"]["id"] for event in watcher.events()}
        assert ids == {"parent", "last"}


def test_an_operation_may_be_watched_before_it_exists(server: Server, store: Store) -> None:
    """Its snapshot is empty; it arrives when it is queued."""
    with server.watch("operation:later") as watcher:
        assert watcher.until("snapshot")["operations"] == []
        store.append([queued("later")])
        watcher.event("operation:later", lambda event: event["operation"]["status"] == "queued")


def test_only_what_is_subscribed_is_sent(server: Server, store: Store) -> None:
    """After an unsubscribe nothing more of the topic comes."""
    store.append([queued("one"), queued("two")])
    with server.watch("operation:one", "operation:two") as watcher:
        watcher.until("snapshot")
        watcher.until("snapshot")
        watcher.say(type="unsubscribe", topic="operation:one")
        watcher.say(type="ping")
        watcher.until("heartbeat")
        store.append([started("one"), started("two")])
        watcher.event("operation:two", lambda event: event["operation"]["status"] == "running")
        assert "running" not in {event["operation"]["status"] for event in watcher.events("operation:one")}


def test_children_show_failures_first(server: Server, store: Store, op: str) -> None:
    """The window begins with what went wrong, then what runs, then the others as they were queued."""
    ids = batch_of(store, 5, op)
    store.append([started(ids[2], parent=op), started(ids[4], parent=op)])
    store.append([ended(ids[4], Status.ERROR, parent=op)])
    with server.watch(f"children:{op}") as watcher:
        found = [child["id"] for child in watcher.until("snapshot")["operations"]]
    assert found == [ids[4], ids[2], ids[0], ids[1], ids[3]]


def test_a_childs_change_moves_its_parents_counts(server: Server, store: Store, op: str) -> None:
    """Whoever watches the list or the batch sees counts that always add up, without watching the children."""
    ids = batch_of(store, 3, op)
    with server.watch("operations", f"operation:{op}") as watcher:
        watcher.until("snapshot")
        watcher.until("snapshot")
        for done, id in enumerate(ids, 1):
            store.append([started(id, parent=op)])
            store.append([ended(id, parent=op)])
            watcher.event(
                f"operation:{op}", lambda event, done=done: event["operation"]["children"]["complete"] == done
            )
        while not any(event["operation"]["status"] == "complete" for event in watcher.events("operations")):
            watcher.read()
        counts = [event["operation"]["children"] for event in watcher.events()]
        assert all(c["total"] == c["queued"] + c["running"] + c["complete"] == 3 for c in counts)
        assert counts[-1]["complete"] == 3


def test_children_arrive_whole_and_merged(server: Server, store: Store, op: str) -> None:
    """Every child's outcome arrives, in far fewer messages than there were changes."""
    ids = batch_of(store, 100, op)
    with server.watch(f"children:{op}") as watcher:
        watcher.until("snapshot")
        for id in ids:
            store.append([started(id, parent=op), ended(id, parent=op)])
        waiting = set(ids)
        while waiting:
            message = watcher.until("events")
            waiting -= {e["operation"]["id"] for e in message["events"] if e["operation"]["status"] == "complete"}
        spent = [m for m in watcher.seen if m["type"] == "events"]
        assert len(spent) < 100


def test_two_watchers_of_one_operation_both_see_everything(server: Server, store: Store, op: str) -> None:
    """One who comes later takes nothing away from the one who was there."""
    store.append([started(op)])
    before = begun(store, op)
    with server.watch("operations") as early:
        early.until("snapshot")
        for seq in range(2, 30):
            store.append([step_event(op, seq)])
            if seq == 15:
                with server.watch("operations", f"operation:{op}") as late:
                    late.until("snapshot")
        early.event("operations", lambda event: event["operation"]["rev"] - before == 29)


def test_heartbeats_come_and_name_the_position(server: Server, store: Store, op: str) -> None:
    """Also when nothing happens; the cursor is that of the last change."""
    with server.watch("operations") as watcher:
        watcher.until("snapshot")
        store.append([queued(op)])
        cursor = watcher.until("events")["cursor"]
        assert watcher.until("heartbeat", lambda m: m["cursor"] == cursor)
        assert watcher.until("heartbeat")["now"] > 0


def test_a_hostile_name_arrives_as_it_is(server: Server, store: Store, op: str) -> None:
    """Harmless as data: nothing is interpreted on the way."""
    name = "[/bold]<script>\x1b]52;c;\x07" + "x" * 100
    store.append(
        [RunBlob(op, "r1", [Event("operation.start", op, 1.0, "r1", 1, head=_titled(name))], "", 1.0, _titled(name))]
    )
    with server.watch("operations") as watcher:
        assert watcher.until("snapshot")["operations"][0]["title"] == name


def _titled(title: str) -> RunPart:
    return RunPart("r1", "job", title, 1.0, 1.0)


BAD = ["", "{", "[]", "7", '{"type":"shout"}', '{"type":"subscribe"}', '{"type":"subscribe","topic":7}']
BAD_TOPICS = [
    "",
    "operation:",
    "operation:a b",
    "operation:" + "x" * 129,
    "children",
    "all",
    "operations:x",
    "children:\x00",
]


@pytest.mark.parametrize("text", BAD + [json.dumps({"type": "subscribe", "topic": topic}) for topic in BAD_TOPICS])
def test_a_message_nobody_understands_is_answered(server: Server, text: str) -> None:
    """With a sentence that says what would be understood; the connection stays."""
    with server.watch() as watcher:
        watcher.socket.send(text)
        assert watcher.until("error")["detail"]
        watcher.say(type="subscribe", topic="operations", unknown="ignored")
        watcher.until("snapshot")


def closing_code(watcher_socket: ClientConnection) -> int | None:
    try:
        for _ in range(10_000):
            watcher_socket.recv(timeout=20)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None
    raise AssertionError("the connection stays open")


def test_too_many_mistakes_close_the_connection(server: Server) -> None:
    """Code 1008."""
    with server.watch() as watcher:
        for _ in range(6):
            watcher.socket.send("nonsense")
        assert closing_code(watcher.socket) == 1008


def test_too_many_messages_close_the_connection(server: Server) -> None:
    """Code 4429; a burst below the limit is fine."""
    # Unbounded, as this client does not read while it talks, and would not see the connection close.
    with server.watch(max_queue=None) as watcher:
        for _ in range(15):
            watcher.say(type="ping")
        watcher.until("heartbeat")
        with suppress(ConnectionClosed):
            for _ in range(60):
                watcher.say(type="ping")
        assert closing_code(watcher.socket) == 4429


def test_too_large_a_message_closes_the_connection(server: Server) -> None:
    """Code 1009 for more than 8 KiB, however it is cut into pieces."""
    with server.watch() as watcher:
        with suppress(ConnectionClosed):  # It may come before the last piece has gone out.
            watcher.socket.send(["x" * 4_000] * 3)
        assert closing_code(watcher.socket) == 1009


def test_one_connection_watches_a_bounded_number_of_topics(server: Server) -> None:
    """The one too many is refused with a sentence, the others stay."""
    with server.watch() as watcher:
        for number in range(16):
            watcher.say(type="subscribe", topic=f"operation:op{number}")
            watcher.until("snapshot")
        watcher.say(type="subscribe", topic="operation:one-more")
        assert "at most 16" in watcher.until("error")["detail"]


def test_a_lost_history_resets_every_watcher(tmp_path: Path) -> None:
    """After FLUSHALL each topic says so and starts again with what is there now."""
    redis = ensure_server(tmp_path / "redis")
    try:
        store = Store(redis.url, "lost")
        with serving(redis.url, "lost", tmp_path / "log", heartbeat=0.3) as server:
            store.append([queued("old")])
            with server.watch("operations", "operation:old") as watcher:
                assert watcher.until("snapshot")["operations"][0]["id"] == "old"
                watcher.until("snapshot")
                store.client.redis.flushall()
                store.append([queued("new")])
                assert watcher.until("reset")["reason"]
                shown: dict[str, list[str]] = {}

                def show(message: dict[str, Any]) -> bool:
                    shown[message["topic"]] = [operation["id"] for operation in message["operations"]]
                    return shown == {"operations": ["new"], "operation:old": []}

                watcher.until("snapshot", show)
                store.append([started("new")])
                watcher.event("operations", lambda event: event["operation"]["status"] == "running")
        store.client.disconnect()
    finally:
        redis.stop()


def test_watchers_outlive_a_restart_of_redis(tmp_path: Path) -> None:
    """While it is away they are told and hear no heartbeat; then they go on, missing nothing."""
    redis = ensure_server(tmp_path / "redis")
    store = Store(redis.url, "away")
    with serving(redis.url, "away", tmp_path / "log", heartbeat=0.2) as server, server.watch("operations") as watcher:
        watcher.until("snapshot")
        redis.stop()
        assert "Redis" in watcher.until("error")["detail"]
        watcher.say(type="subscribe", topic="operation:op")
        again = ensure_server(tmp_path / "redis")
        try:
            wait_for(lambda: store.append([queued("op")]))
            watcher.until("snapshot", lambda m: m["topic"] == "operation:op" and m["operations"])
            watcher.until("heartbeat")
            held = [m for m in watcher.seen if m.get("topic") == "operations"]
            assert "op" in json.dumps(held)
            store.client.disconnect()
        finally:
            again.stop()


def test_what_waits_for_a_snapshot_is_not_lost(server: Server, store: Store, op: str) -> None:
    """Changes made while clients subscribe arrive, in the snapshot or after it."""
    store.append([started(op)])
    before = begun(store, op)
    for seq in range(2, 40):
        with server.watch(f"operation:{op}") as watcher:
            store.append([step_event(op, seq)])
            snapshot = watcher.until("snapshot")["operations"][0]
            if snapshot["rev"] < before + seq:
                watcher.event(f"operation:{op}", lambda event, rev=before + seq: event["operation"]["rev"] >= rev)


def test_a_second_run_clears_the_first_ones_error(server: Server, store: Store, op: str) -> None:
    """An operation that ended and runs again is told as running, with the new run's id."""
    store.append([started(op), ended(op, Status.ERROR)])
    with server.watch(f"operation:{op}") as watcher:
        assert watcher.until("snapshot")["operations"][0]["status"] == "error"
        store.append(
            [RunBlob(op, "r2", [Event("operation.start", op, 1.0, "r2", 1, head=head("r2"))], "", 1.0, head("r2"))]
        )
        event = watcher.event(f"operation:{op}", lambda event: event["operation"]["run"] == "r2")
        assert (event["operation"]["status"], event["operation"]["attempt"]) == ("running", 2)
