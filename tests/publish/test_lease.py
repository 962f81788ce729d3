"""A process's sign of life, from real processes: while it works, when it is stopped, killed or forked, when it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.lanes import Lanes
from tests.support import Clock, freeze, frozen, wait_for
from tracker import StepTracker, _sink, event_bus, process
from tracker.compose import compose
from tracker.embedded import Server
from tracker.errors import StoreUnavailable
from tracker.history.liveness import LOST_AFTER, UNRESPONSIVE_AFTER
from tracker.history.recorder import Recorder
from tracker.model import Operation, Status
from tracker.publish import Publisher, lease, outage
from tracker.store import Answer, LeaseInfo, Store

SCRIPT = (
    "import os, sys\n"
    "from tracker.publish import lease\n"
    "lease.LEASE_EVERY = 0.1\n"
    "from tracker import StepTracker\n"
    "with StepTracker('Script', id='a', display='quiet') as tracker:\n"
    "    tracker.step('One')\n"
    "    {middle}\n"
    "    sys.stdin.readline()\n"
)


@contextmanager
def script(url: str, middle: str = "pass", namespace: str = "default") -> Iterator[subprocess.Popen[bytes]]:
    """A process in the middle of an operation; it ends it when its standard input does."""
    environment = os.environ | {"TRACKER_REDIS_URL": url, "TRACKER_NAMESPACE": namespace}
    command = [sys.executable, "-c", SCRIPT.format(middle=middle)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=environment) as running:
        try:
            yield running
        finally:
            running.kill()


def ends(running: subprocess.Popen[bytes]) -> None:
    """Let it end well."""
    assert running.stdin is not None
    running.stdin.close()
    assert running.wait(20) == 0


def operation(store: Store, id: str = "a") -> Operation:
    parts = store.operation(id)
    assert parts is not None
    return compose(parts)


def only_lease(store: Store) -> LeaseInfo:
    (held,) = wait_for(store.leases)
    return held


def judged(store: Store, clock: Clock) -> Callable[[float], tuple[Status, list[str]]]:
    """Lets so many seconds pass for a recorder; answers what people see then."""
    recorder = Recorder(store)
    store.leases()  # The server reads what a process has sent before this, at the latest beside it.
    recorder.turn()

    def after(seconds: float) -> tuple[Status, list[str]]:
        clock.pass_by(seconds, recorder.turn)
        return operation(store).status, operation(store).flags

    return after


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Renewals that a test need not wait for."""
    monkeypatch.setattr(lease, "LEASE_EVERY", 0.05)


# ---- processes that die, stop, fork and end ------------------------------------------------------


def test_a_killed_script_is_unresponsive_and_then_lost(redis_url: str, namespace: str, clock: Clock) -> None:
    """Nobody reports its death."""
    store = Store(redis_url, namespace)
    with script(redis_url, namespace=namespace) as running:
        assert only_lease(store).about.pid == running.pid
        wait_for(lambda: operation(store).step)
        running.kill()
        running.wait()
    after = judged(store, clock)
    assert after(UNRESPONSIVE_AFTER) == (Status.RUNNING, ["unresponsive"])
    assert after(LOST_AFTER - UNRESPONSIVE_AFTER) == (Status.LOST, [])
    found = operation(store)
    assert found.error is not None
    assert found.error.message.startswith("no sign of life since")
    assert found.step is not None
    assert found.step.name == "One"
    store.client.disconnect()


@pytest.mark.parametrize("is_lost", [False, True])
def test_a_stopped_process_that_goes_on_is_well_again(
    redis_url: str, namespace: str, clock: Clock, is_lost: bool
) -> None:
    """By its next renewal, without a word of the run itself."""
    store = Store(redis_url, namespace)
    with script(redis_url, namespace=namespace) as running:
        wait_for(lambda: only_lease(store).count > 1)
        freeze(running.pid)
        after = judged(store, clock)
        if is_lost:
            assert after(LOST_AFTER) == (Status.LOST, [])
        else:
            assert after(UNRESPONSIVE_AFTER) == (Status.RUNNING, ["unresponsive"])
        os.kill(running.pid, signal.SIGCONT)
        wait_for(lambda: (operation(store).status, operation(store).flags) == (Status.RUNNING, []))
        ends(running)
    assert operation(store).status is Status.COMPLETE
    assert store.leases() == []
    store.client.disconnect()


def test_a_process_that_ends_well_leaves_no_lease_and_is_not_judged(
    redis_url: str, namespace: str, clock: Clock
) -> None:
    """Its last word of the run takes the lease with it."""
    store = Store(redis_url, namespace)
    with script(redis_url, namespace=namespace) as running:
        wait_for(store.leases)
        ends(running)
    assert store.leases() == []
    assert list(store.live_runs()) == []
    assert judged(store, clock)(LOST_AFTER) == (Status.COMPLETE, [])
    store.client.disconnect()


def test_a_run_left_open_by_a_process_that_ends_is_lost(redis_url: str, namespace: str, clock: Clock) -> None:
    """Nothing runs it any more, and nobody has said how it ended."""
    store = Store(redis_url, namespace)
    leaves = "from tracker.publish import flush; flush(10); os._exit(0)"
    with script(redis_url, leaves, namespace) as running:
        assert running.wait(20) == 0
    after = judged(store, clock)
    assert after(UNRESPONSIVE_AFTER) == (Status.RUNNING, ["unresponsive"])
    assert after(LOST_AFTER - UNRESPONSIVE_AFTER) == (Status.LOST, [])
    store.client.disconnect()


def test_a_forked_child_is_a_process_of_its_own(redis_url: str, namespace: str) -> None:
    """With a lease of its own that lists its own run, and its death is not its parent's."""
    middle = (
        "pid = os.fork()\n"
        "    if pid == 0:\n"
        "        with StepTracker('Child', id='child', display='quiet') as inner: sys.stdin.readline()\n"
        "        os._exit(0)"
    )
    store = Store(redis_url, namespace)
    with script(redis_url, middle, namespace) as running:
        parent, child = sorted(
            wait_for(lambda: len(found := store.leases()) == 2 and found),
            key=lambda held: held.about.pid != running.pid,
        )
        assert child.about.pid != parent.about.pid == running.pid
        assert child.process != parent.process
        assert (parent.runs, child.runs) == ([operation(store).run], [operation(store, "child").run])
        os.kill(child.about.pid, signal.SIGKILL)
        wait_for(lambda: [held for held in store.leases() if held.count > parent.count and held.runs == parent.runs])
        ends(running)
    assert [held.process for held in store.leases()] == [child.process]
    store.client.disconnect()


def test_a_token_is_kept_by_its_process_and_new_in_a_forked_one() -> None:
    """A process id comes back one day; this does not."""
    mine = process.token()
    assert process.token() == mine
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(write, process.token().encode())
        os._exit(0)
    os.waitpid(pid, 0)
    other = os.read(read, 100).decode()
    os.close(read)
    os.close(write)
    assert len(other) == len(mine)
    assert other != mine


# ---- when it is renewed --------------------------------------------------------------------------


def test_the_first_events_of_a_run_bring_its_lease(publisher: Publisher, store: Store) -> None:
    """In the same call, however soon the process may die; the next run's as well."""
    with StepTracker("One", id="a", display="quiet"):
        publisher.flush()
        first = operation(store).run
        assert [(held.count, held.runs) for held in store.leases()] == [(1, [first])]
        assert [run.process for run in store.live_runs()] == [process.token()] == [only_lease(store).process]
        with StepTracker("Two", id="b", display="quiet"):
            publisher.flush()
            both = sorted([first, operation(store, "b").run])
            assert [(held.count, sorted(held.runs)) for held in store.leases()] == [(2, both)]


def test_a_run_that_is_silent_is_renewed_all_the_same(publisher: Publisher, store: Store, quick: None) -> None:
    """The publisher wakes for it; a process without open runs sleeps until it is woken."""
    rests: list[float | None] = []
    rest = publisher._rest

    def resting(seconds: float | None) -> None:
        rests.append(seconds)
        rest(seconds)

    publisher._rest = resting  # type: ignore[method-assign]
    with StepTracker("Work", id="a", display="quiet"):
        publisher.flush()
        wait_for(lambda: only_lease(store).count > 3)
        assert None not in rests
    publisher.flush()
    wait_for(lambda: rests[-1] is None)
    assert publisher._lease.pause() is None
    assert store.leases() == []


def test_a_process_says_how_far_off_its_clock_is(publisher: Publisher, store: Store, quick: None) -> None:
    """Known from the answer to the first renewal on; here both clocks are the same."""
    with StepTracker("Work", id="a", display="quiet") as tracker:
        publisher.flush()
        wait_for(lambda: only_lease(store).about.offset is not None)
        about = only_lease(store).about
        assert about.offset is not None
        assert abs(about.offset) < 5
        assert tracker._run is not None
        assert (about.pid, about.host) == (os.getpid(), tracker._run.worker.host)


def test_runs_whose_end_was_never_stored_are_counted(publisher: Publisher, store: Store) -> None:
    """A reader can see that a process had to drop something."""
    publisher._dropped = 3
    with StepTracker("Work", id="a", display="quiet"):
        assert only_lease(store).about.dropped == 3


def test_a_short_run_that_is_told_in_one_go_needs_no_lease(publisher: Publisher, store: Store) -> None:
    """It has begun and ended when it is stored."""
    held = threading.Lock()
    append = publisher._store.append
    items: list[object] = []

    def waits(batch: list[object]) -> object:
        with held:
            items.extend(batch)
            return append(batch)  # type: ignore[arg-type]

    publisher._store.append = waits  # type: ignore[assignment,method-assign]
    with held:
        with StepTracker("First", id="first", display="quiet"):
            pass
        for number in range(20):
            with StepTracker("Short", id=f"short-{number}", display="quiet"):
                pass
    assert publisher.flush(10)
    leases = [item for item in items if type(item).__name__ == "Lease"]
    assert len(leases) <= 2
    assert store.leases() == []


def test_a_lease_outlives_an_outage_of_redis(
    publisher: Publisher, store: Store, server: Server, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Renewals are tried again, with pauses, and nothing else waits for them."""
    monkeypatch.setattr(outage, "LONGEST_PAUSE", 0.1)
    with StepTracker("Work", id="a", display="quiet"):
        publisher.flush()
        with frozen(server.pid):
            wait_for(lambda: publisher._outage)
        count = wait_for(lambda: only_lease(store).count)
        wait_for(lambda: only_lease(store).count > count + 1)
        assert publisher.flush(10)
    assert publisher.flush(10)
    assert store.leases() == []


def test_a_run_that_began_and_ended_in_an_outage_leaves_the_publisher_at_rest(
    publisher: Publisher, store: Store, server: Server
) -> None:
    """The lease that never got through is not waited for."""
    with frozen(server.pid), StepTracker("Work", id="a", display="quiet"):
        wait_for(lambda: publisher._outage)
    assert publisher.flush(10)
    assert publisher._lease.pause() is None
    assert not publisher._lease.waits
    assert store.leases() == []


def test_a_lease_for_a_run_that_cannot_be_sent_is_not_waited_for(lanes: Lanes) -> None:
    """Nothing of the run is stored, so nobody will ask whether it is alive."""
    keeper = lease.LeaseKeeper()
    with StepTracker("Work", display="quiet"):
        lane = lanes.only()
        assert [len(item.runs) for item in keeper.due([lane])] == [1]
        assert keeper.waits
        lane.give_up()
    assert keeper.due([lane]) == []
    assert not keeper.waits


def test_a_renewal_that_fails_is_tried_again_after_a_pause(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if nothing else waits to be sent."""
    monkeypatch.setattr(Publisher, "_start", lambda _: None)
    publisher = Publisher(store)
    event_bus.connect(lambda: publisher)

    def fails(items: object) -> list[Answer]:
        raise StoreUnavailable("away")

    with StepTracker("Work", id="a", display="quiet"):
        publisher._sort()
        assert publisher._send_due()
        assert not publisher._send_due()
        monkeypatch.setattr(lease, "LEASE_EVERY", 0.0)
        publisher._lease._renew_at = 0.0
        with monkeypatch.context() as patch:
            patch.setattr(store, "append", fails)
            assert publisher._send_due()
            assert publisher._outage is not None
        assert not publisher._send_due()
        assert only_lease(store).count == 2
    event_bus.connect(_sink)


def test_a_store_that_lost_everything_gets_lease_and_run_again(publisher: Publisher, store: Store, quick: None) -> None:
    """With the next sign of life, although the run has nothing new to tell."""
    with StepTracker("Work", id="a", display="quiet") as tracker:
        tracker.step("One")
        publisher.flush()
        store.client.redis.flushall()
        wait_for(lambda: store.operation("a"))
        assert operation(store).step is not None
        wait_for(lambda: [run.operation for run in store.live_runs()] == ["a"])
    assert event_bus.flush(10)
    assert store.leases() == []
