"""The page of statistics: all names side by side, and one name day by day."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.archive.making import record, run
from tests.web.client import Server, serving
from tracker.archive import Archive
from tracker.clock import now
from tracker.model import Status, StepState, StepStatus
from tracker.record import Record

pytestmark = pytest.mark.browser

NAMESPACE = "browser-statistics"
DAY = 86_400


def ran(id: str, name: str, days: int, seconds: float, status: Status = Status.COMPLETE) -> Record:
    """A run of two steps that ended so many days ago; one that failed did so at the second."""
    ended = now() - days * DAY
    last = StepStatus.COMPLETE if status is Status.COMPLETE else StepStatus.ERROR
    steps = {
        1: StepState(1, "Read", StepStatus.COMPLETE, ended - seconds, seconds / 4),
        2: StepState(2, "Write", last, ended - seconds / 2, seconds / 2),
    }
    head = run(f"r-{id}", status, name=name, started=ended - seconds, ended=ended, duration=seconds)
    return record(id, head, steps=steps)


def fill(archive: Archive) -> None:
    """``often`` runs every day and fails at times, ``slow`` ran once, and all of ``broken`` failed two months ago."""
    often = [ran(f"o{day}.{n}", "often", day, 2.0 + n) for day in range(20) for n in range(4)]
    failed = [ran(f"f{day}", "often", day, 1.0, Status.ERROR) for day in range(0, 20, 2)]
    broken = [ran(f"b{n}", "broken", 60, 1.0, Status.ERROR) for n in range(3)]
    archive.write([*often, *failed, ran("s", "slow <b>", 1, 7200.0), *broken])


@pytest.fixture(scope="module")
def server(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server over an archive with runs of three names."""
    folder = tmp_path_factory.mktemp("statistics")
    url = f"sqlite:///{folder}/archive.sqlite3"
    archive = Archive(url, NAMESPACE)
    fill(archive)
    archive.close()
    more = {"TRACKER_ARCHIVE_URL": url, "TRACKER_STATE_DIR": str(folder)}
    with serving(redis_url, NAMESPACE, folder / "server.log", more) as server:
        yield server


def names(page: Page) -> list[str]:
    return page.locator("tbody .cell-name").all_inner_texts()


def test_names_stand_side_by_side_and_can_be_sorted(server: Server, page: Page) -> None:
    """By any column, and the order stands in the address."""
    page.goto(f"{server.url}statistics")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(3)
    assert names(page) == ["often", "slow <b>", "broken"]
    expect(rows.first.locator("td")).to_have_text(
        ["90", "89 %", re.compile(r"3\.\d s"), re.compile(r"[45]\.\d s"), "4.5", ""]
    )
    page.get_by_role("button", name="Half within").click()
    expect(rows.first).to_contain_text("slow")
    heading = page.get_by_role("columnheader", name="Half within")
    expect(heading).to_have_attribute("aria-sort", "descending")
    page.get_by_role("button", name="Half within").click()
    expect(heading).to_have_attribute("aria-sort", "ascending")
    expect(rows.first).to_contain_text("broken")
    page.reload()
    expect(rows.first).to_contain_text("broken")
    page.get_by_label("Filter by name").fill("OFT")
    expect(rows).to_have_count(1)


def test_what_ran_before_the_days_that_are_shown_does_not_count(server: Server, page: Page) -> None:
    """Until more days are asked for."""
    page.goto(f"{server.url}statistics")
    broken = page.locator("tbody tr", has_text="broken")
    expect(broken.locator("td").first).to_have_text("0")
    page.get_by_role("button", name="90 days").click()
    expect(broken.locator("td").first).to_have_text("3")
    expect(broken.locator("td").nth(1)).to_have_text("0 %")
    assert page.url.endswith("?days=90")


def test_one_name_is_told_in_figures_steps_and_days(server: Server, page: Page) -> None:
    """How runs ended, how long they take, which step is slow, and where they fail."""
    page.goto(f"{server.url}statistics")
    page.get_by_role("link", name="often").click()
    expect(page.get_by_role("heading", name="often")).to_be_visible()
    figures = page.locator(".figure")
    expect(figures).to_have_text(
        [
            re.compile("Runs in 30 days *90.*10 error"),
            re.compile("Success *89 % *80 complete"),
            re.compile("Per day *4.5"),
            re.compile(r"Half within *3\.\d s *of 80 complete"),
            re.compile(r"95 % within *[45]\.\d s"),
            re.compile(r"Slowest step *1\.\d s *Write"),
            re.compile("Fails most at *10 *Write"),
        ]
    )
    steps = page.locator(".usual tbody tr")
    expect(steps.nth(0)).to_contain_text("Read")
    expect(steps.nth(1).locator("td").last).to_have_text("10")
    page.get_by_text("Days as a table").click()
    days = page.locator(".day-fold tbody tr")
    expect(days).to_have_count(20)
    expect(days.first.locator("td")).to_have_text(["5", "4", "1", "0", "0", re.compile("s$"), re.compile("s$")])
    page.get_by_role("link", name="Operations of this name").click()
    expect(page.locator(".row")).to_have_count(90)
    assert page.url.endswith("/history?name=often")


INK = """() => [...document.querySelectorAll('.chart canvas')].map((canvas) => {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let sum = 0;
  for (let at = 0; at < data.length; at += 4) {
    if (data[at + 3]) sum += data[at] * 7 + data[at + 1] * 5 + data[at + 2] * 3;
  }
  return sum;
})"""
"""What is drawn in each chart, as a number."""


def test_charts_are_drawn_in_the_colours_of_the_page(server: Server, page: Page) -> None:
    """Anew when these change, as wide as there is room, and the pointer is told in words."""
    page.goto(f"{server.url}statistics?name=often")
    charts = page.locator(".chart canvas")
    expect(charts).to_have_count(2)
    light = page.evaluate(INK)
    assert all(light)
    page.emulate_media(color_scheme="dark")
    expect(charts).to_have_count(2)
    page.wait_for_function(f"(before) => ({INK})().every((sum, at) => sum && sum !== before[at])", arg=light)
    page.set_viewport_size({"width": 390, "height": 800})
    page.wait_for_function("() => document.documentElement.scrollWidth <= innerWidth")
    pointed = page.locator(".pointed").first
    expect(pointed).to_contain_text("(today): 5 runs, 1 error")
    page.locator(".chart").first.hover(position={"x": 200, "y": 60})
    expect(pointed).not_to_contain_text("today")
    for chart in page.get_by_role("img").all():
        assert "the numbers are in the table" in (chart.get_attribute("aria-label") or "")


def test_the_library_of_charts_is_loaded_for_a_chart_only(server: Server, page: Page) -> None:
    """It is half as large as all other code."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{server.url}statistics")
    expect(page.locator("tbody tr")).to_have_count(3)
    assert not any("uplot.js" in url for url in asked)
    page.get_by_role("link", name="often").click()
    expect(page.locator(".chart canvas")).to_have_count(2)
    assert sum("uplot.js" in url for url in asked) == 1


def test_a_name_of_which_nothing_has_ended_says_so(server: Server, page: Page) -> None:
    """Instead of figures of nothing."""
    page.goto(f"{server.url}statistics?name=unknown")
    expect(page.get_by_role("heading", name="Nothing has ended yet")).to_be_visible()
    page.get_by_role("link", name="All names").click()
    expect(page.locator("tbody tr")).to_have_count(3)


@pytest.mark.usefixtures("own_clock")
def test_what_was_read_stays_with_its_time_when_the_server_is_gone(server: Server, lenient: Page) -> None:
    """A page that cannot be read at all says that, and can be read again."""
    lenient.clock.install()
    lenient.route("**/api/v1/stats?*", lambda route: route.abort())
    lenient.goto(f"{server.url}statistics")
    expect(lenient.get_by_role("alert")).to_contain_text("the server does not answer")
    lenient.unroute("**/api/v1/stats?*")
    lenient.get_by_role("button", name="Try again").click()
    expect(lenient.locator("tbody tr")).to_have_count(3)
    lenient.route("**/api/v1/stats?*", lambda route: route.abort())
    lenient.clock.run_for(65_000)
    expect(lenient.locator(".as-of")).to_contain_text(re.compile(r"As of \d\d:\d\d:\d\d: the server does not answer"))
    expect(lenient.locator("tbody tr")).to_have_count(3)
