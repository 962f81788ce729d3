"""Real workers in a process of their own, with events and messages on two servers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from celery import Celery

from tests.checker.collecting import told_twice
from tests.faults.servers import BreakableServer
from tests.support import wait_for
from tracker.celery.queueing import Queueing
from tracker.history import History
from tracker.model import Operation, Status
from tracker.settings import Settings
from tracker.store import Store

ROOT = Path(__file__).parents[2]
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
sys.exit(run(Settings.from_env(), {concurrency}, {pool!r}, {name!r}, "tests.worker.app:app"))
"""


class Pool:
    """One worker; its events go through the proxy, its messages do not."""

    def __init__(self, pool: str, server: BreakableServer, events: str, broker: str, namespace: str, folder: Path,
                 concurrency: int = 2, name: str = "w@node-1", **conf: object) -> None:  # fmt: skip
        common = {"TRACKER_BROKER_URL": broker, "TRACKER_NAMESPACE": namespace}
        self.variables = common | {"TRACKER_REDIS_URL": events, "TRACKER_STATE_DIR": str(folder / "state")}
        self.store = Store(server.url, namespace)
        self.history = History(self.store)
        self.queueing = Queueing(Settings.from_env(common | {"TRACKER_REDIS_URL": server.url}), self.store)
        self.app = Celery("outside", broker=broker)
        self.name = name
        self.spool = folder / "state" / "spool" / namespace
        self.log, self.notes = folder / "log", folder / "notes"
        code = START.format(pool=pool, conf=conf, concurrency=concurrency, name=name)
        with self.log.open("ab") as output:
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

    def kill(self) -> None:
        """Kill all of it, as the end of its machine would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(60)

    def close(self) -> None:
        if self.process.poll() is None:
            self.kill()
        self.app.close()
        self.store.client.disconnect()


Start = Callable[..., Pool]
"""Starts a worker of a kind (``prefork`` if none is given), with Celery's settings as keywords."""
