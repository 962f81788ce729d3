"""What an outage of Redis costs the work: the longest call, the time of the work, and the memory of what waits."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tracker.embedded import ensure_server

ROOT = Path(__file__).parents[1]

STEPS = """
import sys, time
from tracker import StepTracker
longest, begun = 0.0, time.perf_counter()
with StepTracker("Benchmark", display="quiet") as tracker:
    print("ready", flush=True)
    while time.perf_counter() - begun < float(sys.argv[1]):
        at = time.perf_counter()
        with tracker.step("Process a file") as step:
            step.advance()
        longest = max(longest, time.perf_counter() - at)
        until = time.perf_counter() + 0.001
        while time.perf_counter() < until: pass
print(longest * 1000, len(tracker.steps))
"""
"""A step every millisecond for so many seconds; the longest took, and how many there were."""

TASKS = """
import time
from tracker import StepTracker
def task():
    with StepTracker("Task", display="quiet") as tracker, tracker.step("Work"):
        until = time.perf_counter() + 0.005
        while time.perf_counter() < until: pass
task()
begun = time.perf_counter()
for _ in range(1000): task()
print(time.perf_counter() - begun)
"""
"""Seconds for a thousand tasks of five milliseconds."""

FLOOD = """
import os, sys, time
from contextlib import suppress
from pathlib import Path
from tracker import StepTracker
def rss(): return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
def lines(tracker):
    for _ in range(5):
        with tracker.step("Work") as step: step.log("x" * 2000)
def failures(tracker):
    for _ in range(5):
        with suppress(ValueError), tracker.step("Work"): raise ValueError("x" * 8000)
    raise ValueError("x" * 8000)
def results(tracker):
    for index in range(5): tracker.run(f"Work {index}", lambda: "x" * 60_000)
def steps(tracker):
    for _ in range(1000):
        with tracker.step("Work"): pass
def work():
    with suppress(ValueError), StepTracker("Task", display="quiet") as tracker: kind(tracker)
kind = globals()[sys.argv[1]]
for _ in range(20): work()
before, most, until = rss(), 0.0, time.perf_counter() + 10
while time.perf_counter() < until:
    work()
    most = max(most, rss())
print(most - before)
"""
"""MiB by which the process grew at most in ten seconds of nothing but operations of one kind."""

FLOODS = {
    "lines": "five steps with a line of 2 kB each",
    "failures": "five steps that fail with 8 kB each",
    "results": "five steps that keep 60 kB each",
    "steps": "a thousand steps",
}


def start(code: str, url: str, state: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = os.environ | {"TRACKER_REDIS_URL": url, "TRACKER_STATE_DIR": str(state)}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def numbers(process: subprocess.Popen[str]) -> list[float]:
    """What it said last."""
    said, _ = process.communicate(timeout=300)
    return [float(word) for word in said.splitlines()[-1].split()]


def paused(url: str, pid: int, state: Path, seconds: float) -> list[float]:
    """The longest step in milliseconds and the number of steps, with Redis stopped for ``seconds`` after one."""
    process = start(STEPS, url, state, "8")
    time.sleep(1)
    if seconds:
        os.kill(pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(pid, signal.SIGCONT)
    return numbers(process)


def in_a_hole(url: str, hole: str, state: Path) -> None:
    plain, here, gone = (numbers(start(TASKS, where, state))[0] for where in ("", url, hole))
    print(f"  1,000 tasks of 5 ms: {plain:.3f} s; with Redis {here / plain:.3f} ×, a black hole {gone / plain:.3f} ×")
    for kind, what in FLOODS.items():
        disk, none = (numbers(start(FLOOD, hole, home, kind))[0] for home in (state, Path("/dev/null")))
        print(f"  a flood of operations of {what}: {disk:.1f} MiB; without a disk {none:.1f} MiB")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        server = ensure_server(state / "redis")
        calm, stopped = paused(server.url, server.pid, state, 0), paused(server.url, server.pid, state, 5)
        print(f"  longest step, one every ms {calm[0]:8.2f} ms; with Redis stopped for 5 s {stopped[0]:8.2f} ms")
        print(f"  steps done {calm[1]:8.0f}; {stopped[1]:8.0f}, {stopped[1] / calm[1]:.3f} ×")
        with socket.create_server(("127.0.0.1", 0)) as hole:  # Takes connections, and nobody ever answers.
            in_a_hole(server.url, f"redis://127.0.0.1:{hole.getsockname()[1]}/0", state)
        server.stop()


if __name__ == "__main__":
    main()
