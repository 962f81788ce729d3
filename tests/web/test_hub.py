"""The hub on its own: a real store to read from, and a script of what its follower says."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.store.making import NOW, ended, head, queued, started, step_event
from tests.support import wait_for
from tracker.errors import StoreUnavailable
from tracker.history import History
from tracker.model import Event, LogLine, Parts
from tracker.store import Change, Reset, Store, Tick
from web.hub import Hub
from web.mailbox import Mailbox
from web.timeliness import IN_TIME, LATE


class ScriptedStore(Store):
    """Says what a test puts into ``script``, ``late`` seconds after it has happened.

    Around every read of one operation it calls ``before_read`` and ``after_read``.
    """

    script: queue.Queue[Reset | Change | Tick | Exception]
    before_read: Callable[[], None]
    after_read: Callable[[], None]
    late = 0.0

    def follow(
        self, *, operation: str | None = None, stop: threading.Event | None = None
    ) -> Iterator[Reset | Change | Tick]:
        while stop is not None and not stop.is_set():
            try:
                item = self.script.get(timeout=0.05)
            except queue.Empty:
                continue
            if isinstance(item, Exception):
                raise item
            yield item

    def age(self, cursor: str) -> float:
        return self.late

    def operation(self, id: str) -> Parts | None:
        self.before_read()
        found = super().operation(id)
        self.after_read()
        return found


@pytest.fixture
def scripted(redis_url: str, namespace: str) -> Iterator[ScriptedStore]:
    store = ScriptedStore(redis_url, namespace)
    store.script = queue.Queue()
    store.before_read = store.after_read = lambda: None
    yield store
    store.client.disconnect()


@pytest.fixture
def hub(scripted: ScriptedStore) -> Iterator[Hub]:
    hub = Hub(scripted, History(scripted).live)
    yield hub
    hub.stopping.set()


def following(hub: Hub, store: ScriptedStore) -> None:
    """Let the hub begin."""
    hub.start()
    store.script.put(Reset("start", "1-0"))
    assert wait_for(lambda: hub.following)


def taken(box: Mailbox) -> list[dict[str, Any]]:
    return [json.loads(frame.text) for frame in box.take(time.monotonic())[0]]


def received(box: Mailbox, type: str) -> dict[str, Any]:
    """The next message of this type; those before it are passed over."""
    found: list[dict[str, Any]] = []

    def arrived() -> list[dict[str, Any]]:
        found.extend(taken(box))
        return [message for message in found if message["type"] == type]

    return wait_for(arrived)[0]


def events_in(frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event for frame in frames if frame["type"] == "events" for event in frame["events"]]


def ids(snapshot: dict[str, Any]) -> list[str]:
    return [operation["id"] for operation in snapshot["operations"]]


def test_who_subscribes_before_the_beginning_gets_a_snapshot_then(hub: Hub, scripted: ScriptedStore) -> None:
    """Nothing is sent until the hub follows; then the snapshot, and no reset: nothing had been shown."""
    scripted.append([queued("op")])
    box = Mailbox(lambda: None)
    hub.subscribe(box, "operation:op")
    assert taken(box) == []
    following(hub, scripted)
    assert ids(wait_for(lambda: taken(box))[0]) == ["op"]


def test_a_snapshot_taken_across_a_reset_is_taken_again(hub: Hub, scripted: ScriptedStore) -> None:
    """What was read before the history was lost is never shown after it."""
    scripted.append([queued("op")])
    following(hub, scripted)
    other, box = Mailbox(lambda: None), Mailbox(lambda: None)
    hub.subscribe(other, "operations")
    received(other, "snapshot")

    def lose_history() -> None:
        scripted.before_read = lambda: None
        scripted.client.redis.delete(scripted.keys.operation("op"), scripted.keys.index)
        scripted.script.put(Reset("flushed", "0-0"))
        assert received(other, "reset")["reason"] == "flushed"
        # The read that follows finds it still: it stands for one that began before the loss.
        scripted.append([queued("op")])

    scripted.before_read = lose_history
    hub.subscribe(box, "operation:op")
    assert received(box, "snapshot")["cursor"] == "0-0"


def test_what_was_read_before_a_reset_does_not_come_back_with_a_later_change(hub: Hub, scripted: ScriptedStore) -> None:
    """A history that is over: its operations have the same ids and other steps."""
    scripted.append([started("op"), step_event("op", 2)])
    following(hub, scripted)
    other, box = Mailbox(lambda: None), Mailbox(lambda: None)
    hub.subscribe(other, "operations")
    received(other, "snapshot")

    def begin_anew() -> None:
        scripted.after_read = lambda: None
        scripted.client.redis.delete(*scripted.client.redis.keys(f"{scripted.keys.prefix}*"))
        scripted.append([started("op"), step_event("op", 2, 7)])
        scripted.script.put(Reset("rolled back", "0-0"))
        received(other, "reset")

    scripted.after_read = begin_anew
    hub.subscribe(box, "operation:op")
    received(box, "snapshot")
    scripted.script.put(change(3))
    told = received(box, "events")["events"]
    assert {event["operation"]["step"]["name"] for event in told} == {"Step 7"}


def test_a_subscription_survives_a_store_that_does_not_answer(hub: Hub, scripted: ScriptedStore) -> None:
    """Its snapshot comes as soon as the store answers again."""
    scripted.append([queued("op")])
    following(hub, scripted)

    def fail() -> None:
        raise StoreUnavailable("away")

    scripted.before_read = fail
    box = Mailbox(lambda: None)
    hub.subscribe(box, "operation:op")
    scripted.script.put(Tick())
    assert wait_for(scripted.script.empty)
    assert taken(box) == []
    scripted.before_read = lambda: None
    scripted.script.put(Tick())
    assert ids(received(box, "snapshot")) == ["op"]


def test_while_redis_is_away_nobody_is_said_to_be_up_to_date(hub: Hub, scripted: ScriptedStore) -> None:
    """A subscription made meanwhile is served afterwards."""
    following(hub, scripted)
    scripted.script.put(Tick(stale=True))
    assert wait_for(lambda: not hub.following)
    box = Mailbox(lambda: None)
    hub.subscribe(box, "operations")
    assert taken(box) == []
    scripted.script.put(Tick())
    assert received(box, "snapshot")["operations"] == []
    assert hub.following


def test_an_error_while_following_starts_every_topic_again(
    hub: Hub, scripted: ScriptedStore, caplog: pytest.LogCaptureFixture
) -> None:
    """The hub outlives what it did not expect, and says so in the log."""
    following(hub, scripted)
    box = Mailbox(lambda: None)
    hub.subscribe(box, "operations")
    received(box, "snapshot")
    scripted.script.put(RuntimeError("unexpected"))
    scripted.script.put(Reset("start", "2-0"))
    assert received(box, "reset")
    assert "unexpected" in caplog.text


def test_a_change_nobody_watches_is_not_read(hub: Hub, scripted: ScriptedStore) -> None:
    """A namespace without watchers costs no reads, however much happens in it."""
    following(hub, scripted)
    reads: list[bool] = []
    scripted.before_read = lambda: reads.append(True)
    scripted.append([started("op")])
    for rev in range(5, 10):
        scripted.script.put(Change(f"{rev}-0", "op", rev, 1, "", [], hole=True))
    assert wait_for(lambda: hub.cursor == "9-0")
    assert reads == []


def test_nothing_arrives_after_leaving(hub: Hub, scripted: ScriptedStore) -> None:
    """A socket that is gone leaves nothing behind that grows."""
    following(hub, scripted)
    box, stays = Mailbox(lambda: None), Mailbox(lambda: None)
    hub.subscribe(box, "operations")
    hub.subscribe(stays, "operations")
    received(box, "snapshot")
    hub.leave(box)
    scripted.append([started("op")])
    scripted.script.put(Change("5-0", "op", 1, 1, "", [], hole=True))
    assert received(stays, "events")["events"][0]["operation"]["id"] == "op"
    assert (taken(box), box.topics) == ([], [])


def change(number: int) -> Change:
    return Change(f"{number}-0", "op", number, 1, "", [], hole=True)


def test_a_hub_that_cannot_keep_up_shows_how_it_stands_and_catches_up(hub: Hub, scripted: ScriptedStore) -> None:
    """A snapshot every second instead of events, marked and announced; afterwards one more, then events again."""
    scripted.append([started("op")])
    following(hub, scripted)
    box = Mailbox(lambda: None)
    hub.subscribe(box, "operations")
    assert received(box, "snapshot")["lagging"] is False
    scripted.late = LATE + 1
    # Judged once a second, so it is told of changes until it looks.
    assert wait_for(lambda: scripted.script.put(change(7)) or hub.lagging)
    frames = [*wait_for(lambda: taken(box))]
    assert [frame["type"] for frame in frames if frame["type"] != "events"][:2] == ["reset", "snapshot"]
    assert frames[-1]["lagging"] is True
    again: list[dict[str, Any]] = []
    assert wait_for(lambda: scripted.script.put(change(8)) or again.extend(taken(box)) or again)
    assert [(frame["type"], frame.get("lagging")) for frame in again] == [("snapshot", True)]
    scripted.late = IN_TIME / 2
    assert wait_for(lambda: scripted.script.put(change(9)) or not hub.lagging)
    told: list[dict[str, Any]] = []
    assert wait_for(lambda: told.extend(taken(box)) or [f for f in told if f.get("lagging") is False])
    caught_up = next(at for at, frame in enumerate(told) if frame.get("lagging") is False)
    assert {frame["type"] for frame in told[: caught_up + 1]} == {"snapshot"}
    scripted.append([ended("op")])
    scripted.script.put(change(10))
    # Of the changes that were put until it had caught up, some may be told as events.
    assert wait_for(lambda: "complete" in [event["operation"]["status"] for event in events_in(taken(box))])


def test_silence_ends_a_lag(hub: Hub, scripted: ScriptedStore) -> None:
    """When nothing is heard any more, nothing waits to be told."""
    following(hub, scripted)
    box = Mailbox(lambda: None)
    hub.subscribe(box, "operations")
    received(box, "snapshot")
    scripted.late = LATE + 1
    assert wait_for(lambda: scripted.script.put(change(7)) or hub.lagging)
    scripted.script.put(Tick())
    assert wait_for(lambda: not hub.lagging)


def test_whoever_comes_while_the_hub_lags_gets_a_snapshot_even_with_its_cursor(
    hub: Hub, scripted: ScriptedStore
) -> None:
    """What is behind the cursor was not told, so there is nothing to go on from."""
    following(hub, scripted)
    scripted.late = LATE + 1
    assert wait_for(lambda: scripted.script.put(change(7)) or hub.lagging)
    box = Mailbox(lambda: None)
    hub.subscribe(box, "operations", cursor=hub.cursor)
    assert received(box, "snapshot")["lagging"] is True


def test_a_log_line_is_not_replaced_by_other_news(hub: Hub, scripted: ScriptedStore) -> None:
    """Whoever reads slowly misses lines between two others only, which shows as a hole in their numbers."""
    scripted.append([started("op")])
    following(hub, scripted)
    box = Mailbox(lambda: None)
    hub.subscribe(box, "operation:op")
    received(box, "snapshot")
    scripted.append([step_event("op", 2)])
    scripted.script.put(Change("8-0", "op", 0, 1, "", [], hole=True))
    received(box, "events")
    stored = scripted.operation("op")
    assert stored is not None
    lines = [Event("step.log", "op", NOW, "r1", n, log=LogLine(n, NOW, f"line {n}")) for n in (3, 4)]
    update = Event("operation.update", "op", NOW, "r1", 5, head=head())
    scripted.script.put(Change("9-0", "op", stored.rev + 3, 1, "", [*lines, update]))
    told = received(box, "events")["events"]
    assert [(event["type"], (event["log"] or {}).get("text")) for event in told] == [
        ("step.log", "line 4"),
        ("operation.update", None),
    ]
