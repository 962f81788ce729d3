"""What tracking costs a Celery worker: tasks a second and the CPU time of all its processes, as ratios to no tracking.

Messages wait in the queue before a worker takes the first. One worker for each case, of which one works at a time, and
new ones in each round. ``python -m benchmarks.tasks 2000 7`` runs 2,000 tasks that do nothing in each of 7 rounds; a
third number gives each task so many turns of a loop to do, of which 100,000 take some 2 ms.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import redis
from celery import Celery

from tracker.embedded import ensure_server

CASES = {
    "untracked": ("bench.nothing", {}, ()),
    "with Celery's own events (-E)": ("bench.nothing", {}, ("-E",)),
    "install(), no steps": ("bench.nothing", {"BENCH_INSTALL": "1"}, ()),
    "install(), five steps": ("bench.steps", {"BENCH_INSTALL": "1"}, ()),
}
"""Of each case the task, what its worker's environment says, and its options."""

TICKS = os.sysconf("SC_CLK_TCK")


class Worker:
    """A worker of one case; it takes tasks only when it is told to."""

    def __init__(self, url: str, case: str, pool: str, folder: str) -> None:
        self.task, more, options = CASES[case]
        self.queue = f"{pool}-{list(CASES).index(case)}"
        self.app = Celery("sender", broker=url)
        self.redis = redis.Redis.from_url(url)
        environment = {"BENCH_BROKER": url, "BENCH_QUEUE": self.queue, "TRACKER_NAMESPACE": pool, **more}
        environment |= {"TRACKER_STATE_DIR": folder, "TRACKER_LIVE_DAYS": "7"}
        command = [sys.executable, "-m", "celery", "-A", "benchmarks.task_app", "worker", "-P", pool, "-c", "2"]
        command += ["-l", "ERROR", "--without-gossip", "--without-mingle", "--without-heartbeat"]
        command += ["-n", f"{self.queue}@bench", *options]
        with Path(folder, f"{self.queue}.log").open("wb") as log:
            self.process = subprocess.Popen(command, env=os.environ | environment, stdout=log, stderr=log)
        self.node = [f"{self.queue}@bench"]
        while not self.app.control.ping(self.node, timeout=1):
            pass

    def measure(self, count: int, loops: int) -> tuple[float, float]:
        """Seconds, and seconds of CPU, that ``count`` tasks take."""
        control = self.app.control
        control.cancel_consumer(self.queue, destination=self.node, reply=True)
        with self.app.producer_pool.acquire(block=True) as producer:
            for _ in range(count):
                self.app.send_task(self.task, [loops], queue=self.queue, producer=producer)
        before, begun = self._cpu(), time.perf_counter()
        control.add_consumer(self.queue, destination=self.node)
        while self.redis.llen(self.queue) or self.redis.hlen("unacked"):
            time.sleep(0.005)
        taken = time.perf_counter() - begun
        time.sleep(0.3)  # What is told of them goes out in the background.
        return taken, self._cpu() - before

    def _cpu(self) -> float:
        pids = [self.process.pid, *map(int, _children(self.process.pid))]
        return sum(map(_cpu_of, pids))

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def _cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def measured(url: str, pool: str, folder: str, count: int, loops: int) -> dict[str, tuple[float, float]]:
    """Each case once, by new processes: one may be a twentieth faster than the next for as long as it lives."""
    workers = {case: Worker(url, case, pool, folder) for case in CASES}
    try:
        for worker in workers.values():
            worker.measure(count // 3, loops)  # Before that not everything is loaded.
        return {case: worker.measure(count, loops) for case, worker in workers.items()}
    finally:
        for worker in workers.values():
            worker.stop()


def compare(url: str, pool: str, folder: str, count: int, rounds: int, loops: int) -> None:
    ratios: dict[str, list[tuple[float, float]]] = {case: [] for case in CASES}
    rates = []
    for _ in range(rounds):
        found = measured(url, pool, folder, count, loops)
        base = found["untracked"]
        rates.append(count / base[0])
        for case, (taken, cpu) in found.items():
            ratios[case].append((base[0] / taken, cpu / base[1]))
    print(
        f"{pool}: {statistics.median(rates):,.0f} tasks/s untracked, {rounds} rounds of {count:,}, {loops:,} turns each"
    )
    for case, pairs in ratios.items():
        speed, cpu = (statistics.median(values) for values in zip(*pairs, strict=True))
        print(f"  {case:<34}{speed:6.2f} × the throughput {cpu:8.2f} × the CPU time")


def main() -> None:
    count, rounds, loops = (int(value) for value in (sys.argv[1:] + ["1500", "5", "0"][len(sys.argv) - 1 :]))
    with tempfile.TemporaryDirectory() as folder:
        server = ensure_server(Path(folder, "redis"))
        try:
            for pool in ("prefork", "solo"):
                compare(server.url, pool, folder, count, rounds, loops)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
