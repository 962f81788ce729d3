"""The recorder: one is active, another takes over, and what is too old leaves Redis."""

from __future__ import annotations

import threading

import pytest

from tests.store.making import batch_of, ended, started
from tests.support import wait_for
from tracker.history import recorder as recording
from tracker.history.recorder import Recorder
from tracker.store import Store


def age(store: Store, id: str, days: float) -> None:
    """Let an ended operation have ended longer ago."""
    store.client.redis.zincrby(store.keys.prefix + "ended", -days * 86400, id)


def test_ended_operations_leave_redis_after_their_days_and_running_ones_never(store: Store) -> None:
    """With everything that belongs to them: children, counts, index."""
    ids = batch_of(store, 30)
    for id in ids:
        store.append([started(id, parent="b"), ended(id)])
    store.append([started("old"), ended("old"), started("young"), ended("young"), started("running")])
    for id in ("b", "old"):
        age(store, id, 7.1)
    recorder = Recorder(store)
    recorder.turn()
    assert recorder.trimmed == 32
    assert {parts.id for parts in store.operations().items} == {"young", "running"}
    left = [key.decode() for key in store.client.redis.keys(f"{store.keys.prefix}*")]
    assert not [key for key in left if key.endswith((":b", ":old")) or ":children:b" in key]


def test_many_old_operations_leave_in_one_turn(store: Store) -> None:
    """In short calls, but all of them."""
    ids = [f"op-{index}" for index in range(50)]
    for id in ids:
        store.append([started(id), ended(id)])
    for id in ids:
        age(store, id, 8)
    recorder = Recorder(store)
    recorder.turn()
    assert recorder.trimmed == 50


def test_one_recorder_is_active_and_the_other_takes_over_when_it_ends(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once when the first ends well."""
    monkeypatch.setattr(recording, "EVERY", 0.05)
    first, second = Recorder(store), Recorder(store)
    ends = [threading.Event(), threading.Event()]
    threads = [
        threading.Thread(target=one.run, args=[end.wait]) for one, end in zip((first, second), ends, strict=True)
    ]
    threads[0].start()
    wait_for(lambda: first.active)
    threads[1].start()
    second.turn()
    assert not second.active
    ends[0].set()
    threads[0].join()
    wait_for(lambda: second.active)
    ends[1].set()
    threads[1].join()


def test_a_killed_recorder_is_replaced_after_a_while(store: Store) -> None:
    """Its place runs out by Redis's own clock."""
    dead, standby = Recorder(store), Recorder(store)
    dead.turn()
    assert 0 < store.client.redis.pttl(store.keys.prefix + "recorder") <= recording.SILENCE * 1000
    store.client.redis.pexpire(store.keys.prefix + "recorder", 0)
    standby.turn()
    assert standby.active


def test_without_redis_it_waits_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    """And is not active meanwhile."""
    recorder = Recorder(Store("redis://127.0.0.1:1/0"))
    recorder.turn()
    recorder.turn()
    assert not recorder.active
    assert len(caplog.records) == 1
