"""How soon a step in a worker reaches a thousand watchers of one web process, beside the `websockets` library.

Both serve the same number of clients, which one process reads from raw sockets, and are measured in turns: the time
from ``step()`` to the message in each client, the server's CPU for a delivery, and deliveries a second of a burst.
Besides, the memory a socket takes, and what a client that reads nothing does to the others. The reference only sends
what it is given: it stores nothing, follows nothing, and knows neither topics nor slow clients. Server, clients and
Redis share the machine's cores.
"""

from __future__ import annotations

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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from tracker.embedded import ensure_server
from web.gunicorn_conf import worker_class
from web.limits import Limits

SOCKETS = 1000
SECONDS = 5
RATES = (20, 100)
ROUNDS = 2
BURST = 400
SILENCE = 20.0
"""Seconds without a message after which there will be none."""

STEP = re.compile(rb'"name":"at ([0-9.]+)","status":"running"')
"""A step that begins, and when."""

STEP_BYTES = 80
"""No step takes more, in that form."""

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
import asyncio, sys, time
from websockets.asyncio.server import broadcast, serve
async def main():
    clients = set()
    async def handler(socket):
        clients.add(socket)
        await socket.wait_closed()
    async with serve(handler, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            rate, count = float(line.split()[0]), int(line.split()[1])
            begun = time.time() + 0.5
            for number in range(count):
                due = begun + number / rate if rate else time.time()
                await asyncio.sleep(max(0.0, due - time.time()))
                broadcast(clients, '{"name":"at %.6f","status":"running","size":"%s"}' % (due, "x" * 1600))
asyncio.run(main())
"""
"""Messages as large as ours: a step that begins comes with the end of the one before. They count from when they were
due: one that sends late, as it still sends the one before, is not to look fast for that."""


class Audience:
    """The clients of one server."""

    def __init__(self, pid: int, port: int, path: str = "/", ask: str = "") -> None:
        self.pid = pid
        self._selector = selectors.DefaultSelector()
        self._port, self._path, self._ask = port, path, ask.encode()

    def join(self, count: int) -> list[socket.socket]:
        """More clients, which are listened to."""
        found = [self.connect() for _ in range(count)]
        for client in found:
            self._selector.register(client, selectors.EVENT_READ)
        return found

    def leave(self, clients: list[socket.socket]) -> None:
        for client in clients:
            self._selector.unregister(client)
            client.close()

    def connect(self, buffer: int = 0) -> socket.socket:
        """A client; with the size of a buffer, one that is not listened to."""
        client = socket.socket()
        if buffer:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        client.connect(("127.0.0.1", self._port))
        head = f"GET {self._path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nConnection: Upgrade\r\n"
        head += "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        client.sendall(head.encode())
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += client.recv(1)
        assert b" 101 " in answer, answer
        if self._ask:
            client.sendall(bytes([0x81, 0x80 | len(self._ask), 0, 0, 0, 0]) + self._ask)
        return client

    def listen(self, silence: float = SILENCE) -> Iterator[tuple[int, bytes]]:
        """What arrives, and where, until nothing has for some seconds, or nobody wants any more."""
        while ready := self._selector.select(silence):
            for key, _ in ready:
                data = key.fileobj.recv(1 << 18)  # type: ignore[union-attr]
                assert data, "the server has closed a connection"
                yield key.fd, data


class Found(NamedTuple):
    """Milliseconds of each delivery, in order; CPU microseconds of the server for one; deliveries a second."""

    latencies: list[float]
    cpu: float
    rate: float

    def share(self, share: float) -> float:
        return self.latencies[int(share * (len(self.latencies) - 1))]


def heard(audience: Audience, send: Callable[[float, int], object], rate: float, count: int) -> Found:
    """Let somebody send steps, so many a second or as fast as it can, and listen to how they arrive."""
    found: list[float] = []
    rest: dict[int, bytes] = {}
    begun = ended = 0.0
    cpu = cpu_of(audience.pid)
    send(rate, count)
    for client, data in audience.listen():
        now, told = time.time(), rest.get(client, b"") + data
        steps, until = [], 0
        for step in STEP.finditer(told):
            steps.append((now - float(step[1])) * 1000)
            until = step.end()
        rest[client] = told[until:][-STEP_BYTES:]  # Of one that comes in two parts.
        if steps:
            begun, ended = begun or now, now
            found += steps
            if len(found) >= SOCKETS * count:
                break
    assert len(found) == SOCKETS * count, f"{len(found)} of {SOCKETS * count} arrived"
    return Found(sorted(found), (cpu_of(audience.pid) - cpu) / len(found) * 1e6, len(found) / (ended - begun))


def cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> int:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def child_of(pid: int) -> int:
    """The only child of a process, once it is there."""
    while not (found := Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
        time.sleep(0.1)
    return int(found[0])


@contextmanager
def program(*command: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A Python program, ended afterwards."""
    pipe = subprocess.PIPE
    found = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])} | environment
    process = subprocess.Popen([sys.executable, *command], env=found, text=True, stdin=pipe, stdout=pipe)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def ours(redis_url: str, folder: str) -> Iterator[tuple[Audience, subprocess.Popen[str]]]:
    """The web server with its clients."""
    settings = {"TRACKER_REDIS_URL": redis_url, "TRACKER_BIND": "127.0.0.1:0", "TRACKER_STATE_DIR": folder}
    with program("-m", "web", **settings) as web:
        assert web.stdout is not None
        port = urlsplit(web.stdout.readline().strip()).port or 0
        audience = Audience(child_of(web.pid), port, "/api/v1/ws", '{"type":"subscribe","topic":"operations"}')
        first = audience.join(50)
        list(audience.listen(2))
        audience.leave(first)
        before = resident(audience.pid)
        audience.join(SOCKETS)
        list(audience.listen(2))
        print(f"  memory of a socket {(resident(audience.pid) - before) / SOCKETS / 1000:.1f} kB", flush=True)
        yield audience, web


@contextmanager
def theirs() -> Iterator[tuple[Audience, Callable[[float, int], object]]]:
    """The reference with its clients, and how to have it send."""
    with program("-c", REFERENCE) as reference:
        assert reference.stdout is not None
        assert reference.stdin is not None
        stdin = reference.stdin
        audience = Audience(reference.pid, int(reference.stdout.readline()))
        audience.join(SOCKETS)

        def send(rate: float, count: int) -> None:
            stdin.write(f"{rate} {count}\n")
            stdin.flush()

        yield audience, send


def show(name: str, rounds: list[Found], base: list[Found] | None = None) -> None:
    """Medians of the rounds, and of the ratios to ``base`` within each."""
    p50, p99, cpu = (
        statistics.median(f) for f in zip(*((r.share(0.5), r.share(0.99), r.cpu) for r in rounds), strict=True)
    )
    line = f"  {name:<44} p50 {p50:8.1f} ms   p99 {p99:8.1f} ms   CPU {cpu:5.1f} µs"
    if base:
        pairs = list(zip(rounds, base, strict=True))
        line += f"   p99 {statistics.median(a.share(0.99) / b.share(0.99) for a, b in pairs):5.2f} ×"
        line += f"   CPU {statistics.median(a.cpu / b.cpu for a, b in pairs):5.2f} ×"
    print(line, flush=True)


def main() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print(f"  {worker_class}, 1 process, {Limits().threads} threads, {SOCKETS} sockets")
    with tempfile.TemporaryDirectory() as folder:
        redis = ensure_server(Path(folder))
        with ours(redis.url, folder) as (audience, web), theirs() as (reference, send):
            workers: list[subprocess.Popen[bytes]] = []

            def work(rate: float, count: int) -> None:
                environment = os.environ | {"TRACKER_REDIS_URL": redis.url, "TRACKER_STATE_DIR": folder}
                command = [sys.executable, "-c", WORKER, str(rate), str(count)]
                workers.append(subprocess.Popen(command, env=environment, cwd=Path(__file__).parents[1]))

            for rate in RATES:
                alone, beside, base = [], [], []
                for _ in range(ROUNDS):
                    alone.append(heard(audience, work, rate, rate * SECONDS))
                    with audience.connect(1):
                        beside.append(heard(audience, work, rate, rate * SECONDS))
                    base.append(heard(reference, send, rate, rate * SECONDS))
                show(f"{rate} steps/s, websockets", base)
                show(f"{rate} steps/s", alone, base)
                show(f"{rate} steps/s, beside one that reads nothing", beside, alone)
            bursts = [(heard(audience, work, 0, BURST), heard(reference, send, 0, BURST)) for _ in range(ROUNDS)]
            for one, other in bursts:
                print(
                    f"  {BURST} steps at once {one.rate:12,.0f} deliveries/s   websockets {other.rate:10,.0f}/s"
                    f"   {one.rate / other.rate:5.2f} ×",
                    flush=True,
                )
            for worker in workers:
                worker.wait()
            begun = time.perf_counter()
            web.send_signal(signal.SIGTERM)
            web.wait(20)
            print(f"  ended, with {SOCKETS} sockets open, after {time.perf_counter() - begun:.2f} s")
        redis.stop()


if __name__ == "__main__":
    main()
