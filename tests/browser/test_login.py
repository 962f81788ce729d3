"""Logging in with a browser: the page that asks, what is shown to whom, and being logged out."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.store.making import started
from tests.web.conftest import SCHEMA, queue_of
from tests.web.guarded import Guarded
from tracker.ids import new_id
from tracker.store import JobInfo, Store
from tracker.tokens import Role, add

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
def work(store: Store) -> str:
    """Something runs, and a job can be queued; the id of what runs."""
    store.publish_jobs("alive", [JobInfo("copy", SCHEMA, queue_of(store.keys.namespace))])
    id = new_id()
    store.append([started(id)])
    return id


def log_in(page: Page, token: str) -> None:
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Log in").click()


def test_a_browser_asks_for_a_token_and_leads_on(lenient: Page, guarded: Guarded) -> None:
    """To the page that was asked for, after a wrong one too; live, and logged in the next time."""
    lenient.goto(f"{guarded.server.url}queue?job=copy")
    expect(lenient).to_have_title("Log in · step tracker")
    expect(lenient.get_by_label("Token")).to_be_focused()
    log_in(lenient, "trk_nobodys")
    expect(lenient.get_by_role("alert")).to_contain_text("this token is nobody's")
    log_in(lenient, f"  {guarded.operator} ")
    expect(lenient).to_have_url(f"{guarded.server.url}queue?job=copy")
    expect(lenient.locator(".connection")).to_have_text("live")
    lenient.goto(f"{guarded.server.url}login?next=https://evil.example/")
    log_in(lenient, guarded.operator)
    expect(lenient).to_have_url(guarded.server.url)


def test_an_operator_acts(lenient: Page, guarded: Guarded, work: str) -> None:
    """As without tokens, but by name."""
    lenient.goto(f"{guarded.server.url}operations/{work}")
    log_in(lenient, guarded.operator)
    lenient.get_by_role("button", name="Cancel", exact=True).click()
    lenient.get_by_role("button", name="Cancel it").click()
    expect(lenient.locator("main")).to_contain_text("by ada")


def test_a_viewer_sees_everything_and_no_button_that_acts(lenient: Page, guarded: Guarded, work: str) -> None:
    """Where work is queued, it says what is missing."""
    lenient.goto(f"{guarded.server.url}operations/{work}")
    log_in(lenient, guarded.viewer)
    expect(lenient.locator("h1")).to_be_visible()
    expect(lenient.locator(".connection")).to_have_text("live")
    expect(lenient.get_by_role("button", name="Cancel")).to_have_count(0)
    lenient.get_by_role("link", name="Queue work").click()
    expect(lenient.locator("main")).to_contain_text("vic may look and not act")
    expect(lenient.get_by_role("button", name="Queue it")).to_have_count(0)


def test_whoever_logs_out_is_asked_again(lenient: Page, guarded: Guarded) -> None:
    """Also when the page is opened anew."""
    lenient.goto(guarded.server.url)
    log_in(lenient, guarded.viewer)
    lenient.get_by_role("button", name="Log out vic").click()
    expect(lenient.get_by_label("Token")).to_be_visible()
    lenient.goto(f"{guarded.server.url}workers")
    expect(lenient).to_have_url(f"{guarded.server.url}login?next=/workers")


@pytest.mark.parametrize("way", ["live", "reading"])
def test_a_page_whose_token_is_taken_back_asks_for_another(lenient: Page, guarded: Guarded, way: str) -> None:
    """By itself, within seconds, and leads back to where it was: told by its live connection, or by what it reads."""
    name = new_id()
    token, _ = add(guarded.file, name, Role.VIEWER, None)
    if way == "reading":
        lenient.route_web_socket("**/api/v1/ws", lambda socket: socket.close())
        lenient.route("**/api/v1/stream*", lambda route: route.abort())
    lenient.goto(f"{guarded.server.url}?filter=a")
    log_in(lenient, token)
    expect(lenient.locator(".connection")).to_have_text("live" if way == "live" else "every 2 s")
    if way == "live":
        lenient.route("**/api/v1/**", lambda route: route.fulfill(json={"items": [], "next": None}))
    guarded.take_back(name)
    expect(lenient.get_by_label("Token")).to_be_visible()
    lenient.unroute_all()
    log_in(lenient, guarded.viewer)
    expect(lenient).to_have_url(f"{guarded.server.url}?filter=a")


ROWS = "[...document.querySelectorAll('header > :not(.pages)')].map((each) => each.getBoundingClientRect().top < 40)"


def test_the_head_has_room_for_everything_on_a_phone(lenient: Page, guarded: Guarded) -> None:
    """Name, connection and buttons stand in one row, however long the word for the connection is."""
    lenient.goto(guarded.server.url)
    log_in(lenient, guarded.viewer)
    expect(lenient.locator(".connection")).to_have_text("live")
    lenient.set_viewport_size({"width": 320, "height": 600})
    lenient.route_web_socket("**/api/v1/ws", lambda socket: socket.close())
    lenient.route("**/api/v1/**", lambda route: route.abort())
    lenient.reload()
    expect(lenient.locator(".connection")).to_contain_text("reconnecting")
    assert lenient.evaluate(ROWS) == [True] * 5
