"""A real worker process with two children, shared by the tests of this folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import wait_for
from tracker.celery.queueing import Queueing
from tracker.history import History
from tracker.settings import Settings
from tracker.store import Store

ROOT = Path(__file__).parents[2]
START = (
    "import sys; from tracker.celery.worker import run; from tracker.settings import Settings; "
    "sys.exit(run(Settings.from_env(), 2, hostname='w@node-1', app_path='tests.worker.app:app'))"
)


class System:
    """A namespace with one worker."""

    def __init__(self, redis_url: str, namespace: str, log: Path) -> None:
        environment = {"TRACKER_REDIS_URL": redis_url, "TRACKER_NAMESPACE": namespace}
        self.store = Store(redis_url, namespace)
        self.history = History(self.store)
        self.queueing = Queueing(Settings.from_env(environment), self.store)
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", START], env=os.environ | environment, cwd=ROOT, stdout=output, stderr=output
            )

    def ready(self) -> None:
        """Wait until the worker has published its jobs."""
        wait_for(lambda: any(job.workers for job in self.store.jobs()) or self.process.poll() is not None, 60)
        assert self.process.poll() is None, self.log.read_text()

    def stop(self) -> int:
        """End the worker as a supervisor would; its exit code."""
        self.process.terminate()
        code = self.process.wait(30)
        self.store.client.disconnect()
        return code


@pytest.fixture(scope="module")
def system(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A namespace of its own with one worker, for the tests of a file."""
    folder = tmp_path_factory.mktemp("worker")
    system = System(redis_url, folder.name, folder / "log")
    system.ready()
    yield system
    if system.process.poll() is None:
        system.stop()
