"""How gunicorn serves this application; ``web.server`` uses it, and so may ``gunicorn -c web/gunicorn_conf.py``.

One process: every process follows the store once, and a WebSocket holds a thread, not a process.
"""

from __future__ import annotations

import ipaddress
import os
import signal
import threading
from types import FrameType
from typing import Any

from tracker.errors import SettingsError
from tracker.history.recorder import Recorder
from web.limits import Limits

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


FAREWELL = 2.0
"""Longest wait for the WebSockets to end, in seconds."""


def on_starting(server: Any) -> None:
    """Refuse an address that other machines can reach: there is no log-in yet."""
    for address in server.address:
        if isinstance(address, tuple) and not is_loopback(address[0]):
            raise SettingsError(refusal(address[0]))


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches ``host``."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refusal(host: str) -> str:
    """Why an address other than this machine's own is not served."""
    return (
        f"refusing to listen on {host!r}: anyone who reaches that address could start work, and there is no "
        "log-in yet; use 127.0.0.1 (TRACKER_BIND), and a tunnel such as `ssh -L` from elsewhere"
    )


def post_worker_init(worker: Any) -> None:
    """Follow the store from the start, stand by as recorder, and let go of the WebSockets first when told to stop."""
    site = worker.app.wsgi().extensions["tracker"]
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


def worker_int(worker: Any) -> None:
    """Ctrl-C ends the worker when this returns: let the WebSockets say goodbye first."""
    site = worker.app.wsgi().extensions["tracker"]
    site.hub.stopping.set()
    site.seats.wait_until_empty(FAREWELL)
