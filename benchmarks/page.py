"""What the page Now costs its browser: 1,000 changes a second of 5,000 operations, merged as by the hub.

``python -m benchmarks.page 300`` goes on for five minutes, which the slope of the heap needs; a minute is the default.
"""

from __future__ import annotations

import itertools
import json
import random
import shutil
import statistics
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from tracker.settings import Settings
from web.app import create_app

ROWS, WAITING = 5_000, 1_000
CHANGES = 1_000
"""A second."""

MERGED = 0.05
"""Seconds between two messages."""

WARM_UP, EVERY, SETTLE = 30, 10, 3
"""Seconds until the page holds all it ever does, between two looks, and until all that was sent is taken in."""

STEPS = ("Read", "Check", "Convert", "Write", "Verify")
MEASURED = ("ScriptDuration", "TaskDuration", "LayoutDuration", "RecalcStyleDuration")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

Operation = dict[str, Any]


class Work:
    """Operations that go on: mostly a step's progress, sometimes the next step, an end, or a beginning."""

    def __init__(self) -> None:
        self.random = random.Random(7)
        self.numbers = itertools.count(1)
        self.open = [self.queued() for _ in range(ROWS)]
        for place in range(ROWS - WAITING):
            self.begin(place)
            self.become(place, step=self.step(1 + place // 20 % len(STEPS)))

    def queued(self) -> Operation:
        number = next(self.numbers)
        children = dict.fromkeys(("total", "queued", "running", "complete", "error", "cancelled", "lost", "version"), 0)
        return {
            "id": f"operation-{number}", "name": f"job.number{number % 12}", "title": f"Process file {number}.txt",
            "status": "queued", "created": time.time(), "flags": [], "attempt": 1, "run": "", "rev": 1, "parent": "",
            "batch": False, "labels": {"tenant": "acme"}, "worker": None, "started": None, "ended": None,
            "duration": None, "step": None, "error": None, "warned": 0, "cancel": None, "children": children,
            "args": None, "steps": None, "pace": None,
        }  # fmt: skip

    def become(self, place: int, **changes: object) -> Operation:
        """Replace the operation at a place with what it is then."""
        self.open[place] = {**self.open[place], "rev": self.open[place]["rev"] + 1, **changes}
        return self.open[place]

    def begin(self, place: int) -> Operation:
        worker = {"host": f"node-{place % 20}", "pid": 4711, "queue": "celery"}
        return self.become(place, status="running", run="r1", started=time.time(), worker=worker, step=self.step(1))

    def step(self, index: int, current: int = 0) -> dict[str, Any]:
        name = STEPS[index - 1]
        return {"index": index, "total": len(STEPS), "name": name, "current": current, "of": 1000, "unit": "rows"}

    def change(self) -> list[Operation]:
        """The operations that one change makes different."""
        place = self.random.randrange(ROWS)
        operation = self.open[place]
        if operation["status"] == "queued":
            return [self.begin(place)]
        if self.random.random() < 0.01:
            ended = self.become(place, status="complete", ended=time.time(), duration=1.0)
            self.open[place] = self.queued()
            return [ended, self.open[place]]
        step, ahead = operation["step"], self.random.random() < 0.1 and operation["step"]["index"] < len(STEPS)
        return [self.become(place, step=self.step(step["index"] + ahead, step["current"] + 1))]

    def message(self) -> str:
        """All that changed since the message before."""
        changed = {one["id"]: one for _ in range(int(CHANGES * MERGED)) for one in self.change()}
        events = [{"type": "step.progress", "ts": 0.0, "operation": one, "step": None} for one in changed.values()]
        return json.dumps({"type": "events", "topic": "operations", "cursor": "0", "events": events})


class Server:
    """The dashboard's own files and, in place of its hub, the work; one address, as browsers want it."""

    def __init__(self) -> None:
        self.files = create_app(Settings("redis://127.0.0.1:1")).test_client()
        self.sent = 0
        self.going = threading.Event()
        self.going.set()
        self.server = serve(self.talk, "127.0.0.1", 0, process_request=self.answer, compression=None)
        self.url = f"http://127.0.0.1:{self.server.socket.getsockname()[1]}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, _: ServerConnection, request: Request) -> Response | None:
        """What is asked without wanting a WebSocket."""
        if request.path.endswith("/ws"):
            return None
        if "/api/" in request.path:
            return reply("application/json", b'{"items": [], "next": null}')
        found = self.files.get(request.path)
        return reply(found.content_type, found.data)

    def talk(self, connection: ServerConnection) -> None:
        """Greet, send everything, then what changes."""
        work = Work()
        connection.recv()
        connection.send(json.dumps({"type": "hello", "v": 1, "version": "", "now": time.time()}))
        snapshot = {"type": "snapshot", "topic": "operations", "cursor": "0", "operations": work.open}
        connection.send(json.dumps(snapshot))
        while self.going.wait():
            begun = time.monotonic()
            try:
                connection.send(work.message())
            except ConnectionClosed:
                return
            self.sent += 1
            time.sleep(max(0.0, begun + MERGED - time.monotonic()))


def reply(kind: str, body: bytes) -> Response:
    headers = Headers({"Content-Type": kind, "Content-Length": str(len(body)), "Connection": "close"})
    return Response(HTTPStatus.OK, "OK", headers, body)


def metrics(session: CDPSession) -> dict[str, float]:
    return {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}


def heap(page: Page, session: CDPSession, server: Server) -> float:
    """Bytes held when all that was sent has been taken in, and all that can be was let go."""
    server.going.clear()
    page.wait_for_timeout(SETTLE * 1000)
    session.send("HeapProfiler.collectGarbage")
    size = metrics(session)["JSHeapUsedSize"]
    server.going.set()
    return size


def processor(browser: CDPSession) -> float:
    """Seconds that all threads of the pages' processes have been running on a processor."""
    processes = browser.send("SystemInfo.getProcessInfo")["processInfo"]
    return float(sum(each["cpuTime"] for each in processes if each["type"] == "renderer"))


class Look(NamedTuple):
    """What one span of time cost, and what was held after it."""

    at: float
    changes: float
    processor: float
    costs: dict[str, float]
    held: float


def look(browser: Browser, page: Page, server: Server, seconds: int) -> Iterator[Look]:
    """One look after another; what the looks themselves cost is not counted."""
    session, whole = page.context.new_cdp_session(page), browser.new_browser_cdp_session()
    session.send("Performance.enable")
    page.wait_for_timeout(WARM_UP * 1000)
    for _ in range(seconds // EVERY):
        before, used, sent, begun = metrics(session), processor(whole), server.sent, time.monotonic()
        page.wait_for_timeout(EVERY * 1000)
        after, spent = metrics(session), time.monotonic() - begun
        shares = {name: (after[name] - before[name]) / spent for name in MEASURED}
        changes = (server.sent - sent) * CHANGES * MERGED / spent
        share = (processor(whole) - used) / spent
        yield Look(time.monotonic(), changes, share, shares, heap(page, session, server))


def show(looks: Sequence[Look]) -> None:
    """The medians, so that what else the machine did for a moment does not count."""
    print(f"  {statistics.median(each.changes for each in looks):,.0f} changes/s of {ROWS:,} operations")
    for name in MEASURED:
        share = statistics.median(each.costs[name] for each in looks)
        print(f"  {name.removesuffix('Duration'):<12}{share:7.1%} of the time")
    print(f"  {'processor':<12}{statistics.median(each.processor for each in looks):7.1%} of one core")
    slope = statistics.linear_regression([each.at for each in looks], [each.held for each in looks]).slope
    print(f"  {'heap':<12}{looks[-1].held / 1024 / 1024:7.1f} MiB, {slope * 60 / 1024:+.0f} KiB a minute")


def main() -> None:
    server = Server()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.goto(server.url)
        page.locator(".group button").first.click()
        show(list(look(browser, page, server, int(sys.argv[1]) if len(sys.argv) > 1 else 60)))
        browser.close()
    server.server.shutdown()


if __name__ == "__main__":
    main()
