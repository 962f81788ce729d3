"""Real workers in every pool, with events and messages on two servers: jobs come to no harm, and all they tell is kept.

The broker answers all the time; it is the Redis of the events that is taken away.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.faults.pools import STEPS, Pool, Start
from tests.faults.programs import Running
from tests.faults.proxy import FaultProxy
from tests.faults.servers import engine_of
from tests.faults.test_outages import files
from tests.faults.test_processes import waiting
from tests.support import Clock, wait_for
from tracker.engines import Engine
from tracker.history.liveness import LOST_AFTER
from tracker.history.recorder import Recorder
from tracker.model import Status

JOBS = 20


@pytest.fixture
def engine() -> Engine:
    """One is enough: it is the workers that are under test."""
    return engine_of("bundled")


@pytest.mark.parametrize("kind", ["prefork", "threads", "solo", "gevent"])
def test_jobs_in_a_pool_of(kind: str, start: Start, proxy: FaultProxy, tmp_path: Path) -> None:
    """… are stored whole, also those done while Redis is a black hole; what waits at the worker's end is put by."""
    pool = start(kind)
    pool.whole(pool.submit("test.notes", JOBS, file=str(pool.notes)))
    proxy.swallow()
    meanwhile = pool.submit("test.notes", JOBS, file=str(pool.notes))
    pool.done(meanwhile)
    wait_for(lambda: files(pool.spool))
    proxy.heal()
    pool.whole(meanwhile)
    wait_for(lambda: files(pool.spool) == [])
    proxy.swallow()
    last = pool.submit("test.notes", 4, file=str(pool.notes))
    pool.done(last)
    assert pool.stop() == 0, pool.log.read_text()
    proxy.heal()
    send_the_rest(pool, tmp_path)
    found = waiting(pool.store)
    assert set(found) == set(last)
    assert all(types.count("step.complete") == STEPS and types[-1] == "operation.complete" for types in found.values())


def send_the_rest(pool: Pool, folder: Path) -> None:
    """A script with the same settings comes after the worker."""
    code = "from tracker import StepTracker\nfrom tracker.publish import flush\n"
    code += "with StepTracker('Script'): pass\nassert flush(30)"
    script = Running(["-c", code], pool.variables["TRACKER_REDIS_URL"], folder / "state", **pool.variables)
    try:
        assert script.end() == 0, script.told()
    finally:
        script.close()
    assert files(pool.spool) == []


def test_children_that_run_one_job_each_tell_all_of_it(start: Start) -> None:
    """Each ends right after its job; no two runs share a process."""
    pool = start(concurrency=4, worker_max_tasks_per_child=1)
    ids = pool.submit("test.notes", 40, file=str(pool.notes))
    pool.whole(ids)
    workers = [pool.history.operation(id).worker for id in ids]
    assert len({worker.pid for worker in workers if worker is not None}) == len(ids)
    assert pool.store.leases() == []


def test_a_killed_child_costs_only_its_own_job(start: Start, proxy: FaultProxy) -> None:
    """Its neighbours' jobs are stored whole, and what it had told stays."""
    pool = start()
    (lasting,) = pool.submit("test.lasts")
    running = wait_for(lambda: (found := pool.history.operation(lasting)).step and found.worker)
    ids = pool.submit("test.notes", JOBS, file=str(pool.notes))
    os.kill(running.pid, signal.SIGKILL)
    lost = pool.ended(lasting)
    assert (lost.status, lost.step and lost.step.name) == (Status.LOST, "One")
    pool.whole(ids)


def test_a_soft_limit_reaches_a_job_that_tells_more_than_redis_takes(start: Start, proxy: FaultProxy) -> None:
    """The job hears of it in one of its own calls, and its outcome is stored when Redis is back."""
    pool = start(task_soft_time_limit=2, task_time_limit=60)
    proxy.swallow()
    (id,) = pool.submit("test.endless", file=str(pool.notes))
    wait_for(pool.noted, 60)
    assert pool.noted() == ["SoftTimeLimitExceeded"]
    proxy.heal()
    found = pool.ended(id)
    assert found.status is Status.ERROR
    assert found.error is not None
    assert found.error.type == "SoftTimeLimitExceeded"


def test_a_hard_limit_ends_a_job_whose_events_are_stuck(start: Start, proxy: FaultProxy, clock: Clock) -> None:
    """The pool goes on, and the job, whose death nobody could report, is not taken for running for ever."""
    pool = start(concurrency=1, task_time_limit=1)
    (id,) = pool.submit("test.stubborn")
    wait_for(lambda: pool.history.operation(id).step)
    proxy.stall("client")
    after = pool.submit("test.notes", 2, file=str(pool.notes))
    pool.done(after)
    proxy.heal()
    pool.whole(after)
    recorder = Recorder(pool.store)
    recorder.turn()
    clock.pass_by(LOST_AFTER, recorder.turn)
    assert pool.history.operation(id).status in (Status.ERROR, Status.LOST)  # It had a moment for its last words.
