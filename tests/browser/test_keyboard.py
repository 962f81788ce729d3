"""A tour through the dashboard without a mouse."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.store.making import ended, started
from tests.web.client import Server
from tests.web.conftest import messages_in
from tracker.model import Status
from tracker.store import Store

pytestmark = pytest.mark.browser


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def tab_to(page: Page, name: str) -> None:
    """Move on with Tab until what bears this name has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.innerText || document.activeElement.ariaLabel") == name:
            return
    raise AssertionError(f"Tab does not lead to {name!r}")


def test_every_page_and_every_row_is_reached_by_keys(server: Server, store: Store, page: Page) -> None:
    """The sheet tells of the keys; rows are walked through, opened, and found again where they were left."""
    store.append([started("a"), started("b", "r2"), ended("b", Status.ERROR, "r2")])
    page.goto(server.url)
    expect(page.locator("[data-row]")).to_have_count(2)
    press(page, "?")
    expect(page.get_by_role("dialog")).to_be_visible()
    press(page, "Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    for key, heading in (("2", "History"), ("3", "Statistics"), ("4", "Workers"), ("5", "Queue work"), ("1", "Now")):
        press(page, key)
        expect(page.get_by_role("heading", level=1)).to_have_text(heading)
    press(page, "/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    press(page, "2", "Escape")
    expect(page).to_have_url(re.compile(r"/\?q=2$"))
    press(page, "/", "Backspace", "Escape", "j", "j")
    expect(page.locator("[data-row=a]")).to_be_focused()
    press(page, "k", "Enter")
    expect(page).to_have_url(re.compile("/operations/b$"))
    press(page, "u")
    expect(page.locator("[data-row=b]")).to_be_focused()


def test_work_is_queued_by_keys_alone(server: Server, store: Store, page: Page) -> None:
    """From the list to the form, through its fields, and to what was queued."""
    page.goto(server.url)
    press(page, "5")
    expect(page.locator("#field-path")).to_be_visible()
    tab_to(page, "A batch")
    press(page, "Tab")
    expect(page.locator("#field-path")).to_be_focused()
    page.keyboard.type("a.txt")
    press(page, "Enter")
    expect(page.locator(".sent li a")).to_have_text("copy a.txt")
    assert messages_in(store) == 1
    tab_to(page, "copy a.txt")
    press(page, "Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("copy a.txt")
