"""Every view in every state it can be found in: nothing scrolls sideways, and axe finds nothing to complain about.

What was looked at is kept as pictures where ``PICTURES`` says so, for people to look at:
``PICTURES=/tmp/pictures python3 dev.py test tests/browser/test_views.py``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, Route, ViewportSize, WebSocketRoute, expect

from tests.archive.making import record, run, steps
from tests.store.making import ended, queued, started, step_event
from tests.support import wait_for
from tests.web.client import ROOT, Server, serving
from tests.web.conftest import SCHEMA
from tracker.archive import Archive
from tracker.model import Status
from tracker.store import JobInfo, Seal, Store

pytestmark = pytest.mark.browser

AXE = ROOT / ".venv/front-end/node_modules/axe-core/axe.min.js"

PICTURES = os.environ.get("PICTURES", "")

Scheme = Literal["light", "dark"]

SCHEMES: tuple[Scheme, ...] = ("light", "dark")

WIDE, NARROW = ViewportSize(width=1280, height=900), ViewportSize(width=390, height=844)

PLACES = {
    "now": "",
    "history": "history",
    "statistics": "statistics",
    "statistics-of-one": "statistics?name=job",
    "workers": "workers",
    "queue": "queue?job=copy",
    "queue-batch": "queue?job=copy&many=1",
    "running": "operations/running",
    "failed": "operations/failed",
    "batch": "operations/b",
    "unknown": "operations/nobody",
}

RUN_AXE = "async () => (await axe.run(document, { resultTypes: ['violations'] })).violations"


@pytest.fixture(scope="session", autouse=True)
def pictures_are_asked_for() -> None:
    """Read before the tests' environment is cleared of the caller's variables."""
    if PICTURES:
        Path(PICTURES).mkdir(parents=True, exist_ok=True)


@pytest.fixture(scope="module")
def axe() -> str:
    """The source of axe-core, which comes with what checks the front end."""
    if not AXE.exists():
        missing = "no axe-core here; it comes with npm on PATH and `python3 dev.py lint`"
        pytest.fail(missing, pytrace=False) if os.environ.get("CI") == "true" else pytest.skip(missing)
    return AXE.read_text()


@contextmanager
def scene(kind: str, redis_url: str, namespace: str) -> Iterator[None]:
    """A script whose operations some of the pages show; it runs meanwhile."""
    environment = os.environ | {"TRACKER_REDIS_URL": redis_url, "TRACKER_NAMESPACE": namespace}
    command = [sys.executable, "-m", "tests.browser.scenery", kind]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, env=environment, cwd=ROOT, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet)
    try:
        yield
    finally:
        process.communicate(timeout=20)


@contextmanager
def populated(kind: str, redis_url: str, folder: Path) -> Iterator[Server]:
    """A server with what a view of this kind shows."""
    namespace = f"views-{kind}-{folder.name}"
    address = f"sqlite:///{folder}/archive.sqlite3"
    store = Store(redis_url, namespace)
    if kind != "empty":
        with closing(Archive(address, namespace)) as archive:
            fill(store, archive, 2_000 if kind == "huge" else 40)
    with serving(redis_url, namespace, folder / "log", {"TRACKER_ARCHIVE_URL": address}) as server:
        if kind == "empty":
            yield server
        else:
            with scene(kind, redis_url, namespace):
                wait_for(lambda: store.status("last") is Status.COMPLETE)
                yield server
    store.client.disconnect()


AT_ONCE = 100
"""So many in one call are stored in time on a busy machine, too."""


def fill(store: Store, archive: Archive, size: int) -> None:
    """A batch of which some failed, jobs with a worker, and a past."""
    store.publish_jobs("alive", [JobInfo("copy", SCHEMA, "q", description="Copy the file ``path``.")])
    ids = [f"b.{number}" for number in range(1, size + 1)]
    children = [queued(id, parent="b", index=index) for index, id in enumerate(ids, 1)]
    store.append([queued("b", batch=True)])
    for at in range(0, size, AT_ONCE):
        store.append(children[at : at + AT_ONCE])
    store.append([Seal("b", size), started("b", "rb")])
    for index, id in enumerate(ids[: size // 2]):
        status = Status.ERROR if index % 9 == 4 else Status.COMPLETE
        store.append([started(id, f"r{index}", "b"), ended(id, status, f"r{index}", parent="b")])
    for number in range(size // 50):
        store.append([started(f"crawl-{number}", f"c{number}"), step_event(f"crawl-{number}", 2, run=f"c{number}")])
    now = time.time()
    for age in range(60):
        status = Status.ERROR if age % 11 == 3 else Status.COMPLETE
        head = run(f"old{age}", status, started=now - age * 40_000)
        archive.write([record(f"old-{age}", head, steps=steps(3, 0.5 + age % 5))])
    archive.close()


@pytest.fixture(scope="module", params=["normal", "empty", "huge"])
def peopled(
    request: pytest.FixtureRequest, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Server]]:
    kind = request.param
    with populated(kind, redis_url, tmp_path_factory.mktemp(kind)) as server:
        yield kind, server


GO = "(path) => { history.pushState({}, '', path); dispatchEvent(new PopStateEvent('popstate')); }"


def settled(page: Page, path: str) -> None:
    """Go to another view, as by a link, and wait until it has read what it shows."""
    page.evaluate(GO, f"/{path}")
    expect(page.locator("h1").first).to_be_visible()
    expect(page.get_by_text("Reading…")).to_have_count(0)


def look_at(page: Page, name: str) -> None:
    """Keep a picture of the page if one is wanted; it does not scroll sideways."""
    width = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert width <= 0, f"{name} scrolls sideways by {width} pixels"
    if PICTURES:
        page.screenshot(path=f"{PICTURES}/{name}.png")


def check(page: Page, axe: str, name: str) -> None:
    """Look at the page, and hold it against axe."""
    look_at(page, name)
    if not page.evaluate("'axe' in window"):
        page.evaluate(axe)
    found: list[dict[str, Any]] = page.evaluate(RUN_AXE)
    told = [f"{each['id']}: {each['help']}: {node['html'][:200]}" for each in found for node in each["nodes"][:3]]
    assert not told, f"{name}: {told}"


@pytest.mark.timeout(300)
def test_every_view_is_fit_to_be_looked_at(peopled: tuple[str, Server], browser: Browser, axe: str) -> None:
    """With some operations, with none, and with more than anybody wants; wide, and on a phone; light and dark."""
    kind, server = peopled
    with browser.new_context(viewport=WIDE, reduced_motion="reduce") as context:
        page = context.new_page()
        page.goto(server.url)
        for name, place in PLACES.items():
            page.set_viewport_size(WIDE)
            settled(page, place)
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme)
                check(page, axe, f"{name}-{kind}-{scheme}")
            page.set_viewport_size(NARROW)
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme)
                look_at(page, f"{name}-{kind}-{scheme}-narrow")
        page.goto("about:blank")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_cannot_be_read_is_told_on_every_view(server: Server, scheme: Scheme, browser: Browser, axe: str) -> None:
    """In its place, with what to do."""

    def refuse(route: Route) -> None:
        route.fulfill(status=503, content_type="application/problem+json", body='{"detail": "Redis does not answer"}')

    with browser.new_context(color_scheme=scheme, viewport=WIDE) as context:
        page = context.new_page()
        page.route("**/api/v1/**", refuse)
        page.route_web_socket("**/api/v1/ws", lambda socket: socket.close())
        page.goto(server.url)
        for name in ("now", "history", "statistics", "workers", "queue", "running"):
            page.evaluate(GO, f"/{PLACES[name]}")
            expect(page.locator(".connection")).to_contain_text("reconnecting")
            expect(page.locator("main")).not_to_be_empty()
            check(page, axe, f"{name}-broken-{scheme}")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_may_be_old_says_so_on_every_view(
    server: Server, store: Store, scheme: Scheme, browser: Browser, axe: str
) -> None:
    """When nothing was heard for longer than two heartbeats."""
    store.append([started("running"), started("other", "r2"), ended("other", run="r2")])

    def first_only(socket: WebSocketRoute) -> None:
        nonlocal connected
        if not connected:
            connected = True
            upstream = socket.connect_to_server()
            upstream.on_message(lambda text: None if "heartbeat" in text else socket.send(text))

    with browser.new_context(color_scheme=scheme, viewport=WIDE) as context:
        for name in ("now", "running"):
            connected = False
            page = context.new_page()
            page.route("**/api/v1/stream*", lambda route: route.abort())
            page.route_web_socket("**/api/v1/ws", first_only)
            page.clock.install()
            page.goto(server.url)
            settled(page, PLACES[name])
            page.route("**/api/v1/**", lambda route: route.abort())
            page.clock.run_for(45_000)
            expect(page.locator(".connection")).to_have_text("stale")
            expect(page.locator(".notice")).to_contain_text("Shown as of")
            check(page, axe, f"{name}-stale-{scheme}")
            page.close()
