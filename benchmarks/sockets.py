"""How soon a step in a worker reaches a thousand watchers of one web process, beside the `websockets` library.

Everything is measured in one run with the same clients, which are one process that reads from raw sockets: the time
from ``step()`` to the message in each client, deliveries a second of a burst, the memory a socket takes, and what one
client that reads nothing does to the others. Server, clients and Redis share the machine's cores.
"""

from __future__ import annotations

import json
import os
import re
import resource
import selectors
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tracker.embedded import ensure_server
from web.gunicorn_conf import worker_class
from web.limits import Limits

SOCKETS = int(os.environ.get("BENCH_SOCKETS", "1000"))
SECONDS = 8
ROUNDS = 3
BURST = 400
SIZE = 900
"""Bytes of a message of the reference: about those of an event."""

STEP = re.compile(rb'"step":\{"index":\d+,"name":"at ([0-9.]+)","status":"running"')

WORKER = """
import sys, time
from tracker import StepTracker
rate, count = float(sys.argv[1]), int(sys.argv[2])
with StepTracker("Benchmark", display="quiet") as tracker:
    begun = time.monotonic() + 0.5
    for number in range(count):
        if rate:
            time.sleep(max(0.0, begun + number / rate - time.monotonic()))
        tracker.step(f"at {time.time():.6f}")
"""

REFERENCE = """
import asyncio, sys
from websockets.asyncio.server import broadcast, serve
async def main():
    clients = set()
    async def handler(socket):
        clients.add(socket)
        await socket.wait_closed()
        clients.discard(socket)
    async with serve(handler, "127.0.0.1", 0, compression=None, open_timeout=60) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            count, size = map(int, line.split())
            for number in range(count):
                broadcast(clients, '{"type":"step.' + "x" * (size - 14))
                await asyncio.sleep(0)
asyncio.run(main())
"""


class Audience:
    """Clients of a WebSocket server; all are read by ``listen``."""

    def __init__(self, address: tuple[str, int], path: str, ask: str = "") -> None:
        self._selector = selectors.DefaultSelector()
        self._address, self._path, self._ask = address, path, ask
        self.sockets: list[socket.socket] = []

    def join(self, count: int) -> None:
        for _ in range(count):
            self.sockets.append(self._connect())
            self._selector.register(self.sockets[-1], selectors.EVENT_READ)

    def stall(self) -> socket.socket:
        """A client that reads nothing, with the smallest receive buffer there is."""
        return self._connect(1)

    def _connect(self, buffer: int = 0) -> socket.socket:
        client = socket.socket()
        if buffer:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        client.connect(self._address)
        head = f"GET {self._path} HTTP/1.1\r\nHost: {self._address[0]}:{self._address[1]}\r\nConnection: Upgrade\r\n"
        head += "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        client.sendall(head.encode())
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += client.recv(1)
        assert b" 101 " in answer, answer
        if self._ask:
            ask = self._ask.encode()
            client.sendall(bytes([0x81, 0x80 | len(ask), 0, 0, 0, 0]) + ask)
        client.setblocking(False)
        return client

    def listen(self, seconds: float) -> Iterator[bytes]:
        """What arrives until nothing has for so long."""
        while ready := self._selector.select(seconds):
            for key, _ in ready:
                data = key.fileobj.recv(1 << 18)  # type: ignore[union-attr]
                assert data, "the server has closed a connection"
                yield data

    def leave(self) -> None:
        for client in self.sockets:
            client.close()


@contextmanager
def program(*command: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A Python program, ended at the end."""
    pipe = subprocess.PIPE
    found = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])} | environment
    process = subprocess.Popen([sys.executable, *command], env=found, text=True, stdin=pipe, stdout=pipe)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def work(redis_url: str, rate: float, count: int) -> subprocess.Popen[bytes]:
    environment = os.environ | {"TRACKER_REDIS_URL": redis_url, "PYTHONPATH": str(Path(__file__).parents[1])}
    return subprocess.Popen([sys.executable, "-c", WORKER, str(rate), str(count)], env=environment)


def latencies(audience: Audience, redis_url: str, rate: float) -> list[float]:
    """Milliseconds from each ``step()`` until each client has it."""
    found: list[float] = []
    process = work(redis_url, rate, int(rate * SECONDS))
    for data in audience.listen(4):
        now = time.time()
        found += [(now - float(at)) * 1000 for at in STEP.findall(data)]
    process.wait()
    return sorted(found)


def percentile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def burst(audience: Audience) -> tuple[float, float]:
    """Events and messages delivered a second, from the first that arrives to the last."""
    events = messages = 0
    begun = ended = 0.0
    for data in audience.listen(5):
        ended = time.perf_counter()
        begun = begun or ended
        events += data.count(b'"type":"step.')
        messages += data.count(b'"type":"events"')
    return events / (ended - begun), messages / (ended - begun)


def resident(pid: int) -> int:
    """Bytes of memory a process has."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def child_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def show_latency(name: str, found: list[float], expected: int) -> float:
    p50, p99 = percentile(found, 0.5), percentile(found, 0.99)
    print(f"  {name:<44} p50 {p50:7.1f} ms   p99 {p99:7.1f} ms   {len(found) / expected:6.1%} arrived", flush=True)
    return p99


def measure_ours(audience: Audience, redis_url: str, worker: int) -> float:
    """Everything but the reference; answers the events delivered a second in bursts."""
    before = resident(worker)
    audience.join(SOCKETS)
    list(audience.listen(2))
    print(f"  memory of a socket {(resident(worker) - before) / SOCKETS / 1000:38.1f} kB", flush=True)
    ratios = []
    for rate in (20, 100):
        for _ in range(ROUNDS):
            expected = SOCKETS * rate * SECONDS
            alone = show_latency(f"{rate} steps/s", latencies(audience, redis_url, rate), expected)
            stalled = audience.stall()
            beside = show_latency(
                f"{rate} steps/s, beside one that reads nothing", latencies(audience, redis_url, rate), expected
            )
            stalled.close()
            ratios.append(beside / alone)
    print(f"  p99 beside a stalled client, median ratio {statistics.median(ratios):15.2f} ×", flush=True)
    return 0.0


def main() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print(f"  {worker_class}, 1 process, {Limits().threads} threads, {SOCKETS} sockets")
    with tempfile.TemporaryDirectory() as folder:
        redis = ensure_server(Path(folder))
        settings = {"TRACKER_REDIS_URL": redis.url, "TRACKER_BIND": "127.0.0.1:0", "TRACKER_STATE_DIR": folder}
        with program("-m", "web", **settings) as web, program("-c", REFERENCE) as reference:
            assert web.stdout and reference.stdout and reference.stdin
            host, _, port = urlsplit(web.stdout.readline().strip()).netloc.partition(":")
            ask = json.dumps({"type": "subscribe", "topic": "operations"})
            warm = Audience((host, int(port)), "/api/v1/ws", ask)
            warm.join(50)
            list(warm.listen(1))
            warm.leave()
            ours = Audience((host, int(port)), "/api/v1/ws", ask)
            measure_ours(ours, redis.url, child_of(web.pid))
            theirs = Audience(("127.0.0.1", int(reference.stdout.readline())), "/")
            theirs.join(SOCKETS)
            rates: list[float] = []
            for _ in range(ROUNDS):
                process = work(redis.url, 0, BURST)
                events, messages = burst(ours)
                process.wait()
                reference.stdin.write(f"{2 * BURST} {SIZE}\n")
                reference.stdin.flush()
                base, _ = burst(theirs)
                rates.append(events / base)
                print(
                    f"  a burst of {2 * BURST} events {events:12,.0f} deliveries/s in {messages:9,.0f} messages/s"
                    f"   websockets {base:10,.0f}/s   {events / base:5.2f} ×",
                    flush=True,
                )
            print(f"  deliveries beside websockets' broadcast, median {statistics.median(rates):9.2f} ×")
            begun = time.perf_counter()
            web.send_signal(signal.SIGTERM)
            web.wait(20)
            print(f"  ended with {SOCKETS} sockets open after {time.perf_counter() - begun:22.2f} s")
        redis.stop()


if __name__ == "__main__":
    main()
