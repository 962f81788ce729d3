"""The page of an operation that was run more than once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.store.making import ended, started, step_event
from tests.web.client import Server, serving
from tracker.model import Status, StepStatus
from tracker.store import Store


@pytest.fixture
def server(redis_url: str, namespace: str, tmp_path: Path) -> Iterator[Server]:
    with serving(redis_url, namespace, tmp_path / "server.log") as server:
        yield server


@pytest.mark.browser
def test_each_attempt_is_listed_and_shown_as_it_was(server: Server, redis_url: str, namespace: str, page: Page) -> None:
    """An address of its own for each, which leads there and back; what runs goes on live meanwhile."""
    store = Store(redis_url, namespace)
    store.append([started("a"), step_event("a", 2, status=StepStatus.ERROR), ended("a", Status.ERROR, seq=3)])
    page.goto(f"{server.url}operations/a")
    expect(page.locator(".badge")).to_have_text("error")
    expect(page.locator(".attempts")).to_have_count(0)
    store.append([started("a", "r2")])
    rows = page.locator(".attempts li .status")
    expect(rows).to_have_text(["running", "error"])
    page.get_by_role("link", name="Attempt 1").click()
    expect(page.locator(".badge")).to_have_text("error")
    expect(page.locator(".step-name")).to_have_text(["Step 1"])
    assert page.url.endswith("/operations/a?attempt=1")
    store.append([ended("a", run="r2")])
    expect(rows).to_have_text(["complete", "error"])
    page.reload()
    expect(page.locator(".badge")).to_have_text("error")
    page.get_by_role("link", name="Show the newest").click()
    expect(page.locator(".badge")).to_have_text("complete")
    expect(page.locator(".step-name")).to_have_count(0)
    store.client.disconnect()
