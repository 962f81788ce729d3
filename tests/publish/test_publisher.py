"""The publisher: what it takes ends in the store, and whatever the store does, the work goes on."""

from __future__ import annotations

import logging
import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.revs import feed
from tests.support import Clock, frozen, wait_for
from tracker import StepTracker, _sink, event_bus
from tracker.compose import compose
from tracker.embedded import Server
from tracker.model import EventType, Operation, Status, StepStatus
from tracker.publish import Publisher, ended, lane, waiting, words
from tracker.publish import publisher as publishing
from tracker.publish.outage import LONGEST_PAUSE, pause_after
from tracker.store import RunBlob, Store


def operation(store: Store, id: str) -> Operation | None:
    parts = store.operation(id)
    return compose(parts) if parts is not None else None


def stored(store: Store, id: str) -> Operation:
    """The operation, once the store knows its end."""
    return wait_for(lambda: (found := operation(store, id)) and found.ended and found)


def events_of(store: Store, id: str) -> list[str]:
    """Types of the stored events of one operation, in order."""
    return [str(event.type) for change in feed(store) if change.operation == id for event in change.events]


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
    with frozen(server.pid):
        work("during", 50)
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


def test_a_program_s_own_chance_stays_as_it_was_seeded(publisher: Publisher, server: Server, store: Store) -> None:
    """Also while Redis is away, and pauses differ by chance."""
    publisher._store.client.answer_timeout = 0.05
    random.seed(1)
    before = random.getstate()
    with frozen(server.pid):
        work("a")
        wait_for(lambda: publisher._outage and publisher._outage.failures > 1)
    stored(store, "a")
    assert random.getstate() == before


def test_what_waits_is_bounded_and_the_state_right_all_the_same(
    publisher: Publisher, store: Store, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events that had to be dropped are replaced by the run's whole state."""
    monkeypatch.setattr(publishing, "QUEUE_LIMIT", 40)
    monkeypatch.setattr(lane, "WAITING_LIMIT", 30)
    with frozen(server.pid):
        work("a", 200)
        assert len(publisher._queue) <= 40
    found = stored(store, "a")
    assert [step.status for step in found.steps or []] == [StepStatus.COMPLETE] * 200


def test_a_full_queue_costs_events_but_no_state(
    publisher: Publisher, store: Store, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs whose events found no room are told whole once there is some."""
    monkeypatch.setattr(publishing, "QUEUE_LIMIT", 10)
    with frozen(server.pid):
        for number in range(5):
            work(f"work-{number}", 20)
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


def test_a_refused_password_is_told_in_one_line_and_not_tried_again_soon(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """No storm of attempts, no password in the log, and nobody waits for what will not come."""
    wrong = server.url.replace(server.url.split("@")[0], "redis://:wrong-password")
    publisher = Publisher(Store(wrong))
    from tracker import _sink, event_bus

    event_bus.connect(lambda: publisher)
    try:
        with caplog.at_level(logging.WARNING, logger="tracker"):
            work("a")
            work("b")
            wait_for(lambda: caplog.records)
            assert not publisher.flush(60)
            assert publisher._outage is not None
            assert publisher._outage.due > 50
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
        publisher._complain("fault", "Redis at redis://:hunter2@cache did not answer")
    assert "redis://…@cache did not answer; the work goes on" in caplog.text


def test_an_outage_is_told_once_and_leaves_nothing_behind(
    publisher: Publisher, store: Store, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning however many attempts fail, and afterwards events go as fast as before."""
    publisher._store.client.answer_timeout = 0.1
    with caplog.at_level(logging.WARNING, logger="tracker"), frozen(server.pid):
        work("during")
        wait_for(lambda: publisher._outage and publisher._outage.failures >= 3)
    stored(store, "during")
    assert publisher.flush(10)
    (warning,) = caplog.messages
    assert warning.endswith("; the work goes on")
    assert publisher._outage is None


def test_attempts_grow_further_apart_in_a_long_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand workers do not hammer a Redis that is coming back; yet none waits longer than a few seconds."""
    monkeypatch.setattr("tracker.publish.outage._chance.uniform", lambda shortest, longest: longest)
    pauses = [pause_after(failures) for failures in range(1, 30)]
    growing = [pause for pause in pauses if pause < LONGEST_PAUSE]
    assert pauses == sorted(pauses)
    assert len(set(growing)) == len(growing) >= 3
    assert pauses[-1] == LONGEST_PAUSE


def test_after_a_failure_the_address_is_asked_anew(publisher: Publisher, store: Store) -> None:
    """A server that has become a replica answers, and takes nothing: the name may lead to another one by now."""
    work("before")
    assert publisher.flush(10)
    redis = store.client.redis
    redis.replicaof("127.0.0.1", "1")
    try:
        work("during")
        wait_for(lambda: publisher._outage)
        wait_for(lambda: [client["id"] for client in redis.client_list()] == [str(redis.client_id())])
    finally:
        redis.replicaof("NO", "ONE")
    stored(store, "during")


def test_a_forked_child_does_not_wait_for_the_publisher_of_its_parent(redis_url: str, namespace: str) -> None:
    """That one's thread did not come along: nobody would ever answer."""
    code = (
        "import os\n"
        "from tracker import StepTracker\n"
        "from tracker.publish import flush\n"
        "with StepTracker('Parent', display='quiet'): pass\n"
        "pid = os.fork()\n"
        "if pid == 0: os._exit(0 if flush(1) else 1)\n"
        "print(os.waitpid(pid, 0)[1])\n"
    )
    assert run_script(code, redis_url, namespace).stdout == "0\n"


def test_ended_runs_that_find_no_room_leave_their_last_word_and_the_oldest_not_even_that(
    publisher: Publisher,
    store: Store,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The newest are stored whole when Redis is back, others by outcome and last step; what is dropped is said."""
    monkeypatch.setattr(waiting, "STEPS_LIMIT", 2 * (ended.RUN_STEPS + 3))
    monkeypatch.setattr(words, "BYTES_LIMIT", 3 * 700)
    publisher._store.client.answer_timeout = 0.1
    with frozen(server.pid), caplog.at_level(logging.WARNING, logger="tracker"):
        for number in range(8):
            work(f"work-{number}")
        wait_for(lambda: publisher.dropped_runs == 3)
    found = [stored(store, f"work-{number}") for number in range(3, 8)]
    assert [len(each.steps or []) for each in found] == [1, 1, 1, 3, 3]
    assert {each.status for each in found} == {Status.COMPLETE}
    assert [operation(store, f"work-{number}") for number in range(3)] == [None] * 3
    assert sum("dropped" in message for message in caplog.messages) == 1


def test_what_cannot_be_sent_costs_only_its_own_run(
    publisher: Publisher, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Also of those that would have gone in the same call; one warning says so."""
    change = RunBlob.change

    def fails(blob: RunBlob) -> list[object]:
        if blob.operation == "bad":
            raise TypeError("no way to write this")
        return change(blob)

    monkeypatch.setattr(RunBlob, "change", fails)
    with monkeypatch.context() as patch:
        patch.setattr(publisher, "_start", lambda: None)
        work("good")
        with StepTracker("Bad", id="bad", display="quiet") as bad:
            bad.step("One")
            publisher._sort()
            with caplog.at_level(logging.WARNING, logger="tracker"):
                assert publisher._send_due()
            bad.step("Two")
        work("another")
    work("later")
    assert publisher.flush(10)
    found = {id: operation(store, id) for id in ("good", "bad", "another", "later")}
    assert [id for id, parts in found.items() if parts is not None and parts.ended] == ["good", "another", "later"]
    assert len(caplog.messages) == 1
    assert "cannot be sent" in caplog.text


def test_the_thread_survives_a_defect_of_its_own(
    publisher: Publisher, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever goes wrong in one round, the next one comes; one warning says so."""
    sort, sorted_before = publisher._sort, list[int]()

    def fails() -> None:
        if len(sorted_before) < 2:
            sorted_before.append(1)
            raise RuntimeError("a defect")
        sort()

    monkeypatch.setattr(publisher, "_sort", fails)
    with caplog.at_level(logging.WARNING, logger="tracker"):
        work("a")
        stored(store, "a")
    assert len(caplog.messages) == 1


def test_a_thread_that_cannot_start_is_tried_again_at_the_next_event(
    publisher: Publisher, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process short of threads for a moment is not invisible for ever; the change of a step is enough."""

    def fails(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fails)
        tracker = StepTracker("Work", id="a", display="quiet").__enter__()
    tracker.step("One")
    wait_for(lambda: (found := operation(store, "a")) and found.step and found.step.name == "One")
    tracker.__exit__(None, None, None)
    stored(store, "a")


def test_an_interrupt_at_the_first_event_leaves_one_thread_that_stores_everything(
    redis_url: str, namespace: str
) -> None:
    """Ctrl-C may come inside any call, and a program may catch it and go on, up to its very end."""
    code = (
        "import threading\n"
        "from tracker import StepTracker\n"
        "start, started = threading.Thread.start, []\n"
        "def interrupted(thread):\n"
        "    started.append(thread)\n"
        "    start(thread)\n"
        "    raise KeyboardInterrupt\n"
        "threading.Thread.start = interrupted\n"
        "try:\n"
        "    StepTracker('Work', id='a', display='quiet').__enter__()\n"
        "except KeyboardInterrupt: pass\n"
        "with StepTracker('Work', id='b', display='quiet') as tracker:\n"
        "    for i in range(2000): tracker.step(f'Step {i}')\n"
        "print(len(started))\n"
    )
    assert run_script(code, redis_url, namespace).stdout == "1\n"
    store = Store(redis_url, namespace)
    found = [operation(store, id) for id in ("a", "b")]
    assert [each and each.status for each in found] == [Status.CANCELLED, Status.COMPLETE]
    store.client.disconnect()


def test_what_a_program_does_at_its_very_end_is_stored(redis_url: str, namespace: str) -> None:
    """Also in an exit handler that was there before the tracker's own, and so runs after it."""
    code = (
        "import atexit\n"
        "from tracker import StepTracker\n"
        "def work(id):\n"
        "    with StepTracker('Work', id=id, display='quiet') as tracker:\n"
        "        for i in range(2000): tracker.step(f'Step {i}')\n"
        "atexit.register(work, 'last')\n"
        "work('first')\n"
    )
    run_script(code, redis_url, namespace)
    store = Store(redis_url, namespace)
    found = [operation(store, id) for id in ("first", "last")]
    assert [each and each.status for each in found] == [Status.COMPLETE] * 2
    store.client.disconnect()


def test_all_waits_of_a_process_that_ends_share_one_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several parts of it may know of its end: a worker, an exit handler, ``multiprocessing``."""
    publisher, clock, waits = Publisher(Store("redis://localhost:1/0")), Clock(), list[float]()
    monkeypatch.setattr(publishing, "elapsed", clock)
    monkeypatch.setattr(publisher, "_wait", lambda timeout, *_: waits.append(timeout))
    for seconds in (1.5, 5.0, 5.0):
        publisher.settle()
        clock.time += seconds
    assert waits == [publishing.EXIT_WAIT, publishing.EXIT_WAIT - 1.5, 0.0]


def test_a_signal_handler_may_track_whatever_it_interrupts(redis_url: str, namespace: str) -> None:
    """Two hundred times inside the very call that takes an event: nothing hangs, and everything is stored."""
    code = (
        "import signal, sys\n"
        "from tracker import StepTracker, event_bus\n"
        "from tracker.publish import Publisher\n"
        "fired = 0\n"
        "def handle(*_):\n"
        "    global fired\n"
        "    fired += 1\n"
        "    with StepTracker('Signal', id=f'signal-{fired}', display='quiet'): pass\n"
        "    event_bus.flush(20)\n"
        "def strike(frame, *_):\n"
        "    while frame is not None and frame.f_code is not Publisher._take.__code__: frame = frame.f_back\n"
        "    if frame is not None and fired < 200: signal.raise_signal(signal.SIGALRM)\n"
        "signal.signal(signal.SIGALRM, handle)\n"
        "with StepTracker('Loop', id='loop', display='quiet') as tracker:\n"
        "    sys.setprofile(strike)\n"
        "    while fired < 200:\n"
        "        tracker.log('tick')\n"
        "        assert event_bus.flush(20)\n"
        "    sys.setprofile(None)\n"
        "assert event_bus.flush(20)\n"
    )
    run_script(code, redis_url, namespace)
    store = Store(redis_url, namespace)
    ids = ["loop", *(f"signal-{number}" for number in range(1, 201))]
    missing = [id for id in ids if (found := operation(store, id)) is None or found.status is not Status.COMPLETE]
    assert missing == []
    store.client.disconnect()


def test_what_comes_after_all_of_a_run_was_stored_leaves_nothing_behind(
    publisher: Publisher, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread is late, or the end did not fit into the queue and overtook what waited there."""
    monkeypatch.setattr(publishing, "QUEUE_LIMIT", 2)
    with StepTracker("Work", display="quiet") as tracker, tracker.step("Read") as step:
        assert publisher.flush(20)
        for _ in range(20):
            step.warn("slow")
    assert publisher.flush(20)
    event_bus.step(EventType.STEP_COMPLETE, step)
    assert publisher.flush(20)
    assert not publisher._waiting._lanes
    found = operation(store, tracker.operation_id or "")
    assert found is not None
    assert [(held.status, held.warned) for held in found.steps or ()] == [("complete", 20)]


@pytest.fixture
def by_hand(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    """A publisher without a thread, connected for one test, that sends one run a call."""
    monkeypatch.setattr(publishing, "BLOBS_PER_CALL", 1)
    monkeypatch.setattr(Publisher, "_start", lambda _: None)
    publisher = Publisher(store)
    event_bus.connect(lambda: publisher)
    yield publisher
    event_bus.connect(_sink)


def test_a_run_that_has_nothing_new_to_tell_holds_up_no_other(by_hand: Publisher, store: Store) -> None:
    """Its notes were told before, so its turn sends nothing; the next run has its turn all the same."""

    def send() -> None:
        by_hand._sort()
        while by_hand._send_due():
            pass

    with StepTracker("One", id="a", display="quiet") as one, StepTracker("Other", id="b", display="quiet") as other:
        step = one.step("Told")
        send()
        event_bus.step(EventType.STEP_START, step)
        other.step("New")
        send()
        found = operation(store, "b")
    assert found is not None
    assert [held.name for held in found.steps or ()] == ["New"]


def test_a_run_that_always_has_something_to_tell_holds_up_no_other(by_hand: Publisher, store: Store) -> None:
    """Whoever was sent comes last next time."""
    with StepTracker("Busy", id="a", display="quiet") as busy, StepTracker("Other", id="b", display="quiet"):
        for index in range(2):
            busy.step(f"Step {index}")
            by_hand._sort()
            by_hand._send_due()
        assert operation(store, "b") is not None
