"""A hub of the test's own behind the real page: what it says comes over the page's WebSocket."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import Any

from playwright.sync_api import Page, WebSocketRoute

Operation = dict[str, Any]

COUNTS = ("total", "queued", "running", "complete", "error", "cancelled", "lost", "version")


def operation(id: str, status: str = "running", *, age: float = 60, **fields: object) -> Operation:
    """An operation made ``age`` seconds ago, as the hub would send it."""
    made = time.time() - age
    ended = None if status in ("queued", "running") else made + 2
    started = None if status == "queued" else made + 1
    plain = {"name": id, "title": id, "attempt": 1, "run": "r1", "rev": 1, "parent": "", "batch": False, "labels": {}}
    nothing = dict.fromkeys(("worker", "step", "error", "cancel", "args", "steps", "pace"))
    times = {"created": made, "started": started, "ended": ended, "duration": 1.0 if ended else None}
    children = dict.fromkeys(COUNTS, 0)
    return (
        {"id": id, "status": status, "flags": [], "warned": 0, "children": children} | plain | nothing | times | fields
    )


class Feed:
    """Takes the place of the server's WebSocket for a page that has not been opened yet."""

    def __init__(self, page: Page, operations: Iterable[Operation] = ()) -> None:
        self.held = {one["id"]: one for one in operations}
        self.silent = False
        """Whether it says nothing to those who connect from now on."""
        self._socket: WebSocketRoute | None = None
        page.route_web_socket("**/api/v1/ws", self._open)

    def _open(self, socket: WebSocketRoute) -> None:
        if self.silent:
            return
        self._socket = socket
        self._send(type="hello", v=1, version="", now=time.time())
        socket.on_message(lambda text: self._answer(json.loads(str(text))))

    def _answer(self, message: dict[str, str]) -> None:
        if message["type"] == "subscribe" and message["topic"] == "operations":
            self._send(type="snapshot", topic="operations", cursor="0", operations=list(self.held.values()))

    def _send(self, **message: object) -> None:
        assert self._socket is not None
        self._socket.send(json.dumps(message))

    def change(self, *operations: Operation) -> None:
        """Tell in one message what these have become."""
        for one in operations:
            one["rev"] = self.held.get(one["id"], {"rev": 0})["rev"] + 1
            self.held[one["id"]] = one
        events = [{"type": "operation.update", "ts": 0.0, "operation": one, "step": None} for one in operations]
        self._send(type="events", topic="operations", cursor="0", events=events)
