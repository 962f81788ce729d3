"""A whole worker that disappears, with nobody left to say so."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.support import Clock, wait_for
from tests.worker.conftest import System
from tracker.history.liveness import LOST_AFTER, UNRESPONSIVE_AFTER
from tracker.history.recorder import Recorder
from tracker.model import Status


def test_what_a_vanished_worker_ran_is_unresponsive_and_then_lost(
    redis_url: str, namespace: str, tmp_path: Path, clock: Clock
) -> None:
    """Parent and child are killed at once, as when their machine is switched off."""
    system = System(redis_url, namespace, tmp_path / "log")
    system.ready()
    id = system.queueing.submit("test.lasts", {}, {})
    (lease,) = wait_for(system.store.leases, 40)
    operation = wait_for(lambda: (found := system.history.operation(id)).step and found)
    assert operation.worker is not None
    assert (lease.about.pid, lease.about.host, lease.runs) == (operation.worker.pid, "node-1", [operation.run])
    os.kill(system.process.pid, signal.SIGKILL)
    os.kill(operation.worker.pid, signal.SIGKILL)
    system.process.wait(20)
    recorder = Recorder(system.store)
    recorder.turn()
    clock.pass_by(UNRESPONSIVE_AFTER, recorder.turn)
    assert system.history.operation(id).flags == ["unresponsive"]
    clock.pass_by(LOST_AFTER - UNRESPONSIVE_AFTER, recorder.turn)
    lost = system.history.operation(id)
    assert (lost.status, lost.step and lost.step.name) == (Status.LOST, "One")
    system.store.client.disconnect()


def test_the_processes_of_a_worker_that_ends_leave_no_lease(redis_url: str, namespace: str, tmp_path: Path) -> None:
    """Neither while they wait for work nor after."""
    system = System(redis_url, namespace, tmp_path / "log")
    system.ready()
    id = system.queueing.submit("test.well", {}, {})
    wait_for(lambda: system.history.operation(id).ended, 40)
    assert system.store.leases() == []
    assert system.stop() == 0
    assert list(system.store.live_runs()) == []
