"""Real workers in every pool, with events and messages on two servers: jobs come to no harm, and all they tell is kept.

The broker answers all the time; it is the Redis of the events that is taken away.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.checker.collecting import told_twice
from tests.faults.programs import Running
from tests.faults.proxy import FaultProxy
from tests.faults.servers import BreakableServer, engine_of
from tests.faults.test_outages import files
from tests.faults.test_processes import waiting
from tests.support import Clock, wait_for
from tracker.celery.queueing import Queueing
from tracker.engines import Engine
from tracker.history import History
from tracker.history.liveness import LOST_AFTER
from tracker.history.recorder import Recorder
from tracker.model import Operation, Status
from tracker.settings import Settings
from tracker.store import Store

ROOT = Path(__file__).parents[2]
JOBS = 20
STEPS = 5

START = """
import sys
if {pool!r} == "gevent":
    from gevent import monkey
    monkey.patch_all()
from tests.worker.app import app
from tracker.celery.worker import run
from tracker.settings import Settings
app.conf.update({conf!r})
sys.exit(run(Settings.from_env(), {concurrency}, {pool!r}, "w@node-1", "tests.worker.app:app"))
"""


class Pool:
    """One worker; its events go through the proxy, its messages do not."""

    def __init__(self, pool: str, server: BreakableServer, events: str, broker: str, namespace: str, folder: Path,
                 concurrency: int = 2, **conf: object) -> None:  # fmt: skip
        common = {"TRACKER_BROKER_URL": broker, "TRACKER_NAMESPACE": namespace}
        self.variables = common | {"TRACKER_REDIS_URL": events, "TRACKER_STATE_DIR": str(folder / "state")}
        self.store = Store(server.url, namespace)
        self.history = History(self.store)
        self.queueing = Queueing(Settings.from_env(common | {"TRACKER_REDIS_URL": server.url}), self.store)
        self.spool = folder / "state" / "spool" / namespace
        self.log, self.notes = folder / "log", folder / "notes"
        code = START.format(pool=pool, conf=conf, concurrency=concurrency)
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", code], env=os.environ | self.variables, cwd=ROOT, stdout=output, stderr=output,
                start_new_session=True,
            )  # fmt: skip

    def ready(self) -> None:
        wait_for(lambda: any(job.workers for job in self.store.jobs()) or self.process.poll() is not None, 60)
        assert self.process.poll() is None, self.log.read_text()

    def submit(self, job: str, number: int = 1, **args: object) -> list[str]:
        return [self.queueing.submit(job, args, {}) for _ in range(number)]

    def noted(self) -> list[str]:
        """What jobs have written down."""
        return self.notes.read_text().split() if self.notes.exists() else []

    def done(self, ids: list[str]) -> None:
        """Wait until the jobs have done their work, whatever is known of it."""
        wait_for(lambda: set(ids) <= set(self.noted()), 60)
        assert len(self.noted()) == len(set(self.noted()))

    def ended(self, id: str) -> Operation:
        wait_for(lambda: self.history.operation(id).ended, 60)
        return self.history.operation(id)

    def whole(self, ids: list[str]) -> None:
        """Wait until the jobs are stored completely, each as the one attempt that it was."""
        for id in ids:
            found = self.ended(id)
            steps = [str(step.status) for step in found.steps or ()]
            assert (found.status, found.attempt, steps) == (Status.COMPLETE, 1, ["complete"] * STEPS)
        assert told_twice(self.store) == []

    def stop(self) -> int:
        """End it as a supervisor would; its exit code."""
        self.process.terminate()
        return self.process.wait(60)

    def close(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(60)
        self.store.client.disconnect()


@pytest.fixture
def engine() -> Engine:
    """One is enough: it is the workers that are under test."""
    return engine_of("bundled")


Start = Callable[..., Pool]


@pytest.fixture
def start(
    server: BreakableServer, proxy: FaultProxy, redis_url: str, namespace: str, tmp_path: Path
) -> Iterator[Start]:
    """Starts a worker, and ends it after the test."""
    started: list[Pool] = []

    def begin(pool: str = "prefork", **conf: object) -> Pool:
        started.append(Pool(pool, server, proxy.url, redis_url, namespace, tmp_path, **conf))  # type: ignore[arg-type]
        started[-1].ready()
        return started[-1]

    yield begin
    for pool in started:
        pool.close()


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
