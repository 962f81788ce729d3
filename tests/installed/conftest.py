"""A worker of somebody's app, started as they start it: ``celery -A … worker``."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from celery import Celery

from tests.support import wait_for
from tracker.history import History
from tracker.model import ENDED, Operation
from tracker.store import Store

ROOT = Path(__file__).parents[2]


class Shop:
    """The app's worker, and what is seen of it from outside."""

    def __init__(
        self,
        redis_url: str,
        folder: Path,
        pool: str = "prefork",
        app: str = "tests.installed.shop",
        python: str = sys.executable,
        **more: str,
    ) -> None:
        self.namespace = f"shop-{uuid4().hex[:8]}"
        self.folder = folder
        self.queue = self.namespace
        self.environment = {
            "SHOP_QUEUE": self.queue,
            "SHOP_BROKER": redis_url,
            "SHOP_BACKEND": redis_url,
            "TRACKER_NAMESPACE": self.namespace,
            "TRACKER_STATE_DIR": str(folder / "state"),
            **more,
        }
        self.store = Store(more.get("TRACKER_REDIS_URL", redis_url), self.namespace)
        self.history = History(self.store)
        self.app = Celery("outside", broker=redis_url, backend=redis_url)
        self.log = folder / f"{self.namespace}.log"
        self.pool, self.module, self.python = pool, app, python
        self.worker = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        """A worker; its queue is that of this shop."""
        command = [self.python, "-m", "celery", "-A", self.module, "worker"]
        command += ["-P", self.pool, "-c", "2", "-l", "WARNING", "--without-gossip", "--without-mingle"]
        command += ["-n", f"{uuid4().hex[:6]}@node-7"]
        with self.log.open("ab") as output:
            return subprocess.Popen(command, env=os.environ | self.environment, cwd=ROOT, stdout=output, stderr=output)

    def send(self, name: str, *args: Any, **options: Any) -> str:
        """Send a task as somebody does who knows nothing of the tracker; its id."""
        return str(self.app.send_task(name, args, queue=self.queue, **options).id)

    def script(self, code: str, **more: str) -> str:
        """What a program of theirs prints that imports the app."""
        command = [self.python, "-c", f"from tests.installed import shop\n{code}"]
        environment = os.environ | self.environment | more
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def once(self, id: str, holds: Callable[[Operation], object]) -> Operation:
        """The operation, once that holds of it."""

        def look() -> Operation | None:
            parts = self.store.operation(id)
            found = self.history.operation(id) if parts is not None else None
            return found if found is not None and holds(found) else None

        return wait_for(look, 30)

    def ended(self, id: str) -> Operation:
        """The operation, once it has ended."""
        return self.once(id, lambda found: found.status in ENDED)

    def stop(self) -> int:
        """End the worker as a supervisor would; its exit code."""
        if self.worker.poll() is None:
            self.worker.terminate()
        code = self.worker.wait(30)
        self.store.client.disconnect()
        return code


@pytest.fixture(scope="module")
def shop(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A prefork worker with two processes, for the tests of a file."""
    shop = Shop(redis_url, tmp_path_factory.mktemp("shop"))
    yield shop
    shop.stop()
