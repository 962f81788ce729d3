"""How soon a step of an otherwise idle process is heard by a watcher, beside a bare PUBLISH between the same two."""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import redis

from tracker.embedded import ensure_server
from tracker.store import Change, Reset, Store

STEPS = 400

TRACKED = """
import sys, time
from tracker import StepTracker
with StepTracker("Benchmark", display="quiet") as tracker:
    for number in range(int(sys.argv[1])):
        time.sleep(0.05)
        tracker.step(f"Step {number}")
"""

BARE = """
import sys, time, redis
client = redis.Redis.from_url(sys.argv[2])
for number in range(int(sys.argv[1])):
    time.sleep(0.05)
    client.publish("benchmark", repr(time.time()))
"""


def start(code: str, url: str) -> subprocess.Popen[bytes]:
    environment = {"TRACKER_REDIS_URL": url, "PATH": "/usr/bin", "PYTHONPATH": str(Path(__file__).parents[1])}
    return subprocess.Popen([sys.executable, "-c", code, str(STEPS), url], env=environment)


def tracked(url: str) -> list[float]:
    """Milliseconds from the beginning of each step until a follower has its event."""
    found: list[float] = []
    process: subprocess.Popen[bytes] | None = None
    for item in Store(url).follow():
        if isinstance(item, Reset):
            process = process or start(TRACKED, url)
        elif isinstance(item, Change):
            begun = [event.step.started for event in item.events if event.type == "step.start" and event.step]
            found += [(time.time() - at) * 1000 for at in begun if at is not None]
        if len(found) == STEPS:
            break
    assert process is not None
    process.wait()
    return found


def bare(url: str) -> list[float]:
    """Milliseconds from before each PUBLISH until a subscriber has the message."""
    client: Any = redis.Redis.from_url(url)
    found, subscription = [], client.pubsub()
    subscription.subscribe("benchmark")
    process = start(BARE, url)
    while len(found) < STEPS:
        message = subscription.get_message(timeout=10)
        if message["type"] == "message":
            found.append((time.time() - float(message["data"])) * 1000)
    process.wait()
    return found


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = ensure_server(Path(folder))
        for name, milliseconds in (("a bare PUBLISH", bare(server.url)), ("a step", tracked(server.url))):
            ordered = sorted(milliseconds)
            p50, p99 = ordered[STEPS // 2], ordered[math.ceil(STEPS * 0.99) - 1]
            print(f"  {name:<20} p50 {p50:6.2f} ms   p99 {p99:6.2f} ms")
        server.stop()


if __name__ == "__main__":
    main()
