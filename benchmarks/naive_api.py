"""What the HTTP API is compared with: a Flask route that checks nothing, stores nothing and only sends the message.

``python -m benchmarks.naive_api BROKER`` serves it with the same server and number of threads, and prints its address.
"""

from __future__ import annotations

import sys
from typing import Any

from celery import Celery
from flask import Flask, request
from gunicorn.app.base import BaseApplication

from web.limits import Limits


class Naive(BaseApplication):  # type: ignore[misc]
    """gunicorn around the route."""

    def __init__(self, broker: str) -> None:
        self._celery = Celery("naive", broker=broker)
        super().__init__()

    def load_config(self) -> None:
        settings = {
            "worker_class": "gthread",
            "threads": Limits().threads,
            "bind": "127.0.0.1:0",
            "loglevel": "warning",
        }
        settings |= {"when_ready": lambda arbiter: print(arbiter.LISTENERS[0].sock.getsockname()[1], flush=True)}
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        app = Flask("naive")

        @app.post("/api/v1/operations")
        def queue() -> tuple[dict[str, Any], int]:
            body = request.get_json()
            sent = self._celery.send_task(body["job"], kwargs=body["args"], queue="naive", ignore_result=True)
            return {"id": sent.id}, 202

        return app


def main() -> None:
    """Serve until SIGTERM."""
    sys.argv, broker = sys.argv[:1], sys.argv[1]
    Naive(broker).run()


if __name__ == "__main__":
    main()
