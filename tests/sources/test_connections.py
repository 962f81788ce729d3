"""What a live connection may say and how it may end, and what is made of that."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from tests.sources.following import Watcher
from tests.support import wait_for
from tracker.cli.source import connections, live
from tracker.cli.source.items import Events, Item, Reset, Tick
from tracker.cli.source.remote import Remote
from tracker.errors import NotAllowed, TrackerError
from tracker.history.topics import PROTOCOL
from tracker.model import Operation, Status

HELLO = {"type": "hello", "v": PROTOCOL, "now": 1.0, "version": "9"}
TOPICS = ("operation:a", "children:a")

Serve = Callable[["Peer"], None]


class Peer:
    """The server's end of one connection; ``number`` counts them from 1."""

    def __init__(self, connection: ServerConnection, number: int) -> None:
        self.number = number
        self.moment = time.monotonic()
        self._connection = connection
        self.subscribed = [json.loads(connection.recv(timeout=20)) for _ in TOPICS]

    def say(self, **message: object) -> None:
        self._connection.send(msgspec.json.encode(message).decode())

    def show(self, cursor: str = "5-0", rev: int = 1, status: Status = Status.RUNNING) -> None:
        """A snapshot of each topic."""
        operation = msgspec.to_builtins(Operation("a", "job", "A", status, 1.0, rev=rev))
        self.say(type="snapshot", topic=TOPICS[0], cursor=cursor, operations=[operation])
        self.say(type="snapshot", topic=TOPICS[1], cursor=cursor, operations=[])

    def end(self, code: int) -> None:
        self._connection.close(code, "as the test wants")

    def stay(self) -> None:
        """Until the client goes."""
        with suppress(ConnectionClosed):
            while True:
                self.hear()

    def hear(self) -> dict[str, Any]:
        heard: dict[str, Any] = json.loads(self._connection.recv())
        return heard


@contextmanager
def serving(serve_one: Serve) -> Iterator[tuple[str, list[Peer]]]:
    """A server of live connections and nothing else; its address, and the connections it has had."""
    peers: list[Peer] = []

    def handle(connection: ServerConnection) -> None:
        peers.append(Peer(connection, len(peers) + 1))
        serve_one(peers[-1])

    with serve(handle, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.socket.getsockname()[1]}", peers
        server.shutdown()
        thread.join()


class Raw(Watcher):
    """What the source itself tells."""

    def __init__(self, address: str) -> None:
        super().__init__(Remote(address), "a")
        self._follow = lambda: Remote(address).follow("a", self._stop)


def kinds(items: list[Item]) -> list[str]:
    return [type(item).__name__ for item in items]


def test_a_server_of_another_protocol_is_told_apart() -> None:
    """Nothing it says is taken for what it may not mean."""
    with serving(lambda peer: peer.say(**{**HELLO, "v": 2})) as (address, _), Raw(address) as watcher:
        wait_for(lambda: watcher.error)
    assert "speaks version 2 of the live protocol, and this command version 1" in str(watcher.error)


@pytest.mark.parametrize(("code", "error"), [(4401, NotAllowed), (4403, NotAllowed), (4406, TrackerError)])
def test_who_is_sent_away_for_good_does_not_come_back(code: int, error: type[TrackerError]) -> None:
    """It says why, once."""

    def send_away(peer: Peer) -> None:
        peer.say(**HELLO)
        peer.end(code)

    with serving(send_away) as (address, peers), Raw(address) as watcher:
        wait_for(lambda: watcher.error)
    assert type(watcher.error) is error
    assert len(peers) == 1


@pytest.mark.parametrize("code", [1000, 1011, 1012, 4408])
def test_it_comes_back_with_the_cursor_it_had(code: int) -> None:
    """And what follows is known to take the place of what was told."""

    def twice(peer: Peer) -> None:
        peer.say(**HELLO)
        peer.show(f"{peer.number}-0", peer.number)
        if peer.number == 1:
            peer.end(code)
        else:
            peer.stay()

    with serving(twice) as (address, peers), Raw(address) as watcher:
        wait_for(lambda: len(watcher.told) >= 6)
    assert kinds(watcher.told) == ["Snapshot", "Snapshot", "Reset", "Snapshot", "Reset", "Snapshot"]
    assert peers[0].subscribed == [{"type": "subscribe", "topic": topic} for topic in TOPICS]
    assert peers[1].subscribed == [{"type": "subscribe", "topic": topic, "cursor": "1-0"} for topic in TOPICS]


def test_it_stays_away_for_as_long_as_the_server_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a goodbye, and after it has asked too much."""
    monkeypatch.setattr(connections, "CALM_DOWN", 2.0)

    def thrice(peer: Peer) -> None:
        peer.say(**HELLO)
        if peer.number == 1:
            peer.say(type="bye", reason="the server restarts", retry_after=2.0)
            peer.end(1012)
        elif peer.number == 2:
            peer.end(4429)
        else:
            peer.stay()

    with serving(thrice) as (address, peers), Raw(address) as watcher:
        wait_for(lambda: len(peers) == 3)
        assert any(isinstance(item, Tick) and item.stale for item in watcher.items)
    assert [after.moment - before.moment > 1.9 for before, after in pairwise(peers)] == [True, True]


def test_a_server_without_redis_is_asked_until_it_has_one_again() -> None:
    """What is shown is old meanwhile, and no longer."""
    asked = threading.Event()

    def troubled(peer: Peer) -> None:
        peer.say(**HELLO)
        peer.show()
        peer.say(type="error", detail="Redis does not answer")
        if peer.hear() == {"type": "ping"}:
            asked.set()
            peer.say(type="heartbeat", cursor="5-0", now=1.0, counts=None)
        peer.stay()

    with serving(troubled) as (address, _), Raw(address) as watcher:
        wait_for(asked.is_set)
        wait_for(lambda: isinstance(watcher.items[-1], Tick) and not watcher.items[-1].stale)
    assert any(isinstance(item, Tick) and item.stale for item in watcher.items)


def test_silence_is_a_dead_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the operating system believes of it."""
    monkeypatch.setattr(connections, "SILENCE", 1.5)

    def silent(peer: Peer) -> None:
        peer.say(**HELLO)
        peer.stay()

    with serving(silent) as (address, peers), Raw(address):
        wait_for(lambda: len(peers) >= 2)
    assert peers[1].moment - peers[0].moment > 1.4


def test_messages_of_tomorrow_are_passed_over_and_nonsense_is_not() -> None:
    """A new type or field is no reason to stop; what makes no sense is."""

    def strange(peer: Peer) -> None:
        peer.say(**HELLO)
        peer.say(type="weather", sun=True)
        peer.show()
        peer.say(type="events", topic=TOPICS[0], cursor="6-0", events=[{"no": "event"}])
        peer.stay()

    with serving(strange) as (address, _), Raw(address) as watcher:
        wait_for(lambda: watcher.error)
    assert kinds(watcher.told) == ["Snapshot", "Snapshot"]
    assert "no tracker, or one of another version" in str(watcher.error)


def test_a_reset_of_the_server_is_passed_on_once_for_each_topic() -> None:
    """With the reason it gave."""

    def resets(peer: Peer) -> None:
        peer.say(**HELLO)
        peer.show()
        for topic in TOPICS:
            peer.say(type="reset", topic=topic, reason="too much happened at once")
        peer.show("7-0", 2)
        peer.stay()

    with serving(resets) as (address, _), Raw(address) as watcher:
        wait_for(lambda: len(watcher.told) >= 6)
    assert [item.reason for item in watcher.told if isinstance(item, Reset)] == ["too much happened at once"] * 2


def test_events_come_as_they_are() -> None:
    """Of a topic, with the cursor to which it is told."""
    event: dict[str, Any] = {"type": "operation.complete", "ts": 1.0, "cursor": "6-0"}
    event["operation"] = msgspec.to_builtins(Operation("a", "job", "A", Status.COMPLETE, 1.0, rev=2))

    def tells(peer: Peer) -> None:
        peer.say(**HELLO)
        peer.show()
        peer.say(type="events", topic=TOPICS[0], cursor="6-0", events=[event])
        peer.stay()

    with serving(tells) as (address, _), Raw(address) as watcher:
        wait_for(lambda: len(watcher.told) >= 3)
    last = watcher.told[-1]
    assert isinstance(last, Events)
    assert (last.topic, last.cursor, last.events[0].operation.status) == (TOPICS[0], "6-0", Status.COMPLETE)


def test_a_way_that_worked_is_tried_first_and_the_other_now_and_then() -> None:
    """Something in between may let only one of them through, and may change its mind."""
    follower = live.Live(Remote("http://127.0.0.1:1")._http, "a", threading.Event())
    follower._stop.set()
    ways = []
    for _ in range(6):
        list(follower._rest(connections.Ended()))
        ways.append(follower._way.__name__)
    assert ways == ["WebSocket", "WebSocket", "EventStream", "WebSocket", "WebSocket", "EventStream"]
