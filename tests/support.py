"""What tests share that is not a fixture."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from redis import Redis

if TYPE_CHECKING:
    from celery import Celery

Value = TypeVar("Value")

_moment = threading.Event()

PORTS = range(12_000, 32_000)
"""Ports for programs that are told theirs, below those that the system gives to connections of its own accord."""

_WORKERS = 20
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
_ports = itertools.cycle(PORTS[_worker::_WORKERS])


def wait_for(condition: Callable[[], Value], timeout: float = 45.0) -> Value:
    """Return the first true value of ``condition``; fail with what it last gave after ``timeout`` seconds.

    What takes longer is asked for less often: asking takes time from what is waited for.
    """
    begun = time.monotonic()
    while True:
        value = condition()
        if value:
            return value
        waited = time.monotonic() - begun
        if waited > timeout:
            raise AssertionError(f"still {value!r} after {timeout} s: {condition}")
        _moment.wait(min(max(waited / 10, 0.01), 0.1))


def know_of(app: Celery, id: str) -> None:
    """Wait until the workers of ``app`` know of the task as one that is executed.

    Its own process tells of it sooner. What their main process has not heard of yet, Celery leaves running at a cold
    shutdown, and waits for it (``on_cold_shutdown`` in ``celery.apps.worker`` ends the requests that are active).
    """

    def are_active() -> bool:
        told = app.control.inspect(timeout=0.5).active() or {}
        return any(task["id"] == id for tasks in told.values() for task in tasks)

    wait_for(are_active)


def freeze(pid: int) -> None:
    """Stop a process. All its threads have stopped when this returns; the signal alone lets them go on for a while."""
    os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: all(state_of(thread) == "T" for thread in Path(f"/proc/{pid}/task").iterdir()))


def state_of(process: Path) -> str:
    """The letter of a process's state in ``/proc``, or of a thread's: see proc(5)."""
    return (process / "stat").read_text().rpartition(")")[2].split()[0]


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """A process that stands still while the block runs."""
    freeze(pid)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def free_port() -> int:
    """A port nobody listens on, and that nobody else gets until it is used: no other test, and no connection."""
    while True:
        with socket.socket() as probe:
            port = next(_ports)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def free_address() -> str:
    """The address of such a port."""
    return f"127.0.0.1:{free_port()}"


def everything_in(redis: Redis, keys: str = "*") -> str:
    """All that the server holds under some keys, in any form."""
    reads = {
        b"string": redis.get,
        b"hash": redis.hgetall,
        b"list": lambda key: redis.lrange(key, 0, -1),
        b"set": redis.smembers,
        b"zset": lambda key: redis.zrange(key, 0, -1),
        b"stream": redis.xrange,
    }
    return repr([(key, reads[redis.type(key)](key)) for key in redis.scan_iter(keys)])


class Clock:
    """A monotonic clock that only the test moves."""

    def __init__(self) -> None:
        self.time = 1_000.0

    def __call__(self) -> float:
        return self.time

    def pass_by(self, seconds: float, turn: Callable[[], object], every: float = 5.0) -> None:
        """Let time pass, with a turn at every step."""
        for _ in range(round(seconds / every)):
            self.time += every
            turn()
