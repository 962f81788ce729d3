"""The page of the history: filters in the address, pages as far as somebody reads, and files to take away."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.store.making import NOW, blob, ended, head, started, step_event
from tests.web.client import Server
from tracker.archive import Archive
from tracker.clock import now
from tracker.model import Error, QueuePart, Status, Worker
from tracker.settings import Settings
from tracker.store import QueueItem, Store

pytestmark = pytest.mark.browser

TOO_LONG = "x" * 300


def made(id: str, created: float = NOW, name: str = "job", **fields: object) -> QueueItem:
    return QueueItem(id, QueuePart(name, created, title=f"Title of {id}", **fields))  # type: ignore[arg-type]


def titles(page: Page) -> list[str]:
    return page.locator(".row .cell-title a").all_text_contents()


def asked_for(page: Page) -> list[str]:
    """What the page asks the API's list for, from now on."""
    found: list[str] = []

    def heard(request: Request) -> None:
        if "/api/v1/operations?" in request.url:
            found.append(request.url)

    page.on("request", heard)
    return found


@pytest.fixture(autouse=True)
def emptied(shared_server: Server, store: Store, shared_namespace: str) -> None:
    """What other tests left in the archive of their server is in no list here."""
    archive = Archive(Settings.from_env().archive, shared_namespace)
    while left := archive.top_level(limit=1000):
        for parts in left:
            archive.erase(parts.id)
    archive.close()


@pytest.fixture
def four(store: Store) -> None:
    """Operations that differ in one thing each."""
    failed = head("rc", Status.ERROR, worker=Worker("node-3", 7), error=Error("ValueError", "no"), release="1.2")
    store.append([made("a", NOW - 7200), made("b", NOW, "other.job", labels={"tenant": "acme"})])
    store.append([made("c", NOW + 1), blob("c", failed)])
    store.append([made("d", NOW + 2), started("d", "rd"), step_event("d", 2)])


@pytest.mark.parametrize(
    ("field", "value", "query", "found"),
    [
        ("Name", "other.job", "name=other.job", ["Title of b"]),
        ("Label", "tenant:acme", "label=tenant%3Aacme", ["Title of b"]),
        ("Host", "node-3", "worker=node-3", ["A title"]),
        ("Error", "ValueError", "error=ValueError", ["A title"]),
        ("Release", "1.2", "release=1.2", ["A title"]),
        ("Text in id, name or title", "of a", "q=of+a", ["Title of a"]),
    ],
)
def test_a_filter_stands_in_the_address_and_comes_back_with_it(
    server: Server, four: None, page: Page, field: str, value: str, query: str, found: list[str]
) -> None:
    """So that what one person has found another can look at."""
    page.goto(f"{server.url}history")
    expect(page.locator(".row")).to_have_count(4)
    page.get_by_label(field, exact=True).fill(value)
    page.keyboard.press("Enter")
    expect(page.locator(".row .cell-title a")).to_have_text(found)
    assert urlsplit(page.url).query == query
    page.reload()
    expect(page.locator(".row .cell-title a")).to_have_text(found)
    expect(page.get_by_label(field, exact=True)).to_have_value(value)
    page.get_by_role("button", name="Clear all").click()
    expect(page.locator(".row")).to_have_count(4)
    assert urlsplit(page.url).query == ""


def test_a_status_is_chosen_with_a_button(server: Server, four: None, page: Page) -> None:
    """And let go with the same one."""
    page.goto(f"{server.url}history?status=queued")
    expect(page.locator(".row")).to_have_count(2)
    page.get_by_role("button", name="error").click()
    expect(page.locator(".row .cell-title a")).to_have_text(["A title"])
    page.get_by_role("button", name="error").click()
    expect(page.locator(".row")).to_have_count(4)


def test_a_time_moves_along_or_is_given_by_hand(server: Server, store: Store, page: Page) -> None:
    """The last hour means that of whoever opens the address; from and to are local time."""
    store.append([made("old", now() - 7200), made("new", now() - 60)])
    page.goto(f"{server.url}history")
    page.get_by_label("Made in").select_option("last hour")
    expect(page.locator(".row .cell-title a")).to_have_text(["Title of new"])
    assert urlsplit(page.url).query == "last=hour"
    page.get_by_label("To", exact=True).fill("2030-01-01T00:00")
    expect(page.locator(".row")).to_have_count(2)
    asked = parse_qs(urlsplit(page.url).query)
    stamp = page.evaluate("new Date('2030-01-01T00:00').getTime() / 1000")
    assert asked == {"until": [str(stamp)]}
    page.reload()
    expect(page.get_by_label("To", exact=True)).to_have_value("2030-01-01T00:00")
    expect(page.get_by_label("Made in")).to_have_value("span")


@pytest.mark.parametrize(
    ("query", "field"), [("label=x", "Label"), ("since=-1", "From"), (f"worker={TOO_LONG}", "Host")]
)
def test_what_is_wrong_with_a_filter_is_told_at_its_field(
    server: Server, four: None, lenient: Page, query: str, field: str
) -> None:
    """In a link that was cut, or when somebody mistypes; and what was wrong is forgotten once it is mended."""
    lenient.goto(f"{server.url}history?{query}")
    wrong = lenient.locator("[aria-invalid]")
    expect(wrong).to_have_count(1)
    expect(lenient.get_by_label(field, exact=True)).to_have_attribute("aria-invalid", "true")
    fault = lenient.locator(f"#{wrong.get_attribute('aria-describedby')}")
    expect(fault).to_be_visible()
    expect(lenient.get_by_role("heading", name="A filter cannot be used")).to_be_visible()
    lenient.get_by_role("button", name="Clear all").click()
    expect(lenient.locator(".row")).to_have_count(4)
    expect(wrong).to_have_count(0)


def test_names_that_ran_are_offered(server: Server, store: Store, page: Page) -> None:
    """Read only when somebody wants to give one."""
    page.goto(f"{server.url}history")
    with page.expect_response("**/api/v1/stats?*"):
        page.get_by_label("Name", exact=True).focus()
    assert page.get_by_label("Name", exact=True).get_attribute("list") == "names"


def test_nothing_found_says_what_is_looked_at(server: Server, four: None, page: Page) -> None:
    """Children are not in this list, which nobody can know."""
    page.goto(f"{server.url}history?q=nothing")
    expect(page.locator(".quiet")).to_contain_text("The history lists top-level operations")
    page.get_by_role("button", name="Show all operations").click()
    expect(page.locator(".row")).to_have_count(4)


# ---- page after page -----------------------------------------------------------------------------


@pytest.fixture
def many(store: Store) -> None:
    store.append([made(f"o{number:03}", NOW + number) for number in range(250)])


def test_more_comes_at_the_end_with_a_button_or_with_the_keyboard(server: Server, many: None, page: Page) -> None:
    """Until there is no more, each once."""
    page.goto(f"{server.url}history")
    rows, end = page.locator(".row"), page.locator(".end")
    expect(rows).to_have_count(100)
    expect(end).to_contain_text("100 operations")
    page.get_by_role("button", name="More").click()
    expect(rows).to_have_count(200)
    page.locator(".row a").nth(198).focus()
    expect(rows).to_have_count(250)
    for _ in range(3):
        page.keyboard.press("j")
    assert page.evaluate("document.activeElement.dataset.row") == "o048"
    expect(end).to_contain_text("250 operations, no more")
    expect(page.get_by_role("button", name="More")).to_have_count(0)
    assert titles(page) == [f"Title of o{number:03}" for number in range(249, -1, -1)]


@pytest.mark.parametrize("back", ["history", "u"])
def test_back_from_an_operation_everything_is_where_it_was(server: Server, many: None, page: Page, back: str) -> None:
    """The pages that were read, the row that was looked at, and the place on the screen, without a request."""
    page.goto(f"{server.url}history?name=job")
    page.get_by_role("button", name="More").click()
    expect(page.locator(".row")).to_have_count(200)
    page.locator('[data-row="o090"]').click()
    expect(page.get_by_role("heading", name="Title of o090")).to_be_visible()
    asked = asked_for(page)
    if back == "u":
        page.keyboard.press("u")
    else:
        page.go_back()
    expect(page.locator(".row")).to_have_count(200)
    expect(page.locator('[data-row="o090"]')).to_be_focused()
    expect(page.locator('[data-row="o090"]')).to_be_in_viewport()
    assert urlsplit(page.url).query == "name=job"
    assert asked == []


def test_whoever_comes_from_another_page_sees_what_is_new(server: Server, four: None, store: Store, page: Page) -> None:
    """What was found earlier is kept only for looking at single operations."""
    page.goto(f"{server.url}history")
    expect(page.locator(".row")).to_have_count(4)
    page.get_by_role("link", name="Workers").click()
    store.append([made("e", NOW + 9)])
    page.get_by_role("link", name="History").click()
    expect(page.locator(".row")).to_have_count(5)
    store.append([made("f", NOW + 10)])
    page.get_by_role("button", name="Read again").click()
    expect(page.locator(".row")).to_have_count(6)


def test_a_search_that_finds_little_goes_on_by_itself_and_can_be_stopped(
    server: Server, four: None, page: Page
) -> None:
    """It says how far it has looked, and goes on from there."""
    pages: list[str | None] = []

    def short(route: Route) -> None:
        """Pages without end in which hardly anything fits, as a large archive gives them."""
        asked = parse_qs(urlsplit(route.request.url).query)
        pages.append(asked.get("page", [None])[0])
        found = json.loads(server.get("/api/v1/operations?limit=1").body)["items"] if len(pages) == 1 else []
        route.fulfill(json={"items": found, "next": f"{2000 - len(pages)}~x"})

    page.route("**/api/v1/operations?*", short)
    page.goto(f"{server.url}history?q=title")
    go_on = page.get_by_role("button", name="Go on looking")
    expect(go_on).to_be_visible()
    assert pages == [None, *(f"{2000 - number}~x" for number in range(1, 20))]
    expect(page.locator(".end")).to_contain_text("1 operation among the newest 100,000 or more")
    page.unroute("**/api/v1/operations?*")
    page.route("**/api/v1/operations?*", lambda route: pages.append("held"))
    go_on.click()
    expect(page.locator(".end")).to_contain_text("Looking…")
    page.get_by_role("button", name="Stop").click()
    expect(go_on).to_be_visible()
    expect(page.locator(".row")).to_have_count(1)
    assert pages[-1] == "held"


def test_what_was_read_stays_when_the_server_is_gone(server: Server, many: None, lenient: Page) -> None:
    """With when that was, and what to do."""
    lenient.goto(f"{server.url}history")
    expect(lenient.locator(".row")).to_have_count(100)
    lenient.route("**/api/v1/operations?*", lambda route: route.abort())
    lenient.get_by_role("button", name="More").click()
    end = lenient.locator(".end")
    expect(end).to_contain_text("the server does not answer")
    expect(end).to_contain_text("As of ")
    expect(lenient.locator(".row")).to_have_count(100)
    lenient.unroute("**/api/v1/operations?*")
    lenient.get_by_role("button", name="Try again").click()
    expect(lenient.locator(".row")).to_have_count(200)


def test_a_history_that_cannot_be_read_says_so(server: Server, four: None, lenient: Page) -> None:
    """And is read once it can be."""
    lenient.route("**/api/v1/operations?*", lambda route: route.abort())
    lenient.goto(f"{server.url}history")
    expect(lenient.get_by_role("alert")).to_contain_text("the server does not answer")
    lenient.unroute("**/api/v1/operations?*")
    lenient.get_by_role("button", name="Try again").click()
    expect(lenient.locator(".row")).to_have_count(4)


# ---- taken away ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("button", "suffix"), [("CSV", ".csv"), ("JSON lines", ".jsonl")])
def test_what_is_found_can_be_taken_away(
    server: Server, four: None, page: Page, tmp_path: Path, button: str, suffix: str
) -> None:
    """With the filter that is set, and nothing else."""
    page.goto(f"{server.url}history?label=tenant%3Aacme")
    expect(page.locator(".row")).to_have_count(1)
    with page.expect_download() as downloaded:
        page.get_by_role("link", name=button).click()
    download = downloaded.value
    assert download.suggested_filename.endswith(suffix)
    download.save_as(tmp_path / "found")
    text = (tmp_path / "found").read_text()
    assert len(text.splitlines()) == (2 if suffix == ".csv" else 1)
    assert "Title of b" in text


def test_text_from_outside_is_text(server: Server, store: Store, page: Page) -> None:
    """Names and labels come from anywhere."""
    store.append([made("a", NOW, "<img src=x onerror=alert(1)>", labels={"<b>": "\u202e<i>"})])
    store.append([ended("a")])
    page.goto(f"{server.url}history?name=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E")
    expect(page.locator(".row")).to_have_count(1)
    assert page.locator("main img, main b, main i").count() == 0
