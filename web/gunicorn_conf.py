"""How gunicorn serves this application; ``web.server`` uses it, and so may ``gunicorn -c web/gunicorn_conf.py``.

One process: every process follows the store once, and serves its WebSockets with one thread for all.
"""

from __future__ import annotations

import os
import resource
import signal
import threading
from types import FrameType
from typing import Any

from tracker.clock import elapsed
from tracker.errors import SettingsError
from tracker.history.recorder import Recorder
from tracker.process import settle_in
from tracker.settings import Settings, is_loopback
from web.limits import DESCRIPTORS, Limits

worker_class = "gthread"
workers = 1
threads = Limits().threads
graceful_timeout = 5
keepalive = 30
accesslog = None
errorlog = "-"
loglevel = "warning"
# gunicorn would make a control socket in the home folder.
control_socket_disable = True
# A worker proves that it lives by touching a file; on a slow disk that can stall it.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK | os.X_OK) else None


MOST_FILES = 65_536
"""Files that a process never needs more of, wherever the limit is."""

FAREWELL = 2.0
"""Longest wait for live connections to end, in seconds."""


def on_starting(server: Any) -> None:
    """Refuse an address that other machines can reach, unless there are tokens."""
    for address in server.address:
        if isinstance(address, tuple):
            check_address(address[0], Settings.from_env())


def check_address(host: str, settings: Settings) -> None:
    """Raise ``SettingsError`` if other machines reach ``host`` and anybody there could do anything."""
    if not (is_loopback(host) or settings.tokens_file):
        raise SettingsError(
            f"refusing to listen on {host!r}: anyone who reaches that address could start work; demand a log-in "
            "(TRACKER_TOKENS_FILE, see `tracker token`), or use 127.0.0.1 (TRACKER_BIND) and a tunnel"
        )


def post_worker_init(worker: Any) -> None:
    """Follow the store from the start, stand by as recorder, and let go of the WebSockets first when told to stop."""
    site = worker.app.wsgi().extensions["tracker"]
    site.seats.number = min(site.seats.number, affordable())
    hub = site.hub
    hub.start()
    recorder = Recorder.of(site.settings, site.store)
    threading.Thread(target=recorder.run, args=[hub.stopping.wait], name="tracker-recorder", daemon=True).start()
    handle = worker.handle_exit

    def stop(number: int, frame: FrameType | None) -> None:
        hub.stopping.set()
        handle(number, frame)

    signal.signal(signal.SIGTERM, stop)
    # The new handler must not interrupt system calls either.
    signal.siginterrupt(signal.SIGTERM, False)
    settle_in()


def affordable() -> int:
    """How many WebSockets this process may have open; raises its limit of open files as far as that goes."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = min(most, MOST_FILES) if most != resource.RLIM_INFINITY else MOST_FILES
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    return max(1, most - DESCRIPTORS)


def worker_exit(server: Any, worker: Any) -> None:
    """The process ends when this returns: let live connections say goodbye first."""
    site = worker.app.wsgi().extensions["tracker"]
    site.hub.stopping.set()
    deadline = elapsed() + FAREWELL
    for seats in (site.seats, site.streams):
        seats.wait_until_empty(deadline - elapsed())
