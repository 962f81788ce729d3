"""A real Chromium for the tests of this folder; nothing here knows what the pages contain."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_browser() -> str | None:
    """Where a Chromium is, or ``None``."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, started once; without one the tests are skipped, but fail where ``CI`` is ``true``."""
    path = find_browser()
    if path is None and os.environ.get("CI") == "true":
        pytest.fail("no Chromium found; install it with: apt-get install -y chromium", pytrace=False)
    if path is None:
        pytest.skip("no Chromium found; install it with: apt-get install -y chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()
