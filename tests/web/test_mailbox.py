"""What waits for a slow socket stays small, in order, and complete."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from web.limits import WAITING
from web.mailbox import CALM, QUICK, Mailbox, Note
from web.messages import Snapshot, frame

TOPIC = "operation:op"


def note(value: object, key: tuple[str, int] = ("op", 0), urgent: bool = True) -> Note:
    return Note(key, msgspec.Raw(json.dumps(value).encode()), urgent)


def opened() -> Mailbox:
    """A mailbox with one topic whose snapshot has been taken out."""
    box = Mailbox(lambda: None)
    box.open(TOPIC)
    box.put_snapshot(TOPIC, frame(Snapshot(TOPIC, "0", [])), "")
    assert len(box.take(1.0)) == 1
    return box


def events(frames: list[str]) -> list[Any]:
    return [event for text in frames for event in json.loads(text).get("events", [])]


def types(frames: list[str]) -> list[str]:
    return [json.loads(text)["type"] for text in frames]


def test_events_wait_for_their_snapshot() -> None:
    """What happened between subscribing and the snapshot comes after it."""
    box = Mailbox(lambda: None)
    box.open(TOPIC)
    box.put(TOPIC, [note(1)], "1")
    assert (box.take(1.0), box.due()) == ([], None)
    box.put_snapshot(TOPIC, frame(Snapshot(TOPIC, "0", [])), "start")
    assert types(box.take(1.0)) == ["snapshot", "events"]


def test_the_newest_state_takes_an_older_ones_place_and_goes_last() -> None:
    """Order is that of the newest: a reader that goes by ``rev`` loses nothing."""
    box = opened()
    box.put(TOPIC, [note("a1", ("op", 1)), note("b1", ("op", 2)), note("a2", ("op", 1))], "5")
    assert events(box.take(1.0)) == ["b1", "a2"]


def test_the_first_event_goes_at_once_and_a_flood_is_merged() -> None:
    """Leading edge, then at most one message in 20 ms, or in 100 ms for progress and counts alone."""
    box = opened()
    box.put(TOPIC, [note(1)], "1")
    assert events(box.take(10.0)) == [1]
    box.put(TOPIC, [note(2, urgent=False)], "2")
    assert box.due() == 10.0 + CALM
    assert box.take(10.0 + QUICK) == []
    box.put(TOPIC, [note(3)], "3")
    assert box.due() == 10.0 + QUICK
    assert events(box.take(10.0 + QUICK)) == [3]


def test_a_new_history_drops_what_waits_of_the_old() -> None:
    """After a reset no event of a flushed operation follows the new snapshot."""
    box = opened()
    box.put(TOPIC, [note("old")], "1")
    box.put_snapshot(TOPIC, frame(Snapshot(TOPIC, "2", [])), "flushed", anew=True)
    frames = box.take(1.0)
    assert types(frames) == ["reset", "snapshot"]
    assert json.loads(frames[0])["reason"] == "flushed"


def test_too_much_waiting_starts_the_topic_again() -> None:
    """Memory stays bounded; the reader gets a reset and everything as it is then."""
    box = opened()
    box.put(TOPIC, [note(index, ("op", index)) for index in range(WAITING + 1)], "1")
    box.put(TOPIC, [note("more")], "2")
    assert (box.overflowed(), box.take(1.0)) == ([TOPIC], [])
    box.open(TOPIC)
    assert box.overflowed() == []
    box.put_snapshot(TOPIC, frame(Snapshot(TOPIC, "3", [])), "slow")
    assert types(box.take(1.0)) == ["reset", "snapshot"]


def test_what_comes_in_wakes_the_socket_and_unknown_topics_do_not_matter() -> None:
    """The hub may be a moment behind an unsubscribe."""
    woken: list[bool] = []
    box = Mailbox(lambda: woken.append(True))
    box.put("operations", [note(1)], "1")
    box.put_snapshot("operations", "{}", "")
    assert (box.take(1.0), box.topics) == ([], [])
    box.open("operations")
    box.put_snapshot("operations", "{}", "")
    assert woken
