"""How the page stays in touch: over proxies, restarts and silence, without a reload and without a wrong word."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, WebSocketRoute, expect

from tests.browser.gateway import gateway
from tests.faults.servers import BreakableServer
from tests.store.making import ended, started, step_event
from tests.support import free_port
from tests.web.client import Server, serving
from tracker.store import Store

pytestmark = pytest.mark.browser

MANY = 20
"""Pages that are open while the server restarts."""

BASE = {"TRACKER_BASE_PATH": "/tracker"}


@pytest.fixture
def own(redis_url: str, namespace: str) -> Iterator[Store]:
    """The store of a server that a test may stop or hide behind a proxy."""
    store = Store(redis_url, namespace)
    yield store
    store.client.disconnect()


def comes_and_goes(page: Page, store: Store, url: str) -> None:
    """The page tells what happens while it is looked at, in the list and on an operation's own page."""
    store.append([started("op")])
    page.goto(url)
    page.get_by_role("link", name="A title").click()
    expect(page).to_have_url(re.compile("/tracker/operations/op$"))
    expect(page.locator(".connection")).to_have_text("live")
    store.append([step_event("op", 2)])
    expect(page.locator(".step-name")).to_have_text("Step 1")
    store.append([ended("op", seq=3)])
    expect(page.locator(".badge")).to_have_text("complete")
    page.go_back()
    expect(page.locator(".row .status")).to_have_text("complete")


def test_nginx_with_upgrade_brings_a_websocket(
    own: Store, redis_url: str, namespace: str, page: Page, tmp_path: Path
) -> None:
    """With the lines of the documentation, below a path."""
    sockets: list[str] = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    with serving(redis_url, namespace, tmp_path / "log", BASE) as server, gateway(server, tmp_path) as url:
        comes_and_goes(page, own, url)
        page.goto("about:blank")
    assert [re.sub(r".*:[0-9]+", "", url) for url in sockets] == ["/tracker/api/v1/ws"]


def test_nginx_without_upgrade_brings_server_sent_events(
    own: Store, redis_url: str, namespace: str, lenient: Page, tmp_path: Path
) -> None:
    """And the page is as live as before."""
    asked: list[str] = []
    lenient.on("request", lambda request: asked.append(request.url))
    with (
        serving(redis_url, namespace, tmp_path / "log", BASE) as server,
        gateway(server, tmp_path, upgrades=False) as url,
    ):
        comes_and_goes(lenient, own, url)
        lenient.goto("about:blank")
    assert any("/tracker/api/v1/stream?topic=operations" in url for url in asked)
    assert not any("/operations?limit=200" in url for url in asked), "it read over HTTP although a stream came about"


def test_where_nothing_lives_long_the_page_reads_again_and_again(server: Server, store: Store, lenient: Page) -> None:
    """Every two seconds, and says so."""
    lenient.route("**/api/v1/stream*", lambda route: route.abort())
    lenient.route_web_socket("**/api/v1/ws", lambda socket: socket.close())
    store.append([started("op")])
    lenient.goto(server.url)
    expect(lenient.locator(".connection")).to_have_text("every 2 s")
    expect(lenient.locator(".row .status")).to_have_text("running")
    store.append([ended("op")])
    expect(lenient.locator(".row .status")).to_have_text("complete")


def test_a_server_that_restarts_finds_its_pages_again(
    own: Store, redis_url: str, namespace: str, browser: Browser, tmp_path: Path
) -> None:
    """Twenty of them, none reloaded, and each has what happened meanwhile."""
    bind = {"TRACKER_BIND": f"127.0.0.1:{free_port()}"}
    own.append([started("op")])
    with browser.new_context() as context:
        pages = [context.new_page() for _ in range(MANY)]
        with serving(redis_url, namespace, tmp_path / "first.log", bind) as server:
            # The first one fills the browser's cache for the others.
            pages[0].goto(f"{server.url}operations/op")
            for page in pages[1:]:
                page.goto(f"{server.url}operations/op", wait_until="commit")
            for page in pages:
                expect(page.locator(".connection")).to_have_text("live", timeout=60_000)
                page.evaluate("window.kept = true")
            assert server.stop() <= 5
        expect(pages[0].locator(".connection")).to_contain_text("reconnecting")
        own.append([ended("op")])
        with serving(redis_url, namespace, tmp_path / "second.log", bind):
            for page in pages:
                expect(page.locator(".badge")).to_have_text("complete", timeout=30_000)
                expect(page.locator(".connection")).to_have_text("live", timeout=30_000)
                assert page.evaluate("window.kept")
            for page in pages:
                page.goto("about:blank")


def test_a_redis_that_restarts_is_told_and_made_up_for(namespace: str, page: Page, tmp_path: Path) -> None:
    """One that kept its data, and one that lost it: then everything is read anew, and the page says so."""
    with BreakableServer(tmp_path / "redis") as redis:
        store = Store(redis.url, namespace)
        store.append([started("op"), started("other", "r2")])
        with serving(redis.url, namespace, tmp_path / "log", heartbeat=0.5) as server:
            page.goto(server.url)
            expect(page.locator(".row .status")).to_have_text(["running", "running"])
            redis.kill()
            expect(page.locator(".notice")).to_contain_text("Redis does not answer", timeout=20_000)
            redis.start()
            store.append([ended("op")])
            expect(page.locator(".row.is-complete")).to_have_count(1, timeout=20_000)
            store.client.redis.flushall()
            store.append([started("new", "r3")])
            expect(page.locator(".notice")).to_contain_text("Read anew")
            expect(page.locator(".row")).to_have_count(1)
            page.goto("about:blank")
        store.client.disconnect()


@pytest.mark.usefixtures("own_clock")
def test_a_minute_of_silence_is_told_and_then_made_up_for(
    own: Store, redis_url: str, namespace: str, lenient: Page, tmp_path: Path
) -> None:
    """As after a laptop has slept: what is shown says how old it is, nothing counts up, and then the truth comes."""
    own.append([started("op")])
    lenient.clock.install()
    with serving(redis_url, namespace, tmp_path / "log") as server:
        lenient.goto(server.url)
        expect(lenient.locator(".connection")).to_have_text("live")
        expect(lenient.locator(".row .status")).to_have_text("running")
        server.tell(signal.SIGSTOP)
        try:
            own.append([ended("op")])
            lenient.clock.run_for(42_000)
            expect(lenient.locator(".connection")).to_have_text("stale")
            expect(lenient.locator(".notice")).to_have_text(
                re.compile(r"Shown as of \d\d:\d\d:\d\d: nothing heard for 4\d s")
            )
            elapsed = lenient.locator(".cell-elapsed").last.inner_text()
            lenient.clock.run_for(18_000)
            assert lenient.locator(".cell-elapsed").last.inner_text() == elapsed
        finally:
            server.tell(signal.SIGCONT)
        for _ in range(8):
            lenient.clock.run_for(5_000)
        expect(lenient.locator(".row .status")).to_have_text("complete")
        expect(lenient.locator(".connection")).to_have_text("live")
        expect(lenient.locator(".notice")).to_be_hidden()
        lenient.goto("about:blank")


def test_a_second_look_from_where_it_was_costs_no_snapshot(server: Server, store: Store, page: Page) -> None:
    """A page whose connection was cut says how far it knows everything; if nothing has happened, nothing is sent."""
    store.append([started("op"), started("other", "r2")])
    told: list[str] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: told.append(str(frame))))
    page.goto(server.url)
    expect(page.locator(".row")).to_have_count(2)
    assert any('"snapshot"' in frame for frame in told)
    told.clear()
    with page.expect_websocket() as again:
        page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    # By then it follows the list again.
    again.value.wait_for_event("framereceived", lambda frame: '"heartbeat"' in str(frame))
    store.append([started("after", "r3")])
    expect(page.locator(".row")).to_have_count(3)
    assert any('"hello"' in frame for frame in told)
    assert not any('"snapshot"' in frame for frame in told)


def test_the_page_says_when_the_server_lags_behind(server: Server, store: Store, page: Page) -> None:
    """In the word for the connection, until a snapshot says that it has caught up."""
    store.append([started("op")])
    snapshots: list[str] = []
    sockets: list[WebSocketRoute] = []

    def between(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        upstream = socket.connect_to_server()
        upstream.on_message(
            lambda text: (snapshots.append(str(text)) if '"snapshot"' in text else None, socket.send(text))
        )

    page.route_web_socket("**/api/v1/ws", between)
    page.goto(server.url)
    expect(page.locator(".connection")).to_have_text("live")
    expect(page.locator(".row")).to_have_count(1)
    told = json.loads(snapshots[0])
    sockets[0].send(json.dumps(told | {"lagging": True}))
    expect(page.locator(".connection")).to_have_text("lagging")
    sockets[0].send(json.dumps(told | {"lagging": False}))
    expect(page.locator(".connection")).to_have_text("live")
    store.append([ended("op")])
    expect(page.locator(".row .status")).to_have_text("complete")
