"""Small web servers that answer as they are told, so that a client meets what no tracker says."""

from __future__ import annotations

import http.server
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Answer:
    """One answer; a ``length`` larger than the body is one that breaks off."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    type: str = "application/json"
    length: int | None = None


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Answering:
    """Gives one answer after the other, the last again and again; keeps what it was asked."""

    def __init__(self, url: str, *answers: Answer) -> None:
        self.url = url
        self.asked: list[Asked] = []
        self._answers = list(answers)

    def next(self) -> Answer:
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


@contextmanager
def answering(*answers: Answer, tls: ssl.SSLContext | None = None) -> Iterator[Answering]:
    """A server on a free port of this machine, in clear or with ``tls``."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(lambda: found))
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    found = Answering(f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}", *answers)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(of: Callable[[], Answering]) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            size = int(self.headers.get("Content-Length", 0))
            of().asked.append(Asked(self.command, self.path, dict(self.headers), self.rfile.read(size)))
            answer = of().next()
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.type)
            self.send_header("Content-Length", str(len(answer.body) if answer.length is None else answer.length))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        do_POST = do_CONNECT = do_GET

        def log_message(self, *args: object) -> None:
            """Tests read what was asked, not a log."""

    return Handler
