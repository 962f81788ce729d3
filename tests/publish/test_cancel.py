"""A request to end an operation, as the tracked code learns of it: from the answers to what its process sends."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import wait_for
from tracker import OperationCancelled, StepTracker, event_bus
from tracker.compose import compose
from tracker.embedded import Server
from tracker.model import Operation, Status, StepStatus
from tracker.publish import Publisher, lease
from tracker.store import Store


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Renewals that a test need not wait for."""
    monkeypatch.setattr(lease, "LEASE_EVERY", 0.05)


def stored(store: Store, id: str = "a") -> Operation:
    """The operation, once the store knows its end."""
    return wait_for(lambda: (parts := store.operation(id)) and (found := compose(parts)).ended and found)


@contextmanager
def stopped(id: str) -> Iterator[StepTracker]:
    """A block that must be left by the request, and by nothing else."""
    said = ""
    try:
        with StepTracker("Work", id=id, display="quiet") as tracker:
            yield tracker
    except OperationCancelled as error:
        said = str(error)
    assert said == "cancelled by ada"


def cancelled(publisher: Publisher, store: Store, tracker: StepTracker) -> None:
    """Cancel the operation of ``tracker``, and wait until its process has heard of it."""
    publisher.flush()
    assert tracker.operation_id is not None
    assert store.cancel(tracker.operation_id, "ada")
    run = tracker._run
    assert run is not None
    wait_for(lambda: run.cancelled_by is not None)


CALLS: dict[str, Callable[[StepTracker], object]] = {
    "step": lambda tracker: tracker.step("Two"),
    "run": lambda tracker: tracker.run("Two", len, "x"),
    "track": lambda tracker: list(tracker.track("Two", [1, 2])),
    "advance": lambda tracker: tracker.advance(),
    "set_total": lambda tracker: tracker.set_total(3),
}


@pytest.mark.parametrize("call", CALLS)
def test_the_next_call_ends_the_block(publisher: Publisher, store: Store, quick: None, call: str) -> None:
    """Whatever the process had nothing to tell meanwhile; who asked stays with the operation."""
    with stopped("a") as tracker:
        tracker.step("One")
        cancelled(publisher, store, tracker)
        CALLS[call](tracker)
    found = stored(store)
    assert found.status is Status.CANCELLED
    assert found.cancel is not None
    assert (found.cancel.by, found.error and found.error.message) == ("ada", "cancelled by ada")


def test_a_busy_run_hears_of_it_in_the_midst_of_its_progress(publisher: Publisher, store: Store) -> None:
    """With the answer to what it tells, long before its next sign of life; its step is cut off there."""
    with stopped("a") as tracker, tracker.step("One") as step:
        publisher.flush()
        store.cancel("a", "ada")
        wait_for(lambda: step.advance())
    assert step.status is StepStatus.CANCELLED
    assert stored(store).status is Status.CANCELLED


def test_every_call_says_so_until_the_block_ends_and_ends_and_lines_never(
    publisher: Publisher, store: Store, quick: None
) -> None:
    """Clean-up that tracks does not swallow it, and clean-up that only says how it went is not cut off."""
    heard = 0
    with stopped("a") as tracker:
        step = tracker.step("One")
        try:
            cancelled(publisher, store, tracker)
            for _ in range(3):
                try:
                    step.advance()
                except OperationCancelled:
                    heard += 1
            tracker.log("goes on")
            step.warn("cleans up")
            step.complete("cleaned up")
        finally:
            tracker.step("Two")
    assert heard == 3
    found = stored(store)
    steps = [(state.name, state.status, state.detail) for state in found.steps or []]
    assert steps == [("One", StepStatus.COMPLETE, "cleaned up")]
    assert found.status is Status.CANCELLED


def test_code_that_goes_on_all_the_same_ends_as_it_ends(publisher: Publisher, store: Store, quick: None) -> None:
    """A request is no outcome."""
    with StepTracker("Work", id="a") as tracker:
        tracker.step("One")
        cancelled(publisher, store, tracker)
        tracker.complete()
    assert stored(store).status is Status.COMPLETE


def test_an_operation_inside_it_ends_with_it(publisher: Publisher, store: Store, quick: None) -> None:
    """Others of the process, also the one around it, are not meant."""
    with StepTracker("Other", id="other", display="quiet") as other:
        with stopped("a"), StepTracker("Inner", id="in") as inner:
            publisher.flush()
            store.cancel("a", "ada")
            run = inner._run
            assert run is not None
            wait_for(lambda: run.cancelled_by)
            inner.step("One")
        other.step("One")
    assert [stored(store, id).status for id in ("in", "a")] == [Status.CANCELLED] * 2
    assert stored(store, "other").status is Status.COMPLETE


def test_an_operation_that_begins_inside_a_cancelled_one_hears_of_it(
    publisher: Publisher, store: Store, quick: None
) -> None:
    """As soon as it is stored."""
    with stopped("a") as tracker:
        cancelled(publisher, store, tracker)
        with StepTracker("Inner", id="in") as inner:
            run = inner._run
            assert run is not None
            wait_for(lambda: run.cancelled_by)
            inner.step("One")
    assert [stored(store, id).status for id in ("in", "a")] == [Status.CANCELLED] * 2


def test_another_thread_of_the_block_hears_of_it_too(publisher: Publisher, store: Store, quick: None) -> None:
    """Each at its own next call."""
    heard: list[BaseException] = []

    def work(tracker: StepTracker) -> None:
        try:
            tracker.step("There")
        except OperationCancelled as error:
            heard.append(error)

    with stopped("a") as tracker:
        cancelled(publisher, store, tracker)
        thread = threading.Thread(target=work, args=(tracker,))
        thread.start()
        thread.join(20)
        tracker.step("Here")
    assert len(heard) == 1


def test_a_new_attempt_of_a_cancelled_operation_is_not_meant(publisher: Publisher, store: Store, quick: None) -> None:
    """It runs to its end."""
    with stopped("a") as tracker:
        cancelled(publisher, store, tracker)
        tracker.step("One")
    assert stored(store).status is Status.CANCELLED
    with StepTracker("Work", id="a") as tracker:
        tracker.step("One")
        publisher.flush()
    found = wait_for(lambda: (now := stored(store)).attempt == 2 and now)
    assert (found.status, found.cancel) == (Status.COMPLETE, None)


def test_a_forked_child_is_not_meant(publisher: Publisher, store: Store, quick: None) -> None:
    """What it inherits of a cancelled run stops nothing in it."""
    with stopped("a") as tracker:
        cancelled(publisher, store, tracker)
        pid = os.fork()
        if pid == 0:
            try:
                tracker.step("In the child")
                os._exit(0)
            except BaseException:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        tracker.step("One")


def test_a_request_made_while_the_process_is_cut_off_is_heard_afterwards(
    server: Server, store: Store, tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it told meanwhile waits in its spool, and the request behind it."""
    monkeypatch.setattr("tracker.publish.outage.PATIENCE", 0.0)
    publisher = Publisher(Store(server.url), tmp_path / "spool")
    append, cut_off = publisher._store.append, threading.Event()

    def away(items: object) -> object:
        if cut_off.is_set():
            from tracker.errors import StoreUnavailable

            raise StoreUnavailable("away")
        return append(items)  # type: ignore[arg-type]

    publisher._store.append = away  # type: ignore[assignment,method-assign]
    event_bus.connect(lambda: publisher)
    try:
        with stopped("a") as tracker:
            tracker.step("One")
            publisher.flush()
            cut_off.set()
            tracker.step("Two")
            wait_for(lambda: publisher._backlog.size)
            store.cancel("a", "ada")
            cut_off.clear()
            run = tracker._run
            assert run is not None
            wait_for(lambda: run.cancelled_by)
            tracker.step("Three")
        found = stored(store)
        assert (found.status, [step.name for step in found.steps or []]) == (Status.CANCELLED, ["One", "Two"])
        publisher.flush()
    finally:
        from tracker import _sink

        event_bus.connect(_sink)


SCRIPT = (
    "from tracker import StepTracker\n"
    "from tracker.publish import lease\n"
    "lease.LEASE_EVERY = 0.05\n"
    "with StepTracker('Script', id='a', display='quiet') as tracker:\n"
    "    with tracker.step('One') as step:\n"
    "        while True:\n"
    "            step.advance()\n"
)


def test_a_script_ends_with_the_request(server: Server, store: Store) -> None:
    """Its traceback says why, and its exit code that it did not do its work."""
    environment = os.environ | {"TRACKER_REDIS_URL": server.url}
    with subprocess.Popen([sys.executable, "-c", SCRIPT], stderr=subprocess.PIPE, env=environment) as script:
        try:
            wait_for(lambda: store.cancel("a", "ada"))
            _, said = script.communicate(timeout=20)
        finally:
            script.kill()
    assert script.returncode == 1
    assert said.decode().splitlines()[-1].startswith("tracker.errors.OperationCancelled: cancelled by ada")
    assert stored(store).status is Status.CANCELLED


def test_a_call_costs_nothing_more_for_it() -> None:
    """The hottest call asks only when it would take its slow way anyhow."""
    with StepTracker("Work", display="quiet") as tracker, tracker.step("One") as step:
        assert tracker._run is not None
        step.dirty = True
        tracker._run.cancelled_by = "ada"
        step.advance()
        step.dirty = False
        with pytest.raises(OperationCancelled):
            step.advance()
        tracker._run.cancelled_by = None
