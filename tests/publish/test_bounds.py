"""Whatever happens, what waits stays within bounds: what finds no room is left out, counted and said."""

from __future__ import annotations

import gc
import logging
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.publish.test_publisher import operation, stored, work
from tests.store.making import ended
from tests.support import frozen, wait_for
from tracker import StepTracker, _sink, event_bus
from tracker.embedded import Server
from tracker.errors import TrackerError
from tracker.model import Status
from tracker.publish import Publisher, backlog, overflow, waiting
from tracker.publish import publisher as publishing
from tracker.publish.words import Words, _encode
from tracker.store import Store


@pytest.fixture
def by_hand(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    """A publisher whose thread does not run, connected for one test."""
    monkeypatch.setattr(Publisher, "_start", lambda _: None)
    publisher = Publisher(store)
    event_bus.connect(lambda: publisher)
    yield publisher
    event_bus.connect(_sink)


def everything_sent(publisher: Publisher) -> None:
    publisher._sort()
    while publisher._send_due():
        pass


def test_an_ended_run_that_finds_no_room_anywhere_is_counted_and_no_sign_of_life_speaks_for_it(
    by_hand: Publisher, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its start was stored: whoever watches finds that its process goes on without it."""
    monkeypatch.setattr(publishing, "QUEUE_LIMIT", 1)
    monkeypatch.setattr(overflow, "STEPS_LIMIT", 1)
    with StepTracker("Lost", id="lost", display="quiet") as lost:
        everything_sent(by_hand)
        work("told-whole")
        lost.step("One")
    everything_sent(by_hand)
    assert by_hand.dropped_runs == 1
    assert not by_hand._waiting.lanes
    assert [lease.runs for lease in store.leases()] == []
    assert stored(store, "told-whole").status is Status.COMPLETE
    found = operation(store, "lost")
    assert found is not None
    assert found.status is Status.RUNNING


def test_results_that_find_no_room_are_let_go_and_their_steps_are_told_all_the_same(
    publisher: Publisher,
    store: Store,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """In the queue, and behind it; the first ones find room."""
    monkeypatch.setattr(publishing, "RESULTS_LIMIT", 1_000_000)
    monkeypatch.setattr(waiting, "RESULTS_LIMIT", 250_000)
    publisher._store.client.answer_timeout = 0.1
    with (
        frozen(server.pid),
        caplog.at_level(logging.WARNING, logger="tracker"),
        StepTracker("Work", id="a", display="quiet") as tracker,
    ):
        for number in range(100):
            tracker.run(f"Step {number}", lambda: "x" * 50_000)
        wait_for(lambda: not any(step.kept for step in tracker.steps if step.index > 20))
    found = stored(store, "a")
    assert [str(step.status) for step in found.steps or []] == ["complete"] * 100
    assert 0 < len(store.results("a")) < 30
    assert sum("results of steps are not kept" in message for message in caplog.messages) == 1


def test_more_than_redis_takes_in_time_goes_to_the_spool_though_it_answers(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And from there to Redis, in order and with every event."""
    monkeypatch.setattr(waiting, "EVENTS_LIMIT", 50)
    monkeypatch.setattr(backlog, "BLOBS_PER_CALL", 1)
    monkeypatch.setattr(publishing, "BLOBS_PER_CALL", 1)
    monkeypatch.setattr(Publisher, "_start", lambda _: None)
    publisher = Publisher(store, tmp_path / "spool")
    event_bus.connect(lambda: publisher)
    try:
        for number in range(10):
            work(f"work-{number}", 5)
        publisher._round()
        assert publisher._backlog.size > 0
        everything_sent(publisher)
    finally:
        event_bus.connect(_sink)
    assert publisher._backlog.empty
    assert [len(stored(store, f"work-{number}").steps or []) for number in range(10)] == [5] * 10
    assert publisher.dropped_runs == 0


def test_last_words_are_kept_in_order_and_the_oldest_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """By how many bytes they take."""
    words, blobs = Words(), [ended(f"op-{number}") for number in range(5)]
    monkeypatch.setattr("tracker.publish.words.BYTES_LIMIT", 3 * len(_encode(blobs[0])))
    for blob in blobs:
        words.put(blob)
    assert words.dropped == 2
    assert [blob.operation for blob in words.peek(2)] == ["op-2", "op-3"]
    words.taken(2)
    assert [blob.operation for blob in words.peek(2)] == ["op-4"]
    words.put(blobs[0])
    assert (len(words), words.dropped) == (2, 2)


def test_a_run_and_its_steps_are_gone_once_all_is_told(publisher: Publisher, store: Store) -> None:
    """At once, without Python's collector; whoever still holds a step finds it as it was."""
    gc.disable()
    try:
        with StepTracker("Work", id="a", display="quiet") as tracker:
            step = tracker.step("One")
            step.complete()
        run = weakref.ref(tracker._run)
        del tracker
        assert publisher.flush(20)
        wait_for(lambda: run() is None)
    finally:
        gc.enable()
    assert (step.name, str(step.status)) == ("One", "complete")
    step.log("too late")
    with pytest.raises(TrackerError, match="cannot become error"):
        step.fail("too late")
    assert publisher.flush(20)
    assert [line.text for line in store.logs("a")] == []
