"""What waits for a slow client stays small, in order and complete, and is made once for all who are as far."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from tests.support import Clock
from web import channel as module
from web.channel import CALM, QUICK, Channel, Note, Reader
from web.limits import WAITING, WAITING_BYTES, WAITING_SECONDS
from web.mailbox import Mailbox
from web.messages import Frame, Snapshot

TOPIC = "operation:op"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "elapsed", clock)
    return clock


class Topic(Channel):
    """A channel that counts how often a snapshot was wanted; its readers are woken in vain."""

    def __init__(self) -> None:
        self.wanted = 0
        super().__init__(TOPIC, self._count)

    def _count(self, channel: Channel) -> None:
        self.wanted += 1

    def reader(self) -> Reader:
        """Someone whose snapshot has been taken out."""
        reader = Reader(lambda: None)
        self.join(reader, "")
        self.ask(reader)
        assert self.answer()
        assert types(self.take(reader, 1.0)[0]) == ["snapshot"]
        return reader

    def answer(self) -> bool:
        """Give the snapshot that was wanted."""
        return self.give(Frame(Snapshot(TOPIC, "0", [])), self.begin())

    def heard(self, reader: Reader, now: float) -> list[Any]:
        return [event for frame in self.take(reader, now)[0] for event in json.loads(frame.text).get("events", [])]


def note(value: object, key: tuple[str, int] = ("op", 0), urgent: bool = False) -> Note:
    return Note(key, msgspec.Raw(json.dumps(value).encode()), urgent)


def types(frames: list[Frame]) -> list[str]:
    return [json.loads(frame.text)["type"] for frame in frames]


def test_events_wait_for_their_snapshot() -> None:
    """What happened between subscribing and the snapshot comes after it."""
    topic, reader = Topic(), Reader(lambda: None)
    topic.join(reader, "")
    topic.ask(reader)
    begun = topic.begin()
    topic.put([note(1)], "1")
    assert topic.take(reader, 1.0) == ([], None)
    assert topic.give(Frame(Snapshot(TOPIC, "0", [])), begun)
    assert types(topic.take(reader, 1.0)[0]) == ["snapshot", "events"]


def test_one_snapshot_is_read_for_all_who_wait_and_one_message_made() -> None:
    """A thousand clients that come back at once cost one read; what they are sent is the same bytes."""
    topic = Topic()
    readers = [Reader(lambda: None) for _ in range(5)]
    for reader in readers:
        topic.join(reader, "")
        topic.ask(reader)
    assert topic.wanted == 1
    assert topic.answer()
    topic.put([note(1)], "1")
    found = [topic.take(reader, 1.0)[0] for reader in readers]
    assert {len(frames) for frames in found} == {2}
    assert len({id(frame) for frames in found for frame in frames}) == 2


def test_waiting_progress_is_merged_and_its_newest_goes_last() -> None:
    """Order is that of the newest: a reader that goes by ``rev`` loses nothing."""
    topic = Topic()
    reader = topic.reader()
    topic.put([note("a1", ("op", 1)), note("b1", ("op", 2)), note("a2", ("op", 1))], "5")
    assert topic.heard(reader, 1.0) == ["b1", "a2"]


def test_steps_and_outcomes_are_never_merged() -> None:
    """However long they wait; progress that waits before one is contained in it."""
    topic = Topic()
    reader = topic.reader()
    for number in range(3):
        topic.put(
            [note(f"start {number}", urgent=True), note(f"progress {number}"), note(f"end {number}", urgent=True)], "1"
        )
    assert topic.heard(reader, 1.0) == [f"{what} {number}" for number in range(3) for what in ("start", "end")]


def test_the_first_event_goes_at_once_and_a_flood_is_merged() -> None:
    """Leading edge, then at most one message in 20 ms, or in 100 ms for progress and counts alone."""
    topic = Topic()
    reader = topic.reader()
    topic.put([note(1)], "1")
    assert topic.heard(reader, 10.0) == [1]
    topic.put([note(2)], "2")
    assert topic.due(reader) == 10.0 + CALM
    assert topic.take(reader, 10.0 + QUICK) == ([], 10.0 + CALM)
    topic.put([note(3, ("op", 1), urgent=True)], "3")
    assert topic.due(reader) == 10.0 + QUICK
    assert topic.heard(reader, 10.0 + QUICK) == [2, 3]


def test_a_reader_is_woken_only_when_its_next_message_goes_sooner() -> None:
    """A thousand sockets that wait already are not touched again for each of a flood of events."""
    topic, woken = Topic(), list[int]()
    reader = topic.reader()
    reader.wake = lambda: woken.append(1)
    for urgent, expected in ((False, 1), (False, 1), (True, 2), (True, 2), (False, 2)):
        topic.put([note("x", urgent=urgent)], "1")
        assert len(woken) == expected


def test_a_new_history_drops_what_waits_of_the_old() -> None:
    """After a reset no event of a flushed operation follows the new snapshot."""
    topic = Topic()
    reader = topic.reader()
    topic.put([note("old", urgent=True)], "1")
    begun = topic.begin()
    topic.restart("flushed")
    assert not topic.give(Frame(Snapshot(TOPIC, "1", [])), begun)
    assert topic.answer()
    frames, _ = topic.take(reader, 1.0)
    assert types(frames) == ["reset", "snapshot"]
    assert json.loads(frames[0].text)["reason"] == "flushed"


@pytest.mark.parametrize("flood", ["many", "large", "old"])
def test_whoever_is_too_far_behind_starts_again(flood: str, clock: Clock) -> None:
    """Memory stays bounded; the reader gets a reset and everything as it is then. Who keeps up notices nothing."""
    topic = Topic()
    slow, quick = topic.reader(), topic.reader()
    size, count = (WAITING_BYTES // 3, 4) if flood == "large" else (1, WAITING + 1 if flood == "many" else 1)
    for number in range(count):
        topic.put([note("x" * size, ("op", number), urgent=True)], "1")
        assert topic.heard(quick, 100.0 + number)
    if flood == "old":
        clock.pass_by(WAITING_SECONDS + 2, topic.tend, every=1.0)
    wanted = topic.wanted
    assert topic.take(slow, 1_000.0) == ([], None)
    assert topic.wanted == wanted + 1
    assert topic.answer()
    assert types(topic.take(slow, 1_000.0)[0]) == ["reset", "snapshot"]
    topic.put([note("more", urgent=True)], "2")
    assert topic.heard(slow, 2_000.0) == topic.heard(quick, 2_000.0) == ["more"]


def test_a_snapshot_that_could_not_be_read_is_read_again() -> None:
    """In the next quiet moment; whoever waits is served then."""
    topic, reader = Topic(), Reader(lambda: None)
    topic.join(reader, "")
    topic.ask(reader)
    topic.tend()
    assert topic.wanted == 1
    topic.fail()
    topic.tend()
    assert topic.wanted == 2
    assert topic.answer()
    assert types(topic.take(reader, 1.0)[0]) == ["snapshot"]
    topic.tend()
    assert topic.wanted == 2


def test_a_mailbox_takes_from_all_its_topics() -> None:
    """And says when the earliest of what still waits may go."""
    one, other = Topic(), Topic()
    box = Mailbox(lambda: None)
    for topic in (one, other):
        reader, place = box.open(topic, "")
        topic.resume(reader, place)
    one.put([note(1, urgent=True)], "1")
    other.put([note(2)], "1")
    assert len(box.take(10.0)[0]) == 2
    one.put([note(3)], "2")
    other.put([note(4, urgent=True)], "2")
    assert box.take(10.0) == ([], 10.0 + QUICK)
    box.close(other)
    assert box.due() == 10.0 + CALM
