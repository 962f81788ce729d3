"""How soon a large batch is accepted over HTTP and dispatched, beside a plain loop of ``send_task``.

And how long other requests wait while the server accepts it.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from celery import Celery

from tracker.embedded import ensure_server
from tracker.store import Store

COUNT = 10_000
BIND = "127.0.0.1:18429"
ROOT = Path(__file__).parents[1]


def start(folder: Path, url: str, *command: str) -> subprocess.Popen[bytes]:
    variables = {"TRACKER_REDIS_URL": url, "TRACKER_BIND": BIND, "TRACKER_STATE_DIR": str(folder / command[0])}
    variables |= {"TRACKER_ARCHIVE_URL": f"sqlite:///{folder}/archive.sqlite3", "PYTHONPATH": str(ROOT)}
    tracker = [sys.executable, "-P", "-m", "tracker", *command]
    return subprocess.Popen(tracker, env=os.environ | variables, cwd=folder)


def until(condition: Callable[[], Any]) -> Any:
    while not (found := condition()):
        time.sleep(0.01)
    return found


def answers(path: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(f"http://{BIND}{path}", timeout=10) as answer:
        return bool(answer.status == 200)
    return False


def post(items: list[dict[str, Any]]) -> str:
    body = json.dumps({"job": "files.process", "items": items}).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"http://{BIND}/api/v1/batches", body, headers, method="POST")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return str(json.load(answer)["id"])


def waits(over: threading.Event) -> list[float]:
    """How long the server takes to answer somebody else, in milliseconds."""
    found = []
    while not over.wait(0.01):
        begun = time.perf_counter()
        answers("/api/v1/operations?limit=10")
        found.append((time.perf_counter() - begun) * 1000)
    return found


def naive(url: str, items: list[dict[str, Any]]) -> float:
    """Seconds of the plain loop."""
    app = Celery(broker=url)
    app.connection_for_write().ensure_connection()
    begun = time.perf_counter()
    for item in items:
        app.send_task("files.process", kwargs=item, queue="nobody", ignore_result=True)
    return time.perf_counter() - begun


def accept(items: list[dict[str, Any]]) -> tuple[str, float, list[float]]:
    over, waited = threading.Event(), list[float]()
    other = threading.Thread(target=lambda: waited.extend(waits(over)))
    other.start()
    begun = time.perf_counter()
    batch = post(items)
    taken = time.perf_counter() - begun
    over.set()
    other.join()
    return batch, taken, waited


def dispatched(store: Store, batch: str) -> float:
    """Seconds that the dispatch took."""

    def done() -> float | None:
        parts = store.operation(batch)
        return parts.steps[1].duration if parts is not None and 1 in parts.steps else None

    return float(until(done))


def main(count: int) -> None:
    items = [{"path": f"folder/file-{number}.txt"} for number in range(count)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = ensure_server(folder / "redis")
        store = Store(server.url)
        running = [start(folder, server.url, "web"), start(folder, server.url, "worker", "--concurrency", "1")]
        try:
            until(lambda: answers("/readyz"))
            loop = naive(server.url, items)
            batch, taken, waited = accept(items)
            sent = dispatched(store, batch)
            print(f"  plain loop of send_task {loop:8.2f} s")
            print(f"  accepted over HTTP      {taken:8.2f} s {taken / loop:6.2f} × the loop")
            print(f"  dispatched              {sent:8.2f} s {sent / loop:6.2f} × the loop")
            print(f"  others waited meanwhile {statistics.median(waited):8.0f} ms, at most {max(waited):.0f} ms")
        finally:
            for process in running:
                process.kill()
                process.wait()
            server.stop()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else COUNT)
