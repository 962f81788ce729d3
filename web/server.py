"""``run``: serves the application with gunicorn, in the foreground, until told to stop."""

from __future__ import annotations

import errno
import logging
import os
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from tracker.errors import TrackerError
from tracker.settings import Settings
from web import gunicorn_conf
from web.app import create_app
from web.limits import Limits

BACKLOG = 1024

OPTIONS = (
    "worker_class",
    "workers",
    "graceful_timeout",
    "keepalive",
    "accesslog",
    "errorlog",
    "loglevel",
    "control_socket_disable",
    "worker_tmp_dir",
    "post_worker_init",
    "worker_exit",
)
"""What is taken over from ``web.gunicorn_conf``."""


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn around an application that exists already, on a socket that listens already."""

    def __init__(self, app: Flask, options: dict[str, Any]) -> None:
        self._app = app
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return self._app


def run(settings: Settings, *, limits: Limits | None = None, ready: Callable[[str], object] = lambda url: None) -> int:
    """Serve until SIGTERM or Ctrl-C; the exit code. ``ready`` is told the dashboard's URL once it can be opened.

    Raises ``SettingsError`` for an address other machines can reach if there are no tokens, ``TrackerError`` when it
    is taken.
    """
    limits = limits or Limits()
    listener, settings = _listen(settings)
    url = f"http://{settings.bind}{settings.base_path}/"
    options = {name: getattr(gunicorn_conf, name) for name in OPTIONS}
    options |= {
        "bind": f"fd://{listener.detach()}",
        "threads": limits.threads,
        "when_ready": lambda arbiter: ready(url),
        "proc_name": "tracker-web",
    }
    return _serve(Server(create_app(settings, limits), options))


def _serve(server: Server) -> int:
    master = os.getpid()
    try:
        server.run()
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
        if os.getpid() != master:
            _leave(code)
        return code
    return 0


def _leave(code: int) -> None:
    """End a forked worker here: the code that called ``run`` must not go on in two processes."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _listen(settings: Settings) -> tuple[socket.socket, Settings]:
    """The listening socket, and the settings with the port it got (which matters for port 0)."""
    host, port = settings.host_and_port
    gunicorn_conf.check_address(host, settings)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise TrackerError(_why_not(settings.bind, error)) from None
    found = listener.getsockname()[1]
    return listener, replace(settings, bind=f"{settings.bind.rpartition(':')[0]}:{found}")


def _why_not(bind: str, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"{bind} is already in use; stop the program that listens there, or set TRACKER_BIND to another port"
    return f"cannot listen on {bind} ({error.strerror}); set TRACKER_BIND to another address or port"
