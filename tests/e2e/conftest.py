"""The real system: web server, and two workers that stand for two machines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browsing import browser, context, page, shared_context
from tests.support import free_port, wait_for

__all__ = ["browser", "context", "page", "shared_context"]
"""Fixtures of all tests that drive a browser."""

ROOT = Path(__file__).parents[2]


class System:
    """Processes started as a user starts them, each with a log of its own."""

    def __init__(self, redis_url: str, folder: Path) -> None:
        self.folder = folder
        self.data_root = folder / "data"
        self.data_root.mkdir()
        self.bind = f"127.0.0.1:{free_port()}"
        self.url = f"http://{self.bind}"
        self.environment = os.environ | {
            "TRACKER_REDIS_URL": redis_url,
            "TRACKER_NAMESPACE": folder.name,
            "TRACKER_BIND": self.bind,
            "TRACKER_DATA_ROOT": str(self.data_root),
            "TRACKER_ARCHIVE_URL": f"sqlite:///{folder}/archive.sqlite3",
            "PYTHONPATH": str(ROOT),
        }
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, name: str, *command: str) -> None:
        """Start `tracker …` with a state folder of its own."""
        state = self.folder / name
        state.mkdir()
        log = (self.folder / f"{name}.log").open("wb")
        with log:
            self._processes.append(
                subprocess.Popen(
                    [sys.executable, "-P", "-m", "tracker", *command],
                    env=self.environment | {"TRACKER_STATE_DIR": str(state)},
                    cwd=self.folder,
                    stdout=log,
                    stderr=log,
                )
            )

    def stop(self) -> None:
        """End what was started, newest first."""
        for process in reversed(self._processes):
            process.terminate()
        for process in self._processes:
            process.wait(30)

    def tracker(self, *command: str) -> subprocess.Popen[str]:
        """`tracker …` as a user types it, its output in a pipe."""
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "tracker", *command],
            env=self.environment | {"TRACKER_STATE_DIR": str(self.folder)},
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def get(self, path: str) -> Any:
        """The JSON answer of the API."""
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return json.load(answer)

    def post(self, path: str, body: object) -> Any:
        """The JSON answer of the API, whatever its status."""
        request = urllib.request.Request(
            self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST"
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refusal:
            return json.load(refusal)

    def is_ready(self) -> bool:
        """Whether /readyz says so."""
        try:
            self.get("/readyz")
        except OSError:
            return False
        return True

    def logs(self) -> str:
        """What the processes have said."""
        return "\n".join(f"{log.name}:\n{log.read_text()}" for log in self.folder.glob("*.log"))


@pytest.fixture(scope="package")
def system(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Web server and two workers with host names and state folders of their own."""
    system = System(redis_url, tmp_path_factory.mktemp("system"))
    system.start("web", "web")
    system.start("node-1", "worker", "--concurrency", "1", "--hostname", "worker@node-1")
    system.start("node-2", "worker", "--concurrency", "1", "--hostname", "worker@node-2")
    try:
        wait_for(lambda: system.is_ready() and both_workers(system), 60)
        yield system
    finally:
        system.stop()
        print(system.logs())


def both_workers(system: System) -> bool:
    """Whether both machines run the file job."""
    jobs = {job["name"]: job["workers"] for job in system.get("/api/v1/jobs")["items"]}
    return bool(jobs.get("files.process") == 2)
