"""A real Chromium and its pages, shared by the tests of a folder that imports these fixtures into its conftest."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, ViewportSize, expect, sync_playwright

__all__ = ["browser", "context", "lenient", "own_clock", "page", "shared_context"]

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Pages of one context share a process, in which the modules are compiled once.
    "--process-per-site",
)

VIEWPORT = ViewportSize(width=1280, height=1600)

expect.set_options(timeout=30_000)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A real Chromium; without one the tests are skipped, but fail where ``CI`` is ``true``.

    For one folder at a time: while it runs, this thread counts as being inside an event loop.
    """
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        missing = "no Chromium on PATH; on Debian and Ubuntu: apt install chromium"
        pytest.fail(missing, pytrace=False) if os.environ.get("CI") == "true" else pytest.skip(missing)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def shared_context(browser: Browser) -> Iterator[BrowserContext]:
    """A context in which one page stays open, so that its process stays, too."""
    with browser.new_context(viewport=VIEWPORT) as context:
        first = context.new_page()
        first.route("**", lambda route: route.fulfill(body="", content_type="text/html"))
        first.goto("http://127.0.0.1/")
        yield context


@pytest.fixture
def own_clock(browser: Browser) -> Iterator[BrowserContext]:
    """Whoever uses it may set the page's clock, which is that of its whole context."""
    with browser.new_context(viewport=VIEWPORT) as context:
        yield context


@pytest.fixture
def context(request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    """What a test's pages belong to; nothing of it is left to the next one."""
    own = "own_clock" in request.fixturenames
    context: BrowserContext = request.getfixturevalue("own_clock" if own else "shared_context")
    yield context
    context.clear_cookies()
    context.clear_permissions()


@contextmanager
def opened(context: BrowserContext) -> Iterator[Page]:
    """A page that is gone afterwards with all that was kept under its address."""
    page = context.new_page()
    yield page
    session = context.new_cdp_session(page)
    session.send("Storage.clearDataForOrigin", {"origin": "*", "storageTypes": "local_storage,indexeddb,cache_storage"})
    page.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page that fails the test if the browser complains about anything."""
    complaints: list[str] = []
    with opened(context) as page:
        page.on("console", lambda message: complaints.append(message.text) if _is_complaint(message) else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page
    assert not complaints, complaints


def _is_complaint(message: ConsoleMessage) -> bool:
    """A refusal that was asked for beforehand is an answer, whatever the browser says of it."""
    return message.type == "error" and not message.location["url"].endswith("/resume")


@pytest.fixture
def lenient(context: BrowserContext) -> Iterator[Page]:
    """A page whose browser may complain on its console, as it does about every request that is refused."""
    with opened(context) as page:
        yield page
