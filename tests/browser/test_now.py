"""The page that is left open: what failed, runs, waits and has ended, and where everything is."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.feeding import Feed, operation
from tests.store.making import batch_of, blob, by, ended, head, queued, started, step_event
from tests.support import wait_for
from tests.web.client import Server
from tracker.model import Status, StepState, StepStatus
from tracker.store import RunBlob, Store

pytestmark = pytest.mark.browser

MANY = 5_000

AT_SCREEN = """
(list) => {
  const [screen, top] = [innerHeight, list.getBoundingClientRect().top];
  const rows = [...list.children].map((row) => row.getBoundingClientRect());
  const onScreen = rows.filter((row) => row.bottom > 0 && row.top < screen);
  const seen = onScreen.map((row) => Math.round((row.top - top) / row.height));
  const expected = [Math.max(0, Math.ceil(-top / rows[0].height)), Math.ceil((screen - top) / rows[0].height)];
  return { seen, expected, rows: rows.length, height: list.getBoundingClientRect().height / rows[0].height };
}
"""
"""Numbers of the rows on the screen, those that have to be, how many are drawn, and for how many there is room."""


def at_step(id: str, index: int, parent: str = "") -> RunBlob:
    """A run that has come to a step."""
    step = StepState(index, f"Step {index}", StepStatus.RUNNING, current=3, total=9, unit="rows")
    return by("p", blob(id, head(f"r-{id}"), steps=[step], parent=parent))


@pytest.fixture
def nothing_runs(server: Server) -> None:
    """The server looks once in a while for all who ask, so it may still know what ran in the test before."""
    wait_for(lambda: server.get("/api/v1/whereabouts").json["items"] == [])


def section(page: Page, title: str) -> Locator:
    return page.get_by_role("region", name=title)


def rows(page: Page, title: str) -> Locator:
    return section(page, title).locator("[data-row]")


def test_what_failed_runs_waits_and_has_ended_stands_in_sections(server: Server, store: Store, page: Page) -> None:
    """In this order, with counts; a row goes to another section when its status changes, and the feed says so."""
    store.append([started("runs"), queued("waits"), started("done", "rd"), ended("done", run="rd")])
    page.goto(server.url)
    heads = page.locator(".section h2")
    expect(heads).to_have_text(["Running 1", "Queued 1", "Ended lately 1"])
    store.append([ended("runs", Status.ERROR)])
    expect(heads.first).to_have_text("Failed lately 1")
    expect(rows(page, "Failed lately")).to_have_attribute("data-row", "runs")
    expect(section(page, "Running")).to_contain_text("Nothing runs.")
    expect(section(page, "Queued")).to_contain_text("oldest waits")


def test_a_row_tells_step_progress_worker_attempt_wait_and_flags(page: Page, server: Server) -> None:
    """All that is known of one operation without opening it."""
    step = {"index": 2, "total": 4, "name": "Check", "current": 3, "of": 9, "unit": "rows"}
    worker = {"host": "node-3", "pid": 4711, "queue": "celery"}
    one = operation("one", age=70, attempt=1, step=step, worker=worker, flags=["quiet", "unresponsive"])
    again = operation("again", attempt=2)
    Feed(page, [one | {"started": one["created"] + 12}, again])
    page.goto(server.url)
    row = page.locator(".row", has=page.locator("[data-row=one]"))
    for text in ("2/4", "Check", "3 / 9 rows", "node-3:4711", "quiet", "unresponsive", "waited 12 s"):
        expect(row).to_contain_text(text)
    expect(row.locator(".cell-elapsed")).to_have_text(re.compile(r"^(5[89]|1 m 0\d) s"))
    expect(page.locator(".row", has=page.locator("[data-row=again]"))).to_contain_text("attempt 2")
    expect(page.locator(".row", has=page.locator("[data-row=again]"))).not_to_contain_text("waited")


def test_a_batch_tells_how_much_time_is_left(page: Page, server: Server) -> None:
    """From the pace of its children so far."""
    children = {
        "total": 40,
        "queued": 28,
        "running": 2,
        "complete": 9,
        "error": 1,
        "cancelled": 0,
        "lost": 0,
        "version": 1,
    }
    Feed(page, [operation("batch", age=101, batch=True, children=children)])
    page.goto(server.url)
    expect(page.locator(".row .cell-elapsed")).to_contain_text(re.compile("≈ [45] m left"))


def test_what_is_to_begin_later_waits_for_its_time(page: Page, server: Server) -> None:
    """And not for a worker; of one that is to be run again it is told why."""
    why = {"type": "ConnectionError", "message": "timed out", "path": []}
    step = {"index": 2, "name": "Capture", "total": 3, "current": None, "of": None, "unit": ""}
    again = operation("again", "queued", next_at=time.time() + 600, error=why, step=step, attempt=1)
    Feed(page, [operation("tonight", "queued", age=7200, next_at=time.time() + 7200), again])
    page.goto(server.url)
    row = page.locator(".row", has=page.locator("[data-row=tonight]"))
    expect(row).to_contain_text("waiting for its time")
    expect(row.locator(".cell-elapsed")).to_have_text(re.compile("in 1 h ?due"))
    row = page.locator(".row", has=page.locator("[data-row=again]"))
    expect(row).to_contain_text("ConnectionError: timed out")
    expect(row.locator(".cell-elapsed")).to_have_text(re.compile("in 9 m ?due"))
    expect(section(page, "Queued")).not_to_contain_text("oldest waits")


def test_a_time_that_does_not_exist_takes_nothing_else_from_the_page(page: Page, server: Server) -> None:
    """Clocks and senders may be wrong by any amount."""
    odd = operation("odd", "queued", next_at=1e300) | {"created": 1e300}
    Feed(page, [odd, operation("even"), operation("done", "complete") | {"created": 1e300, "started": -1e300}])
    page.goto(server.url)
    expect(page.locator("[data-row]")).to_have_count(3)
    expect(page.locator(".row", has=page.locator("[data-row=odd]"))).to_contain_text("waiting for its time")


def test_many_of_one_name_are_one_row_that_unfolds(server: Server, store: Store, page: Page) -> None:
    """And stays as it was left when the page is loaded again."""
    store.append([*(queued(f"many-{n}", name="import") for n in range(9)), queued("alone", name="mail")])
    page.goto(server.url)
    expect(rows(page, "Queued")).to_have_count(2)
    group = page.get_by_role("button", name="import 9")
    expect(group).to_have_attribute("aria-expanded", "false")
    group.click()
    expect(rows(page, "Queued")).to_have_count(11)
    page.reload()
    expect(rows(page, "Queued")).to_have_count(11)
    page.get_by_role("button", name="Queued 10", exact=True).click()
    expect(rows(page, "Queued")).to_have_count(0)


@pytest.mark.usefixtures("nothing_runs")
def test_where_everything_is_shows_each_step_and_filters_by_it(server: Server, store: Store, page: Page) -> None:
    """How many stand where, the longest-running one marked; what is chosen is in the address."""
    store.append([*(at_step(f"a{n}", 2) for n in range(3)), at_step("b", 4), queued("waits")])
    page.goto(server.url)
    places = page.locator(".at-step")
    expect(places).to_have_text([re.compile("Step 2 ?3"), re.compile("Step 4 ?1")])
    expect(page.locator(".at-step .slowest")).to_have_count(1)
    places.nth(1).click()
    expect(page.locator("[data-row]")).to_have_count(1)
    assert "step=Step+4" in page.url
    page.reload()
    expect(page.locator("[data-row]")).to_have_attribute("data-row", "b")
    page.get_by_role("button", name="Show all").click()
    expect(page.locator("[data-row]")).to_have_count(5)


@pytest.mark.usefixtures("nothing_runs")
def test_a_step_that_is_left_by_all_keeps_its_place(server: Server, store: Store, page: Page) -> None:
    """So that nothing jumps."""
    store.append([at_step("one", 1), at_step("two", 1)])
    page.goto(server.url)
    expect(page.locator(".at-step")).to_have_text([re.compile("Step 1 ?2")])
    store.append([step_event(id, 2, 2, run=f"r-{id}") for id in ("one", "two")])
    expect(page.locator(".at-step")).to_have_text([re.compile("Step 1 ?0"), re.compile("Step 2 ?2")])


@pytest.mark.usefixtures("nothing_runs")
def test_what_runs_in_a_batch_stands_at_its_steps(server: Server, store: Store, page: Page) -> None:
    """With the way to the batch, for the list has no rows of its children."""
    children = batch_of(store, 3)
    store.append([at_step(id, index, parent="b") for id, index in zip(children, (1, 2, 2), strict=True)])
    page.goto(server.url)
    expect(page.locator(".at-step")).to_have_text([re.compile("Step 1 ?1"), re.compile("Step 2 ?2")])
    page.locator(".names").get_by_role("link", name="job 3").click()
    expect(page).to_have_url(f"{server.url}operations/b")
    there = page.get_by_role("region", name="Where they are")
    expect(there.locator(".at-step")).to_have_text([re.compile("Step 1 ?1"), re.compile("Step 2 ?2")])
    store.append([by("p", ended(id, run=f"r-{id}", parent="b")) for id in children])
    expect(there).to_have_count(0)


def test_it_says_when_it_does_not_count_all(server: Server, store: Store, page: Page) -> None:
    """However many run, the server looks at a bounded number of them."""
    store.append([at_step("a", 1)])
    everywhere = {"items": [], "more": True}
    page.route("**/api/v1/whereabouts", lambda route: route.fulfill(json=everywhere))
    page.goto(server.url)
    expect(page.locator(".where")).to_contain_text("more is running than is counted here")


def test_text_and_status_are_filters_in_the_address(page: Page, server: Server) -> None:
    """What does not fit is not shown, and where nothing fits, the way back is."""
    Feed(page, [operation("alpha"), operation("beta", "queued"), operation("gamma", labels={"tenant": "acme"})])
    page.goto(f"{server.url}?status=running&q=acme")
    expect(page.locator("[data-row]")).to_have_text(["gamma"])
    page.locator("#filter").fill("nothing like it")
    expect(page.get_by_role("heading", name="Nothing matches")).to_be_visible()
    assert "q=nothing+like+it" in page.url
    page.get_by_role("button", name="Show all operations").click()
    expect(page.locator("[data-row]")).to_have_count(3)


def test_five_thousand_rows_are_a_list_of_which_only_the_screen_is_drawn(page: Page, server: Server) -> None:
    """Its length, and so the scroll bar, is that of all; screen readers are told the number of each."""
    Feed(page, [operation(f"o{n}", "queued", age=MANY - n) for n in range(MANY)])
    page.goto(server.url)
    queued = page.get_by_role("list", name="Queued")
    for where in (0, 0.5, 1):
        page.evaluate("(part) => scrollTo(0, part * document.body.scrollHeight)", where)
        wait_for(lambda: is_drawn(queued))
    last = queued.locator("li").last
    expect(last).to_have_attribute("aria-posinset", str(MANY))
    expect(last).to_have_attribute("aria-setsize", str(MANY))
    expect(last.locator("[data-row]")).to_have_text(f"o{MANY - 1}")


def is_drawn(rows: Locator) -> bool:
    """Whether all rows that belong on the screen are there, and not many more."""
    look = rows.evaluate(AT_SCREEN)
    assert look["height"] == MANY
    first, end = look["expected"]
    return look["rows"] < 80 and set(range(first, min(end, MANY))) <= set(look["seen"])


def test_the_keyboard_goes_through_all_rows_of_all_sections(page: Page, server: Server) -> None:
    """Also where they had not been drawn; Tab goes on from there, and Enter opens the row."""
    waiting = [operation(f"o{n}", "queued", age=MANY - n) for n in range(MANY)]
    Feed(page, [operation("first"), *waiting, operation("end", "complete")])
    page.goto(server.url)
    expect(page.locator("[data-row=first]")).to_be_visible()
    focused = page.locator("[data-row]:focus")
    for _ in range(41):
        page.keyboard.press("j")
    expect(focused).to_have_attribute("data-row", "o39")
    expect(focused).to_be_in_viewport()
    page.keyboard.press("Tab")
    expect(focused).to_have_attribute("data-row", "o40")
    page.locator("[data-row=end]").focus()
    page.keyboard.press("k")
    expect(focused).to_have_attribute("data-row", f"o{MANY - 1}")
    page.evaluate("scrollTo(0, 0)")
    expect(focused).not_to_be_in_viewport()
    page.keyboard.press("ArrowUp")
    expect(focused).to_have_attribute("data-row", f"o{MANY - 2}")
    expect(focused).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/operations/o{MANY - 2}")


def test_the_row_with_the_focus_keeps_it_when_it_goes_to_another_section(page: Page, server: Server) -> None:
    """And the page stays where it was scrolled to."""
    feed = Feed(page, [operation(f"o{n}", age=100 - n) for n in range(40)])
    page.goto(server.url)
    page.locator("[data-row=o20]").focus()
    top = page.evaluate("scrollY")
    feed.change(operation("o20", "complete", age=80), operation("new", age=1))
    expect(rows(page, "Ended lately")).to_have_count(1)
    expect(page.locator("[data-row=o20]")).to_be_focused()
    assert page.evaluate("scrollY") == top


def test_rows_stay_where_they_are_while_others_come_and_change(page: Page, server: Server) -> None:
    """Newcomers come to the end; progress moves nothing."""
    step = {"index": 1, "total": 2, "name": "Read", "current": 1, "of": 9, "unit": ""}
    feed = Feed(page, [operation(f"o{n}", age=9 - n, name="job", step=step) for n in range(4)])
    page.goto(server.url)
    expect(rows(page, "Running")).to_have_count(4)
    before = page.locator(".row").evaluate_all("(rows) => rows.map((row) => row.getBoundingClientRect().top)")
    feed.change(operation("new", age=0, name="job", step=step), feed.held["o3"] | {"step": step | {"current": 8}})
    expect(rows(page, "Running")).to_have_text(["o0", "o1", "o2", "o3", "new"])
    after = page.locator(".row").evaluate_all("(rows) => rows.map((row) => row.getBoundingClientRect().top)")
    assert after[:-1] == before


def test_children_of_a_batch_can_all_be_reached_by_scrolling(server: Server, store: Store, page: Page) -> None:
    """Page after page is read as somebody comes near; the list is as long as the batch from the start."""
    ids = batch_of(store, 450)
    page.goto(f"{server.url}operations/b")
    children = page.get_by_role("list", name="children")
    expect(children.locator("li").first).to_have_attribute("aria-setsize", "450")
    height = children.evaluate("(list) => list.offsetHeight")
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(children.locator(f"[data-row='{ids[-1]}']")).to_be_in_viewport()
    assert children.evaluate("(list) => list.offsetHeight") == height


def test_children_of_one_status_can_all_be_reached_by_scrolling(server: Server, store: Store, page: Page) -> None:
    """Also those beyond the live window."""
    ids = batch_of(store, 450)
    store.append([started(id, f"r-{id}", "b") for id in ids[400:]])
    page.goto(f"{server.url}operations/b")
    page.get_by_role("group", name="Filter children by status").get_by_role("button", name="queued").click()
    children = page.get_by_role("list", name="queued children")
    expect(children.locator("li").first).to_have_attribute("aria-setsize", "400")
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(children.locator(f"[data-row='{ids[399]}']")).to_be_in_viewport()


def test_a_page_of_children_that_cannot_be_read_is_told(server: Server, store: Store, lenient: Page) -> None:
    """And asked for again on demand."""
    ids = batch_of(store, 450)
    lenient.route("**/children?*", lambda route: route.abort())
    lenient.goto(f"{server.url}operations/b")
    expect(lenient.get_by_role("list", name="children")).to_be_visible()
    lenient.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(lenient.get_by_role("alert")).to_contain_text("the server does not answer")
    lenient.unroute("**/children?*")
    again = lenient.get_by_role("button", name="Try again")

    def is_read() -> bool:
        # Not by a click, for which it is scrolled to: that asks again by itself, as the last of the scrolling may.
        again.evaluate_all("(buttons) => buttons.forEach((button) => button.click())")
        return again.count() == 0

    assert wait_for(is_read)
    lenient.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(lenient.locator(f"[data-row='{ids[-1]}']")).to_be_in_viewport()


def test_nothing_known_is_no_zero(page: Page, server: Server) -> None:
    """Until the first answer comes, the page has its frame and no numbers, and moves nothing when they come."""
    page.route_web_socket("**/api/v1/ws", lambda socket: None)
    page.goto(server.url)
    expect(section(page, "Running")).to_contain_text("Reading…")
    assert re.search(r"\d", page.locator(".table").last.inner_text()) is None
    assert page.locator(".chip b").all_inner_texts() == ["–"] * 5


def test_an_empty_page_says_how_to_begin(page: Page, server: Server) -> None:
    """And fills by itself."""
    feed = Feed(page)
    page.goto(server.url)
    expect(page.get_by_role("heading", name="No operations")).to_be_visible()
    feed.change(operation("first"))
    expect(rows(page, "Running")).to_have_text(["first"])


@pytest.mark.usefixtures("own_clock")
def test_times_stand_still_and_look_like_it_while_nothing_is_heard(page: Page, server: Server) -> None:
    """After 40 s of silence nothing counts up that cannot be proved."""
    page.clock.install()
    page.route(re.compile("/api/v1/(operations[?]|stream)"), lambda route: None)
    feed = Feed(page, [operation("one")])
    page.goto(server.url)
    expect(rows(page, "Running")).to_have_count(1)
    feed.silent = True
    page.clock.run_for(45_000)
    main = page.locator("main.is-stale")
    expect(main).to_be_visible()
    elapsed = main.locator(".row .cell-elapsed")
    expect(elapsed).to_have_css("font-style", "italic")
    before = elapsed.inner_text()
    page.clock.run_for(5_000)
    assert elapsed.inner_text() == before


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_on_a_telephone(page: Page, server: Server, scheme: str) -> None:
    """Rows are as high as the list reckons, and nothing is wider than the screen."""
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": 390, "height": 800})
    long = "a title that goes on and on until nobody can read it any more"
    Feed(page, [operation(f"o{n}", title=long, flags=["quiet", "unresponsive"]) for n in range(4)])
    page.goto(server.url)
    list = page.get_by_role("list", name="Running")
    expect(list.locator("li")).to_have_count(4)
    assert list.evaluate("(list) => list.offsetHeight / list.children.length === list.children[0].offsetHeight")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
