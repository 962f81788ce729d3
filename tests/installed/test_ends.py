"""How tasks of somebody's app end that do not end by themselves, on a real prefork worker."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.installed.conftest import Shop
from tests.support import know_of, wait_for
from tracker.model import Operation, Status, StepStatus


def busy(shop: Shop) -> tuple[str, int]:
    """A task that is in its first step, and the process that runs it."""
    id = shop.send("shop.busy")
    found = shop.once(id, lambda found: found.step)
    assert found.worker is not None
    return id, found.worker.pid


def state(shop: Shop, id: str) -> str:
    """What Celery's own result says."""
    return str(shop.app.AsyncResult(id).state)


def waiting(shop: Shop, folder: Path) -> tuple[str, Path]:
    """A task that waits in its first step, and the pipe that lets it go on."""
    id = shop.send("shop.waits", str(folder))
    shop.once(id, lambda found: found.step)
    return id, wait_for(lambda: next(folder.glob("pipe-*"), None))


def test_a_killed_child_is_lost_with_the_step_it_was_at(shop: Shop) -> None:
    """The parent reports it at once, with Celery's own words."""
    id = shop.send("shop.dies")
    found = shop.ended(id)
    assert found.status is Status.LOST
    assert found.error is not None
    assert found.error.type == "WorkerLostError"
    assert wait_for(lambda: state(shop, id) == "FAILURE")


def test_what_died_before_it_could_say_anything_is_lost_all_the_same(shop: Shop) -> None:
    """Nobody had told of it before; its parent tells that there was such a task."""
    found = shop.ended(shop.send("shop.dies_at_once"))
    assert (found.name, found.status, found.steps) == ("shop.dies_at_once", Status.LOST, [])


def test_a_killed_child_whose_message_goes_back_is_another_attempt(shop: Shop, tmp_path: Path) -> None:
    """Queued in between, and never lost."""
    found = shop.ended(shop.send("shop.dies_once", str(tmp_path / "died")))
    assert (found.status, found.attempt) == (Status.COMPLETE, 2)


def test_a_soft_limit_is_an_error_at_the_step_it_struck(shop: Shop) -> None:
    """The exception reaches the task."""
    found = shop.ended(shop.send("shop.soft"))
    assert found.status is Status.ERROR
    assert found.error is not None
    assert found.error.type == "SoftTimeLimitExceeded"
    assert found.error.path[-1] == "One"


def test_a_hard_limit_ends_the_operation_once(shop: Shop) -> None:
    """Celery sends its signals twice; its result is a failure."""
    id = shop.send("shop.hard")
    found = shop.ended(id)
    assert found.status in (Status.LOST, Status.ERROR)
    assert found.attempt == 1
    assert wait_for(lambda: state(shop, id) == "FAILURE")


def test_a_hard_limit_whose_message_goes_back_is_another_attempt(shop: Shop, tmp_path: Path) -> None:
    """What became of the first says nothing of the second."""
    id = shop.send("shop.hard_once", str(tmp_path / "began"))
    found = shop.once(id, lambda found: found.attempt == 2 and found.status is Status.COMPLETE)
    assert shop.history.attempts(found.id)[0].status is not Status.LOST


def test_a_cancelled_task_ends_at_its_next_call_and_its_process_goes_on(shop: Shop) -> None:
    """Celery's own result says REVOKED."""
    id, pid = busy(shop)
    assert shop.store.cancel(id, "ada")
    found = shop.ended(id)
    assert (found.status, found.cancel and found.cancel.by) == (Status.CANCELLED, "ada")
    assert {step.status for step in found.steps or []} == {StepStatus.CANCELLED}
    assert found.error is not None
    assert (found.error.type, found.error.message) == ("OperationCancelled", "cancelled by ada")
    assert wait_for(lambda: state(shop, id) == "REVOKED")
    os.kill(pid, 0)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL"])
def test_a_terminated_task_is_cancelled(shop: Shop, name: str) -> None:
    """Celery's second form: its process is ended, with a signal that lets it say something, or none."""
    id, _ = busy(shop)
    shop.app.control.revoke(id, terminate=True, signal=name)
    found = shop.ended(id)
    assert (found.status, found.cancel and found.cancel.by) == (Status.CANCELLED, "revoke")
    assert StepStatus.ERROR not in {step.status for step in found.steps or []}
    assert wait_for(lambda: state(shop, id) == "REVOKED")


def test_a_task_revoked_before_it_begins_is_cancelled_and_never_runs(shop: Shop) -> None:
    """By Celery's own means; so is one that has expired."""
    id = shop.script("print(shop.steps.apply_async((1,), countdown=2))")
    shop.once(id, lambda found: found.status is Status.QUEUED)
    shop.app.control.revoke(id)
    found = shop.ended(id)
    assert (found.status, found.attempt) == (Status.CANCELLED, 0)
    late = shop.ended(shop.script("print(shop.steps.apply_async((1,), countdown=1, expires=0.5))"))
    assert (late.status, late.attempt) == (Status.CANCELLED, 0)


class TestStops:
    """A worker of its own for each, as each is stopped."""

    @pytest.fixture
    def own(self, redis_url: str, tmp_path: Path) -> Iterator[Shop]:
        shop = Shop(redis_url, tmp_path, SHOP_SOFT_SHUTDOWN="1")
        yield shop
        shop.stop()

    def test_a_worker_told_to_stop_lets_its_task_finish(self, own: Shop, tmp_path: Path) -> None:
        """SIGTERM is Celery's warm shutdown."""
        id, pipe = waiting(own, tmp_path)
        own.worker.terminate()
        own.store.client.redis.ping()
        pipe.write_text("go on")
        assert own.ended(id).status is Status.COMPLETE
        assert own.worker.wait(30) == 0

    @pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGINT])
    def test_a_task_that_is_stopped_with_its_worker_is_run_again_by_the_next(
        self, own: Shop, tmp_path: Path, number: signal.Signals
    ) -> None:
        """Soft and cold shutdown: with late acknowledgement the message goes back."""
        id, _ = waiting(own, tmp_path)
        know_of(own.app, id)
        own.worker.send_signal(number)
        if number is signal.SIGINT:
            wait_for(lambda: "shutdown" in own.log.read_text())
            own.worker.send_signal(number)
        own.worker.wait(30)
        first = own.once(id, lambda found: found.status is not Status.RUNNING)
        assert first.attempt == 1
        for pipe in tmp_path.glob("pipe-*"):
            pipe.unlink()
        own.worker = own.start()
        pipe = wait_for(lambda: next(tmp_path.glob("pipe-*"), None), 30)
        pipe.write_text("go on")
        last: Operation = own.once(id, lambda found: found.attempt == 2 and found.status is Status.COMPLETE)
        assert [step.status for step in last.steps or []] == [StepStatus.COMPLETE] * 2

    def test_a_killed_worker_leaves_a_run_that_is_seen_as_running_until_it_is_judged(
        self, own: Shop, tmp_path: Path
    ) -> None:
        """Nothing and nobody says that it is over; the recorder's clock will."""
        id, _ = waiting(own, tmp_path)
        running = own.history.operation(id)
        assert running.worker is not None
        own.worker.kill()
        own.worker.wait(30)
        os.kill(running.worker.pid, signal.SIGKILL)
        assert own.history.operation(id).status is Status.RUNNING
        assert own.store.live_runs()
