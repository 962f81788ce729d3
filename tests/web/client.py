"""What tests talk to the server with: plain HTTP, a WebSocket, and the server's own process."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from websockets.sync.client import ClientConnection, connect

from tests.forked import Forked, Origin, forked
from tests.support import freeze, wait_for

PATIENCE = 20.0
"""Longest wait for a message, in seconds."""

ROOT = Path(__file__).resolve().parents[2]

SERVER = Origin(
    "tests.web.serving",
    ("-W", "error", "-W", "ignore::ResourceWarning"),
    ("web.server", "gunicorn.workers.gthread"),
)


@dataclass
class Answer:
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Server:
    """A running server process, and how to ask it."""

    process: Forked | subprocess.Popen[bytes]
    url: str
    log: Path

    @property
    def address(self) -> str:
        return urlsplit(self.url).netloc

    def ask(self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> Answer:
        """One request; ``body`` is sent as JSON unless it is bytes."""
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        sent = ({"Content-Type": "application/json"} if data is not None else {}) | (headers or {})
        connection = http.client.HTTPConnection(self.address, timeout=20)
        try:
            connection.request(method, path, data, sent)
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, headers=headers)

    def post(self, path: str, body: object, **headers: str) -> Answer:
        return self.ask("POST", path, body, headers)

    @contextmanager
    def watch(self, *topics: str, **options: Any) -> Iterator[Watcher]:
        """A WebSocket client that has said hello and subscribed to ``topics``."""
        with connect(f"ws://{self.address}/api/v1/ws", **options) as socket:
            watcher = Watcher(socket)
            watcher.until("hello")
            for topic in topics:
                watcher.say(type="subscribe", topic=topic)
            yield watcher

    def tell(self, number: int) -> None:
        """Send a signal to the process and to the one that serves its requests."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for pid in (self.process.pid, *map(int, children)):
            if number == signal.SIGSTOP:
                freeze(pid)
            else:
                os.kill(pid, number)

    def stop(self, number: int = signal.SIGTERM) -> float:
        """Send a signal; the seconds until the process had ended."""
        started = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(20)
        return time.monotonic() - started


@dataclass
class Watcher:
    """A live client; keeps what it has read."""

    socket: ClientConnection
    seen: list[dict[str, Any]] = field(default_factory=list)

    def say(self, **message: object) -> None:
        self.socket.send(json.dumps(message))

    def read(self, timeout: float = 20) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self.socket.recv(timeout=timeout))
        self.seen.append(message)
        return message

    def until(self, type: str, fits: Callable[[dict[str, Any]], object] = lambda message: True) -> dict[str, Any]:
        """Read until a message of this type fits."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            message = self.read()
            if message["type"] == type and fits(message):
                return message
        raise AssertionError(f"no fitting {type} in {PATIENCE} s; the last messages: {self.seen[-5:]}")

    def events(self, topic: str | None = None) -> list[dict[str, Any]]:
        """All events read so far, of one topic or of all."""
        messages = [m for m in self.seen if m["type"] == "events" and topic in (None, m["topic"])]
        return [event for message in messages for event in message["events"]]

    def event(self, topic: str, fits: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """Read until an event of this topic fits."""
        message = self.until("events", lambda m: m["topic"] == topic and any(map(fits, m["events"])))
        return next(event for event in message["events"] if fits(event))


@contextmanager
def serving(
    redis_url: str,
    namespace: str,
    log: Path,
    more: dict[str, str] | None = None,
    command: Sequence[str] = (),
    **limits: float,
) -> Iterator[Server]:
    """The real server on a free port, ended afterwards whatever happened; a ``command`` starts a Python of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TRACKER_")} | {
        "TRACKER_REDIS_URL": redis_url,
        "TRACKER_NAMESPACE": namespace,
        "TRACKER_BIND": "127.0.0.1:0",
    }
    environment |= more or {}
    heard, told = os.pipe()
    with log.open("w") as errors, open(os.devnull) as nothing:
        streams = (nothing.fileno(), told, errors.fileno())
        process = _started(command, [json.dumps(limits)], environment, streams)
    os.close(told)
    try:
        with open(heard) as lines:
            url = lines.readline().strip()
        assert url, log.read_text()
        server = Server(process, url, log)
        wait_for(lambda: server.get(f"{urlsplit(url).path}healthz").status == 200)
        yield server
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _started(
    command: Sequence[str], arguments: Sequence[str], environment: dict[str, str], streams: Sequence[int]
) -> Forked | subprocess.Popen[bytes]:
    if command:
        whole = [*command, *SERVER.options, "-m", SERVER.module, *arguments]
        return subprocess.Popen(
            whole, cwd=ROOT, env=environment, stdin=streams[0], stdout=streams[1], stderr=streams[2]
        )
    return forked(SERVER, arguments, environment, streams, ROOT)


@contextmanager
def working(environment: dict[str, str], log: Path, app: str) -> Iterator[None]:
    """A real worker of an app's jobs with two processes, ended afterwards."""
    start = "from tracker.celery.worker import run; from tracker.settings import Settings; "
    command = [sys.executable, "-c", f"{start} run(Settings.from_env(), 2, app_path={app!r})"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=os.environ | environment, cwd=ROOT, stdout=output, stderr=output)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
