"""How many events two processes can store, beside one that sends each event by itself: as ratios within one run."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from pathlib import Path
from typing import Any

import redis

from tracker.embedded import ensure_server
from tracker.model import Event, EventType, StepState, StepStatus
from tracker.store import RunBlob, Store

SECONDS = 3.0
BLOBS = 64


def blobs(run: str, first: int, size: int) -> list[RunBlob]:
    """Consecutive blobs of one run, of so many events each."""
    found = []
    for number in range(BLOBS):
        seq = first + number * size
        state = StepState(1 + seq % 50, f"Step {seq % 50}", StepStatus.COMPLETE, 1.0, 0.5)
        events = [Event(EventType.STEP_COMPLETE, run, 1.0, run, seq + place, step=state) for place in range(size)]
        found.append(RunBlob(run, run, events, "", 1.0, None, [state], state))
    return found


def packed(url: str, run: str, size: int) -> int:
    store, seq, until = Store(url), 1, time.perf_counter() + SECONDS
    while time.perf_counter() < until:
        answers = store.append(blobs(run, seq, size))
        assert {answer.kind for answer in answers} == {"stored"}
        seq += BLOBS * size
    return seq - 1


def naive(url: str, run: str, size: int) -> int:
    """A PUBLISH and an XADD for each event, one after the other."""
    client: Any = redis.Redis.from_url(url)
    count, until, body = 0, time.perf_counter() + SECONDS, b"x" * 250
    while time.perf_counter() < until:
        client.xadd("naive", {"m": body}, maxlen=10_000, approximate=True)
        client.publish("naive", body)
        count += 1
    return count


def measure(url: str, work: Any, size: int) -> tuple[float, float]:
    """Events a second of two processes, and microseconds of Redis's CPU for each."""
    client: Any = redis.Redis.from_url(url)
    before = client.info("cpu")
    with multiprocessing.Pool(2) as pool:
        counts = pool.starmap(work, [(url, f"run-{time.time_ns()}-{number}", size) for number in range(2)])
    after = client.info("cpu")
    used = sum(after[key] - before[key] for key in ("used_cpu_user", "used_cpu_sys"))
    return sum(counts) / SECONDS, used / sum(counts) * 1e6


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = ensure_server(Path(folder))
        rates = {
            "naive": measure(server.url, naive, 1),
            "1 event a blob": measure(server.url, packed, 1),
            "12 events a blob": measure(server.url, packed, 12),
        }
        base = rates["naive"]
        for name, (rate, cpu) in rates.items():
            print(
                f"  {name:<20}{rate:12,.0f} events/s {rate / base[0]:7.1f} ×"
                f"   Redis {cpu:7.2f} µs an event, 1/{base[1] / cpu:.1f}"
            )
        server.stop()


if __name__ == "__main__":
    main()
