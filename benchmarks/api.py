"""How many operations a second one web process queues over HTTP, beside a route that does nothing but send the message.

Ours checks the arguments, stores the operation with its events, sends the message and reads the operation back. Eight
clients ask on connections they keep; they and Redis need the processor too, so the CPU time of the web processes says
more on a machine with other work. ``python -m benchmarks.api 500`` asks 500 times in each round.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from benchmarks._measure import in_turns, show
from tracker.embedded import ensure_server
from tracker.store import JobInfo, Store

SENDING = "a route that only sends"

CLIENTS = 8

ROUNDS = 5

TICKS = os.sysconf("SC_CLK_TCK")

SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}

BODY = json.dumps({"job": "copy", "args": {"path": "a.txt"}, "labels": {"tenant": "acme"}})


@contextmanager
def served(*command: str, **environment: str) -> Iterator[tuple[int, int]]:
    """Process id and port of a server that prints its address, ended afterwards."""
    process = subprocess.Popen(
        [sys.executable, "-m", *command], env=os.environ | environment, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield process.pid, int(process.stdout.readline().strip().rstrip("/").rpartition(":")[2])
    finally:
        process.terminate()
        process.wait()


def cpu_of(pid: int) -> float:
    """CPU seconds of a process and its children until now."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    fields = [Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split() for one in (str(pid), *children)]
    return sum(int(found[11]) + int(found[12]) for found in fields) / TICKS


def asking(port: int, count: int, headers: Callable[[], dict[str, str]]) -> Callable[[], None]:
    """Ask ``count`` times in all."""

    def client(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for _ in range(count // CLIENTS):
            sent = {"Content-Type": "application/json"} | headers()
            connection.request("POST", "/api/v1/operations", BODY, sent)
            answer = connection.getresponse()
            assert answer.status == 202, answer.read()
            answer.read()
        connection.close()

    def work() -> None:
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(client, range(CLIENTS)))

    return work


def keyed() -> dict[str, str]:
    """A key for each request."""
    return {"Idempotency-Key": uuid.uuid4().hex}


def main(count: int = 800) -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = ensure_server(Path(folder))
        store, job = Store(server.url), JobInfo("copy", SCHEMA, "ours")
        settings = {"TRACKER_REDIS_URL": server.url, "TRACKER_BIND": "127.0.0.1:0", "TRACKER_STATE_DIR": folder}
        with served("web", **settings) as (ours, our_port), served("benchmarks.naive_api", server.url) as (naive, port):
            works = {
                SENDING: (asking(port, count, dict), count),
                "POST /api/v1/operations": (asking(our_port, count, dict), count),
                "the same with an Idempotency-Key": (asking(our_port, count, keyed), count),
            }
            before = cpu_of(naive), cpu_of(ours)
            costs = in_turns(works, rounds=ROUNDS, settle=lambda: store.publish_jobs("bench", [job]))
            spent = cpu_of(naive) - before[0], cpu_of(ours) - before[1]
        server.stop()
    show(costs, SENDING)
    for name, cost in costs.items():
        print(f"  {name:<44}{1e6 / cost:10.0f} a second")
    asked = ROUNDS * count
    print(
        f"  CPU time of the web process for each: {spent[0] / asked * 1e3:.2f} ms, {spent[1] / asked / 2 * 1e3:.2f} ms"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
