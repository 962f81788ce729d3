"""The local telemetry service as a script: ``check`` makes one span and reads it back, ``serve`` counts spans.

Runs with the private environment's Python, where this repository is not importable: only the standard library at
import, OpenTelemetry inside the functions. Configured by OpenTelemetry's own environment variables.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

BODY_LIMIT = 1024 * 1024
"""Largest request body, in bytes."""

SPAN_LIMIT = 1000
"""Most spans in one request."""


def check() -> None:
    """Make a span, read it back, and print what was read as one JSON object."""
    trace = importlib.import_module("opentelemetry.sdk.trace")
    export = importlib.import_module("opentelemetry.sdk.trace.export")
    memory = importlib.import_module("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    exporter = memory.InMemorySpanExporter()
    provider = trace.TracerProvider()
    provider.add_span_processor(export.SimpleSpanProcessor(exporter))
    with provider.get_tracer("tracker.telemetry").start_as_current_span("validation"):
        pass
    (span,) = exporter.get_finished_spans()
    service = span.resource.attributes["service.name"]
    print(json.dumps({"span": span.name, "service": service}))


class Spans:
    """Turns received names into OpenTelemetry spans and counts those that were finished."""

    def __init__(self) -> None:
        trace = importlib.import_module("opentelemetry.sdk.trace")
        self.count = 0
        self._lock = threading.Lock()
        self._tracer = trace.TracerProvider().get_tracer("tracker.telemetry")

    def add(self, names: list[str]) -> int:
        """Record one span per name; how many there are by now."""
        for name in names:
            self._tracer.start_span(name[:200]).end()
        with self._lock:
            self.count += len(names)
            return self.count


class Handler(BaseHTTPRequestHandler):
    """``GET /healthz`` and ``POST /v1/spans`` with ``{"spans": [{"name": …}]}``."""

    timeout = 10
    server: Service

    def do_GET(self) -> None:
        if self.path == "/healthz":
            self._answer(200, self.server.health())
        else:
            self._answer(404, {"detail": "only /healthz and /v1/spans exist"})

    def do_POST(self) -> None:
        names = self._names() if self.path == "/v1/spans" else None
        if names is None:
            self._answer(400, {"detail": 'POST {"spans": [{"name": "…"}]} to /v1/spans'})
        else:
            self._answer(202, {"spans": self.server.spans.add(names)})

    def _names(self) -> list[str] | None:
        """The names of the spans in the body; ``None`` if the body is not what it should be."""
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > BODY_LIMIT:
            return None
        try:
            names = [span["name"] for span in json.loads(self.rfile.read(int(length)))["spans"]]
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        return names if len(names) <= SPAN_LIMIT and all(isinstance(name, str) for name in names) else None

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", f"{len(body)}")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing: the log is for failures."""


class Service(ThreadingHTTPServer):
    """Serves on a socket that already listens; ``identity`` lets the one who started it recognise it."""

    def __init__(self, listening: socket.socket, identity: str) -> None:
        super().__init__(listening.getsockname(), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.identity = identity
        self.version = importlib.metadata.version("opentelemetry-sdk")
        self.spans = Spans()

    def health(self) -> dict[str, Any]:
        return {"id": self.identity, "pid": os.getpid(), "version": self.version, "spans": self.spans.count}


def serve(descriptor: int, identity: str, log: str) -> None:
    """Go into the background and answer on the inherited socket until terminated; ``log`` gets what goes wrong."""
    if os.fork():
        # The child belongs to nobody from here on, so that no worker keeps its remains.
        os._exit(0)
    os.setsid()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(output, sys.stdout.fileno())
    os.dup2(output, sys.stderr.fileno())
    Service(socket.socket(fileno=descriptor), identity).serve_forever()


def main() -> None:
    match sys.argv[1:]:
        case ["check"]:
            check()
        case ["serve", descriptor, identity, log]:
            serve(int(descriptor), identity, log)
        case _:
            sys.exit("usage: telemetry_service.py check | serve DESCRIPTOR ID LOG")


if __name__ == "__main__":
    main()
