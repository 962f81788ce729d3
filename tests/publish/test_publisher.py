"""The publisher: what it takes ends in the store, and whatever the store does, the work goes on."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import wait_for
from tracker import StepTracker
from tracker.compose import compose
from tracker.embedded import Server
from tracker.model import Operation, Status, StepStatus
from tracker.publish import Publisher, lane
from tracker.publish import publisher as publishing
from tracker.store import Store


def operation(store: Store, id: str) -> Operation | None:
    parts = store.operation(id)
    return compose(parts) if parts is not None else None


def stored(store: Store, id: str) -> Operation:
    """The operation, once the store knows its end."""
    return wait_for(lambda: (found := operation(store, id)) and found.ended and found)


def events_of(store: Store, id: str) -> list[str]:
    """Types of the stored events of one operation, in order."""
    from tracker.store.follow import _change

    entries = store.client.redis.xrange(store.keys.feed)
    changes = [_change(entry.decode(), fields[b"m"]) for entry, fields in entries]
    return [str(event.type) for change in changes if change.operation == id for event in change.events]


def work(id: str, steps: int = 3) -> None:
    """An operation of plain steps."""
    names = [f"Step {index}" for index in range(1, steps + 1)]
    with StepTracker("Work", id=id, steps=names, display="quiet") as tracker:
        for name in names:
            tracker.step(name)
            tracker.complete()


def test_a_block_ends_up_in_the_store_event_by_event(publisher: Publisher, store: Store) -> None:
    """Every event is stored once, in the order it happened."""
    work("a", 2)
    found = stored(store, "a")
    steps = ["step.start", "step.complete"] * 2
    assert found.status is Status.COMPLETE
    assert events_of(store, "a") == ["operation.start", *steps, "operation.complete"]


def test_steps_that_have_not_begun_are_stored_with_the_first_event(publisher: Publisher, store: Store) -> None:
    """A watcher sees the whole plan from the start."""
    with StepTracker("Work", id="a", steps=["One", "Two"], display="quiet"):
        found = wait_for(lambda: operation(store, "a"))
        assert [(step.name, step.status) for step in found.steps or []] == [
            ("One", StepStatus.PENDING),
            ("Two", StepStatus.PENDING),
        ]


def test_progress_is_merged_and_its_last_value_exact(publisher: Publisher, store: Store) -> None:
    """Ten thousand calls make few events, and none of them is needed for the final count."""
    with StepTracker("Work", id="a", display="quiet") as tracker, tracker.step("Count") as step:
        for _ in step.track(range(10_000), unit="rows"):
            pass
    found = stored(store, "a")
    assert [(step.current, step.total) for step in found.steps or []] == [(10_000, 10_000)]
    assert len(events_of(store, "a")) < 1_000


def test_progress_shows_while_a_step_hangs(publisher: Publisher, store: Store) -> None:
    """The last value before a pause is told without waiting for the next call."""
    with StepTracker("Work", id="a", display="quiet") as tracker, tracker.step("Count") as step:
        step.advance(3)
        step.advance(4)
        wait_for(lambda: (found := operation(store, "a")) and found.step and found.step.current == 7)


def test_the_work_goes_on_while_the_store_hangs(publisher: Publisher, store: Store, server: Server) -> None:
    """A stopped Redis stops no block; afterwards everything is there, once."""
    work("before")
    stored(store, "before")
    os.kill(server.pid, signal.SIGSTOP)
    try:
        work("during", 50)
    finally:
        os.kill(server.pid, signal.SIGCONT)
    found = stored(store, "during")
    assert found.status is Status.COMPLETE
    assert len(found.steps or []) == 50
    assert len(events_of(store, "during")) == 102


def test_a_flushed_store_is_told_everything_again(publisher: Publisher, store: Store) -> None:
    """A running operation reappears whole, with the steps it had before."""
    with StepTracker("Work", id="a", steps=["One", "Two", "Three"], display="quiet") as tracker:
        with tracker.step("One"):
            pass
        wait_for(lambda: operation(store, "a"))
        publisher.flush()
        store.client.redis.flushall()
        with tracker.step("Two"):
            pass
        found = wait_for(lambda: operation(store, "a"))
        assert [step.name for step in found.steps or []] == ["One", "Two", "Three"]
    assert stored(store, "a").status is Status.COMPLETE


def test_what_waits_is_bounded_and_the_state_right_all_the_same(
    publisher: Publisher, store: Store, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events that had to be dropped are replaced by the run's whole state."""
    monkeypatch.setattr(publishing, "QUEUE_LIMIT", 40)
    monkeypatch.setattr(lane, "WAITING_LIMIT", 30)
    os.kill(server.pid, signal.SIGSTOP)
    try:
        work("a", 200)
        assert len(publisher._queue) <= 40
    finally:
        os.kill(server.pid, signal.SIGCONT)
    found = stored(store, "a")
    assert [step.status for step in found.steps or []] == [StepStatus.COMPLETE] * 200


def test_a_full_queue_costs_events_but_no_state(
    publisher: Publisher, store: Store, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs whose events found no room are told whole once there is some."""
    monkeypatch.setattr(publishing, "QUEUE_LIMIT", 10)
    os.kill(server.pid, signal.SIGSTOP)
    try:
        for number in range(5):
            work(f"work-{number}", 20)
    finally:
        os.kill(server.pid, signal.SIGCONT)
    for number in range(5):
        found = stored(store, f"work-{number}")
        assert [step.status for step in found.steps or []] == [StepStatus.COMPLETE] * 20


def test_a_forked_child_publishes_its_own_operations(redis_url: str, namespace: str) -> None:
    """The child has a thread and a connection of its own, whatever the parent was doing at the fork."""
    code = (
        "import os\n"
        "from tracker import StepTracker\n"
        "from tracker.publish import flush\n"
        "with StepTracker('Parent', id='parent', display='quiet') as outer:\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        with StepTracker('Child', id='child', display='quiet') as inner: inner.step('One')\n"
        "        flush(10)\n"
        "        os._exit(0)\n"
        "    os.waitpid(pid, 0)\n"
    )
    run_script(code, redis_url, namespace)
    store = Store(redis_url, namespace)
    assert stored(store, "child").status is Status.COMPLETE
    assert stored(store, "parent").status is Status.COMPLETE
    store.client.disconnect()


def test_a_script_stores_everything_before_it_exits(redis_url: str, namespace: str) -> None:
    """The end of the interpreter waits, briefly, for what was not sent yet."""
    code = (
        "from tracker import StepTracker\n"
        "with StepTracker('Script', id='a', display='quiet') as t:\n"
        "    for i in range(500): t.step(f'Step {i}')\n"
    )
    run_script(code, redis_url, namespace)
    store = Store(redis_url, namespace)
    found = operation(store, "a")
    assert found is not None
    assert (found.status, len(found.steps or [])) == (Status.COMPLETE, 500)
    store.client.disconnect()


def test_a_script_is_unharmed_when_redis_is_not_reachable() -> None:
    """It does its work and says once, on standard error, that nothing is published."""
    code = "from tracker import StepTracker\nwith StepTracker('Script') as t:\n    t.step('One')\nprint('worked')\n"
    done = run_script(code, "redis://127.0.0.1:1/0", "default")
    assert done.stdout == "worked\n"
    assert done.stderr.count("did not answer") <= 1
    assert "Traceback" not in done.stderr


def test_a_refused_password_ends_publishing_with_one_line(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """No storm of attempts, and no password in the log."""
    wrong = server.url.replace(server.url.split("@")[0], "redis://:wrong-password")
    publisher = Publisher(Store(wrong))
    from tracker import _sink, event_bus

    event_bus.connect(lambda: publisher)
    try:
        with caplog.at_level(logging.WARNING, logger="tracker"):
            work("a")
            work("b")
            wait_for(lambda: caplog.records)
            assert publisher.flush()
    finally:
        event_bus.connect(_sink)
    assert len(caplog.records) == 1
    assert "refuse" in caplog.text
    assert "wrong-password" not in caplog.text


def run_script(code: str, redis_url: str, namespace: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own, as a user would; it must end well."""
    environment = os.environ | {"TRACKER_REDIS_URL": redis_url, "TRACKER_NAMESPACE": namespace}
    command = [sys.executable, "-W", "error", "-c", code]
    root = Path(__file__).parents[2]
    return subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, check=True, timeout=60)


def test_a_flush_covers_what_was_taken_before_it(publisher: Publisher, store: Store) -> None:
    """However the publisher's thread and the caller interleave."""
    for index in range(300):
        with StepTracker("Work", id=f"op-{index}", display="quiet"):
            pass
        assert publisher.flush()
        assert store.client.redis.hget(store.keys.operation(f"op-{index}"), "status") == b"complete"


def test_a_complaint_holds_no_password(caplog: pytest.LogCaptureFixture) -> None:
    """Errors of the store are logged by a thread that nobody watches."""
    publisher = Publisher(Store("redis://localhost:6379/0"))
    with caplog.at_level(logging.WARNING, "tracker"):
        publisher._complain("Redis at redis://:hunter2@cache did not answer")
    assert "redis://…@cache did not answer; the work goes on" in caplog.text
