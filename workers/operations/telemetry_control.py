"""Starting, recognising and stopping the local telemetry service.

Owns the record ``service.json``. A process is only ever signalled after it has answered with the random id of that
record: a process id alone may belong to somebody else by now.
"""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import secrets
import signal
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from workers.operations.commands import run_command, told
from workers.operations.writing import replacing

ANSWER_TIMEOUT = 20.0
"""Seconds a service that was just started may take to answer."""

LOOK_TIMEOUT = 3.0
"""Seconds a running service may take to answer."""

ANSWER_LIMIT = 64 * 1024
"""Most of an answer that is read, in bytes."""

STOP_TIMEOUT = 10.0
"""Seconds a service may take to end before it is killed."""


class TelemetryError(Exception):
    """The telemetry service is not in the state it should be in; the message says what to do."""


class Running(msgspec.Struct, frozen=True):
    """The service as ``service.json`` records it."""

    id: str
    pid: int
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def exclusive(home: Path) -> Iterator[None]:
    """Keep other setups and teardowns out of ``home``; raises ``TelemetryError`` if one is at work."""
    with open(home / "lock", "ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise TelemetryError(
                "Another telemetry operation is at work on this machine; queue it again later"
            ) from error
        yield


def running(home: Path) -> Running | None:
    """The recorded service if it answers as ours; ``None`` if there is none (any more)."""
    try:
        record = msgspec.json.decode((home / "service.json").read_bytes(), type=Running)
        return record if _health(record.port, LOOK_TIMEOUT)["id"] == record.id else None
    except (OSError, ValueError, KeyError, http.client.HTTPException):
        return None


def launch(home: Path, command: Sequence[str], env: Mapping[str, str]) -> Running:
    """Start the service on a free port and return when it has answered and counted a span."""
    identity, log = secrets.token_hex(16), home / "service.log"
    with socket.create_server(("127.0.0.1", 0)) as listening:
        # The service inherits the socket: nobody takes the port in between, and the first request waits.
        port, descriptor = listening.getsockname()[1], listening.fileno()
        args = [*command, f"{descriptor}", identity, f"{log}"]
        run_command("Starting the service", args, timeout=ANSWER_TIMEOUT, env=env, pass_fds=[descriptor])
    try:
        pid = _health(port, ANSWER_TIMEOUT)["pid"]
        _call(port, "POST", "/v1/spans", ANSWER_TIMEOUT, b'{"spans": [{"name": "setup"}]}')
    except (OSError, ValueError, KeyError, http.client.HTTPException) as error:
        raise TelemetryError(
            f"The service did not answer: {told(log.read_bytes()) or error}; see service.log"
        ) from error
    started = Running(identity, pid, port)
    with replacing(home / "service.json") as file:
        file.write(msgspec.json.encode(started))
    return started


def stop(home: Path, service: Running | None) -> None:
    """End the service, which has just answered as ours, and remove its record; also the record of one that is gone."""
    if service is not None:
        os.kill(service.pid, signal.SIGTERM)
        if not _gone(service.port):
            os.kill(service.pid, signal.SIGKILL)
    (home / "service.json").unlink(missing_ok=True)


def _gone(port: int) -> bool:
    """Wait until nothing listens on ``port`` any more; ``False`` if something still does after ``STOP_TIMEOUT``."""
    deadline = time.monotonic() + STOP_TIMEOUT
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=LOOK_TIMEOUT).close()
        except OSError:
            return True
        time.sleep(0.05)
    return False


def _health(port: int, timeout: float) -> dict[str, Any]:
    return _call(port, "GET", "/healthz", timeout)


def _call(port: int, method: str, path: str, timeout: float, body: bytes | None = None) -> dict[str, Any]:
    """One request to the service; never through a proxy, as the address is this machine's own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, body)
        answer = json.loads(connection.getresponse().read(ANSWER_LIMIT))
    finally:
        connection.close()
    if not isinstance(answer, dict):
        raise ValueError("the answer is not an object")
    return answer
