"""A tracked step beside what people write without a tracker: time until the call returns, as ratios to the step.

A pair of events is a start and an end, as a step has. "Stored and published" is what a tracked step gets: each event is
kept in a stream and in the state it leads to, and then published: as three calls, or by hand in one round trip.
"""

from __future__ import annotations

import io
import json
import tempfile
import time
from pathlib import Path

import redis
from celery import Celery
from rich.console import Console
from rich.progress import Progress

from benchmarks._measure import Work, in_turns, show
from tracker import StepTracker, configure, event_bus
from tracker.embedded import ensure_server

STEPS = 2_000
CALLS = 200


def steps(count: int = STEPS) -> None:
    with StepTracker("Benchmark", display="quiet") as tracker:
        for _ in range(count):
            tracker.step("Process a file")
            tracker.complete()


def publishing(url: str) -> Work:
    """Two events published with redis-py, each waited for."""
    client = redis.Redis.from_url(url)

    def work() -> None:
        for index in range(CALLS):
            for type in ("step.start", "step.complete"):
                client.publish("events", json.dumps({"type": type, "step": index, "ts": time.time()}))

    return work


def storing(url: str, *, pipelined: bool) -> Work:
    """Two events stored and published with redis-py, each waited for."""
    client = redis.Redis.from_url(url)

    def store(commands: redis.Redis, index: int, event: str) -> None:
        commands.xadd("feed", {"event": event}, maxlen=10_000, approximate=True)
        commands.hset("operation", mapping={str(index): event})
        commands.publish("events", event)

    def work() -> None:
        for index in range(CALLS):
            for type in ("step.start", "step.complete"):
                event = json.dumps({"type": type, "step": index, "ts": time.time()})
                if not pipelined:
                    store(client, index, event)
                    continue
                with client.pipeline(transaction=False) as pipeline:
                    store(pipeline, index, event)
                    pipeline.execute()

    return work


def updating(url: str) -> Work:
    """Two states written with Celery's ``update_state``, each waited for."""
    app = Celery("benchmark", broker=url, backend=url)

    @app.task
    def task() -> None:
        """Never run."""

    def work() -> None:
        for index in range(CALLS):
            for state in ("STARTED", "DONE"):
                task.update_state(task_id="benchmark", state=state, meta={"step": index})

    return work


def progressing() -> None:
    """Two updates of a Rich progress bar that is drawn into memory."""
    with Progress(console=Console(file=io.StringIO(), force_terminal=True), auto_refresh=False) as progress:
        task = progress.add_task("Benchmark", total=STEPS)
        for _ in range(STEPS):
            progress.update(task, description="Process a file")
            progress.advance(task)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = ensure_server(Path(folder))
        configure(redis_url=server.url)
        works = {
            "step + complete, published": (steps, STEPS),
            "the same, only 200 at once": (lambda: steps(CALLS), CALLS),
            "rich.progress update + advance": (progressing, STEPS),
            "redis-py, two events only published": (publishing(server.url), CALLS),
            "redis-py, stored and published, pipelined": (storing(server.url, pipelined=True), CALLS),
            "redis-py, stored and published": (storing(server.url, pipelined=False), CALLS),
            "Celery, two update_state": (updating(server.url), CALLS),
        }
        show(in_turns(works, settle=lambda: event_bus.flush(30)), "step + complete, published")
        event_bus.flush(30)
        configure(redis_url="")
        server.stop()


if __name__ == "__main__":
    main()
