"""Runs a whole system on one machine: embedded server if none is configured, a worker, the web server.

Owns the order of starting and stopping, and the promise that nothing is left behind: every child runs
under a guard (``guard.py``) that ends it when this process is gone, however it went.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
import sysconfig
import time
from dataclasses import replace
from pathlib import Path

from tracker.cli.claim import Running
from tracker.cli.local_api import Api, Unready, url_of
from tracker.cli.part import Keeper, Kept, Log, Part
from tracker.cli.stopping import Stop
from tracker.embedded import Server, ensure_server
from tracker.errors import TrackerError
from tracker.settings import Settings

READY_LIMIT = 60.0
"""Longest time until everything is ready, in seconds."""

WARM_STOP = 10.0
"""How long the worker may finish what it is doing, in seconds."""

WEB_STOP = 5.0
"""How long the web server may take to say good-bye to its clients, in seconds."""


class PartEnded(TrackerError):
    """A part of the system ended although nobody asked it to."""


class System:
    """The parts of one running system; ``shut_down`` ends them in order and may be called at any moment."""

    def __init__(self, settings: Settings, stop: Stop, log: Log) -> None:
        self.settings = settings
        self.running = Running(os.getpid(), url_of(settings), str(settings.data_root.resolve()))
        self._stop = stop
        self._log = log
        self._parts: list[Kept] = []
        self._is_ready = False
        self._server: Server | None = None
        self._keeper: Keeper | None = None

    def start(self, concurrency: int) -> None:
        """Start everything and return when it is ready; raises ``TrackerError`` or ``Stopped``."""
        check_free(self.settings)
        if self.settings.redis_url is None:
            self._start_server()
        self._stop.check()
        self._add("web", "web")
        self._add("worker", "worker", "--concurrency", str(concurrency))
        self._wait_until_ready()
        self._is_ready = True

    def _add(self, name: str, *arguments: str) -> None:
        command, environment = [sys.executable, "-m", "tracker", *arguments], child_environment(self.settings)
        self._parts.append(Kept(name, lambda: Part(name, command, environment, self._log), self._log))

    def check(self) -> None:
        """Start again what has ended; raises ``Stopped`` if asked to stop, ``PartEnded`` if it was never ready."""
        self._stop.check()
        if self._server is not None and not self._server.is_alive():
            self._restart_server(self._server)
        for kept in self._parts:
            if kept.ended and not self._is_ready:
                raise PartEnded(kept.ended)
            kept.tend()

    def run(self) -> None:
        """Return never but by ``Stopped``."""
        while True:
            self.check()
            self._stop.wait(0.25)

    def shut_down(self) -> None:
        """End the worker, then the web server, then the embedded server if this system started it."""
        asked = self._stop.times
        for kept in reversed(self._parts):
            self._end(kept.part, asked)
        self._parts.clear()
        if self._server is not None and self._server.started:
            self._server.stop()
        if self._keeper is not None:
            self._keeper.close()

    def _end(self, part: Part, asked: int) -> None:
        """Warm first; at once if somebody asks again meanwhile."""
        part.ask_to_end()
        deadline = time.monotonic() + (WARM_STOP if part.name == "worker" else WEB_STOP)
        while part.exit_code is None and time.monotonic() < deadline and self._stop.times <= asked:
            time.sleep(0.02)
        part.kill()

    def _start_server(self) -> None:
        self._keeper = Keeper()
        self._server = ensure_server(self.settings.state_dir)
        if self._server.started:
            self._keeper.keep(self._server.pid)
        self.settings = replace(self.settings, redis_url=self._server.url)

    def _restart_server(self, dead: Server) -> None:
        """At its old address nobody notices but by a pause; at another one the parts would not find it."""
        server = ensure_server(self.settings.state_dir)
        if server.url != dead.url:
            raise PartEnded("the embedded server ended unexpectedly, and its port is taken now; start again")
        self._log("redis", f"the embedded server ended unexpectedly; started again (pid {server.pid})")
        self._server = replace(server, started=dead.started or server.started)
        if self._keeper is not None and self._server.started:
            self._keeper.keep(server.pid)

    def _wait_until_ready(self) -> None:
        api = Api(self.running.url)
        deadline = time.monotonic() + READY_LIMIT
        missing = ""
        while time.monotonic() < deadline:
            self.check()
            try:
                api.check_ready()
                return
            except Unready as unready:
                missing = str(unready)
            self._stop.wait(0.1)
        raise TrackerError(f"not ready after {READY_LIMIT:.0f} s: {missing}")


def check_free(settings: Settings) -> None:
    """Raise ``TrackerError`` if the web server's address cannot be listened on."""
    host, port = settings.host_and_port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        why = "is taken by another program" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
        raise TrackerError(f"{settings.bind} {why}; set TRACKER_BIND to another HOST:PORT") from None


def child_environment(settings: Settings) -> dict[str, str]:
    """What the children read their settings from, and find this very package with.

    The safe path keeps packages named ``web`` or ``workers`` in the current folder out of their way.
    """
    home = str(Path(__file__).resolve().parents[2])
    environment = dict(os.environ)
    if home not in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib")):
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH")]))
    return environment | {
        "PYTHONSAFEPATH": "1",
        "PYTHONUNBUFFERED": "1",
        "TRACKER_REDIS_URL": settings.redis_url or "",
        "TRACKER_NAMESPACE": settings.namespace,
        "TRACKER_STATE_DIR": str(settings.state_dir.resolve()),
        "TRACKER_BIND": settings.bind,
        "TRACKER_BASE_PATH": settings.base_path,
        "TRACKER_DATA_ROOT": str(settings.data_root.resolve()),
    }
