"""The page of one operation: its steps and when they ran, its log, its failures, and what is known of it beside."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.archive.making import record, run
from tests.store.making import batch_of, blob, ended, queued, started
from tests.web.client import Server
from tracker.archive import Archive
from tracker.model import Error, Event, LogLine, RunPart, Status, StepState, StepStatus, Worker
from tracker.settings import Settings
from tracker.store import QueueItem, RunBlob, Store

HOSTILE = "<img src=x onerror=\"document.title='pwned'\"> \u202eevil\x07"


def part(
    run: str = "r1", status: Status = Status.RUNNING, *, ago: float = 10.0, took: float = 0.0, **more: Any
) -> RunPart:
    """What a run says of itself that began some seconds ago."""
    began = time.time() - ago
    end = None if status is Status.RUNNING else began + took
    fields = {"worker": Worker("node-1", 7)} | more
    return RunPart(run, "job", "A title", began, began, status, ended=end, duration=took if end else None, **fields)


def runs(store: Store, id: str, head: RunPart, *steps: StepState, seq: int = 1, parent: str = "") -> None:
    """Store how a run stands, with steps."""
    store.append([blob(id, head, seq=seq, parent=parent, steps=steps)])


def step(index: int, name: str, *, ago: float, took: float | None = None, **more: Any) -> StepState:
    status = StepStatus.RUNNING if took is None else StepStatus.COMPLETE
    return StepState(index, name, more.pop("status", status), time.time() - ago, took, **more)


def lines(store: Store, id: str, first: int, texts: Sequence[str], *, step: int = 0, level: str = "") -> None:
    """The next log lines of a run that has told ``first - 1`` events, as many of them lines as this test stored."""
    made = [LogLine(first + place - 1, time.time(), text, step, level) for place, text in enumerate(texts)]
    events = [Event("step.log", id, line.ts, "r1", line.number + 1, log=line) for line in made]
    store.append([RunBlob(id, "r1", events, "", time.time(), None)])


@pytest.mark.browser
def test_a_step_that_is_clearly_slower_than_usual_says_so(server: Server, store: Store, page: Page) -> None:
    """Against what its last successes took, which are marked on the bar of every step that has been seen before."""
    archive = Archive(Settings.from_env().archive, store.keys.namespace)
    usual = [StepState(n, name, StepStatus.COMPLETE, 1.0, 0.4) for n, name in ((1, "Fetch"), (2, "Load"))]
    archive.write([record(f"old{n}", run(f"o{n}"), steps={each.index: each for each in usual}) for n in range(9)])
    archive.close()
    runs(store, "a", part(), step(1, "Fetch", ago=9, took=0.41), step(2, "Load", ago=8), step(3, "New", ago=1))
    page.goto(f"{server.url}operations/a")
    expect(page.locator(".steps .tag-warn")).to_have_text(["slow: usual 0.40 s"])
    expect(page.locator(".step", has_text="Load").locator(".tag-warn")).to_be_visible()
    expect(page.locator(".step", has_text="Fetch").locator(".mark-usual")).to_have_count(2)
    expect(page.locator(".step", has_text="New").locator(".mark-usual")).to_have_count(0)


@pytest.mark.browser
def test_the_timeline_shows_what_ran_when_and_nothing_that_is_not_known(
    server: Server, store: Store, page: Page
) -> None:
    """One axis for steps and children; what takes no time is seen, what runs grows, what has not begun has no bar."""
    pending = StepState(4, "Later", StepStatus.PENDING)
    took = [step(1, "First", ago=60, took=15), step(2, "Blink", ago=45, took=0), step(3, "Now", ago=30), pending]
    runs(store, "a", part(ago=60), *took)
    failed = part("r2", Status.ERROR, ago=30, took=15, parent="a", worker=Worker("node-2", 8))
    runs(store, "child", failed, step(1, "Inner", ago=30, took=15), parent="a")
    page.goto(f"{server.url}operations/a")
    rows = page.locator(".timeline .span")
    expect(rows).to_have_count(5)
    widths = rows.locator(".span-bar").evaluate_all("bars => bars.map(bar => bar.getBoundingClientRect())")
    first, blink, now, child = widths
    assert abs(first["width"] - child["width"]) <= first["width"] / 10
    assert 2 <= blink["width"] <= 6
    assert abs(now["left"] - child["left"]) <= first["width"] / 10
    expect(rows.nth(3).locator(".span-bar")).to_have_count(0)
    expect(rows.nth(4)).to_contain_text("A title")
    running = rows.nth(2).locator(".span-time")
    expect(running).not_to_have_text(running.inner_text())
    words = page.locator(".timeline").aria_snapshot()
    assert "complete, from" in words
    page.get_by_role("button", name="What is inside A title").click()
    expect(rows.nth(5)).to_contain_text("1 Inner")
    expect(page.locator(".span-host")).to_have_count(0)
    runs(store, "other", part("r3", ago=20, parent="a"), parent="a")
    expect(page.locator(".span-host")).to_have_text(["node-2", "node-1"])


@pytest.mark.browser
def test_earlier_attempts_are_lanes_on_the_same_axis(server: Server, store: Store, page: Page) -> None:
    """With their steps one after the other, unless the axis would be mostly empty; then on demand."""
    for number, ago in ((1, 3000), (2, 40)):
        head = part(f"r{number}", Status.ERROR, ago=ago, took=10)
        runs(store, "a", head, step(1, "Read", ago=ago, took=4), step(2, "Write", ago=ago - 4, took=6))
    runs(store, "a", part("r3", ago=20), step(1, "Read", ago=20, took=4), step(2, "Write", ago=16))
    page.goto(f"{server.url}operations/a")
    labels = page.locator(".timeline .span-label")
    expect(labels).to_have_text(["1 Read", "2 Write"])
    page.get_by_role("button", name="other attempts").click()
    expect(labels).to_have_text(["Attempt 1", "Attempt 2", "1 Read", "2 Write"])
    expect(page.locator(".span", has_text="Attempt 1").locator(".span-bar")).to_have_count(2)


@pytest.mark.browser
def test_of_very_many_children_those_that_matter_are_drawn(server: Server, store: Store, page: Page) -> None:
    """At most 200 rows, failures first, and it is said that there are more."""
    ids = batch_of(store, 250, "b")
    runs(store, "b", part("rb", ago=100), *(step(n, f"Part {n}", ago=100, took=0.1) for n in range(1, 21)))
    kinds = [Status.ERROR if number == 120 else Status.COMPLETE for number in range(250)]
    heads = [part(f"r{number}", kind, ago=100 - number / 5, took=0.1) for number, kind in enumerate(kinds)]
    store.append([blob(child, head, parent="b") for child, head in zip(ids, heads, strict=True)])
    page.goto(f"{server.url}operations/b")
    rows = page.locator(".timeline .span")
    expect(rows).to_have_count(200)
    expect(rows.nth(20)).to_have_class("span is-error")
    expect(page.locator(".timeline .note")).to_contain_text("200 rows for 20 steps and 250 children")


@pytest.mark.browser
def test_the_log_is_followed_until_somebody_scrolls_up(server: Server, store: Store, page: Page) -> None:
    """Lines that come too fast to be told one by one are read, so none is missing; text of others stays text."""
    runs(store, "a", part(), step(1, "Read", ago=5))
    page.goto(f"{server.url}operations/a")
    expect(page.locator(".lines")).to_contain_text("No line yet")
    lines(store, "a", 2, [HOSTILE, *(f"line {n}" for n in range(2, 31))], step=1)
    texts = page.locator(".line-text")
    expect(texts).to_have_count(30)
    expect(texts.first).to_have_text("<img src=x onerror=\"document.title='pwned'\"> evil")
    lines(store, "a", 32, [f"line {n}" for n in range(31, 251)])
    expect(texts).to_have_count(250)
    expect(texts.last).to_be_in_viewport()
    box, follow = page.locator(".lines"), page.get_by_role("button", name="follow")
    box.hover()
    page.mouse.wheel(0, -600)
    expect(follow).to_have_attribute("aria-pressed", "false")
    lines(store, "a", 252, ["the last"], level="warning")
    expect(texts).to_have_count(251)
    expect(texts.last).not_to_be_in_viewport()
    follow.click()
    expect(texts.last).to_be_in_viewport()
    page.get_by_role("button", name="warnings only").click()
    expect(texts).to_have_text(["warning the last"])
    page.get_by_role("button", name="warnings only").click()
    page.get_by_label("Lines of step").select_option("1 Read")
    expect(texts).to_have_count(30)
    store.append([ended("a", seq=253)])
    expect(page.locator(".badge")).to_have_text("complete")
    assert "pwned" not in page.title()


@pytest.mark.browser
def test_a_long_log_is_drawn_in_parts_and_says_what_is_gone(server: Server, store: Store, page: Page) -> None:
    """The server keeps the last thousand lines; older ones of these are drawn on demand."""
    runs(store, "a", part())
    for first in range(2, 1102, 100):
        lines(store, "a", first, [f"line {n}" for n in range(first - 1, first + 99)])
    store.append([ended("a", Status.ERROR, seq=1102)])
    page.goto(f"{server.url}operations/a")
    texts = page.locator(".line-text")
    expect(texts).to_have_count(400)
    for count in (800, 1000):
        page.get_by_role("button", name="Show older lines").click()
        expect(texts).to_have_count(count)
    expect(page.locator(".lines .missing")).to_have_text("100 lines are not kept")
    expect(texts.first).to_have_text("line 101")


@pytest.mark.browser
def test_what_failed_can_be_copied_whole(server: Server, store: Store, page: Page) -> None:
    """As text with the path, the message, the last lines and the traceback; and so can the id and the address."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    error = Error("ValueError", HOSTILE, ["A title", "Parse"], "Traceback: here", 1, ["row 7", "row 8"])
    failed = step(1, "Parse", ago=5, took=1, status=StepStatus.ERROR)
    runs(store, "a", part(status=Status.ERROR, took=5, error=error, release="1.4", app="shop"), failed)
    page.goto(f"{server.url}operations/a")
    page.get_by_role("button", name="Copy the error as text").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    for text in ("A title › Parse", "ValueError: <img src=x", "row 7\nrow 8", "Traceback: here", "(a, attempt 1)"):
        assert text in copied
    page.get_by_role("button", name="copy link to this page").click()
    assert page.evaluate("navigator.clipboard.readText()") == f"{server.url}operations/a"
    page.get_by_role("button", name="Copy id").click()
    assert page.evaluate("navigator.clipboard.readText()") == "a"
    facts = page.locator(".facts")
    for text in ("Release", "1.4", "App", "shop", "node-1"):
        expect(facts).to_contain_text(text)


@pytest.mark.browser
def test_the_stored_events_are_read_on_demand(server: Server, store: Store, page: Page) -> None:
    """With their numbers and all they hold, and those that come later behind the same place."""
    runs(store, "told", part(), step(1, HOSTILE, ago=5))
    page.goto(f"{server.url}operations/told")
    panel = page.locator(".events")
    expect(panel.locator("li")).to_have_count(0)
    panel.get_by_text("Events").click()
    expect(panel.locator(".event-type")).to_have_text(["operation.start"])
    panel.locator("li summary").click()
    shown = json.loads(panel.locator("li pre").inner_text())
    assert (shown["operation"], shown["run"], shown["head"]["title"]) == ("told", "r1", "A title")
    store.append([ended("told")])
    panel.get_by_role("button", name="Look for newer ones").click()
    expect(panel.locator(".event-type")).to_have_text(["operation.start", "operation.complete"])
    panel.get_by_role("button", name="Look for newer ones").click()
    expect(panel.get_by_role("status")).to_have_text("Nothing newer.")


@pytest.mark.browser
def test_events_that_are_gone_are_said_to_be(server: Server, store: Store, lenient: Page) -> None:
    """And reading goes on behind them. The browser itself complains about the refusal."""
    runs(store, "gone", part())
    store.append([started("b", "r2")])
    store.client.redis.xtrim(store.keys.feed, 1, approximate=False)
    lenient.goto(f"{server.url}operations/gone")
    panel = lenient.locator(".events")
    panel.get_by_text("Events").click()
    expect(panel.get_by_role("status")).to_contain_text("no longer held")
    store.append([ended("gone")])
    panel.get_by_role("button", name="Look for newer ones").click()
    expect(panel.locator(".event-type")).to_have_text(["operation.complete"])


@pytest.mark.browser
def test_failures_of_a_batch_are_grouped_by_their_cause(server: Server, store: Store, page: Page) -> None:
    """With how many each hit, and links to some of them; as they come."""
    ids = batch_of(store, 6, "b")
    store.append([started("b", "rb")])
    fail = lambda child, text: runs(  # noqa: E731
        store, child, part(f"run-{child}", Status.ERROR, took=1, error=Error("Missing", text)), parent="b"
    )
    for child in ids[:4]:
        fail(child, f"no file {child[2:]}.txt")
    page.goto(f"{server.url}operations/b")
    causes = page.locator(".failures li")
    expect(causes).to_have_count(1)
    expect(causes).to_contain_text("Missing: no file ….txt")
    expect(causes.locator("b").first).to_have_text("4")
    expect(causes.locator("a")).to_have_count(3)
    fail(ids[4], "disk full")
    expect(causes).to_have_count(2)
    expect(page.locator(".actions button")).to_have_text(["Cancel the rest (1)"])
    causes.first.get_by_role("link").first.click()
    expect(page.locator(".message")).to_have_text("Missing: no file 1.txt")


@pytest.mark.browser
def test_nothing_of_a_huge_operation_leaves_a_narrow_screen(server: Server, store: Store, page: Page) -> None:
    """300 steps, names of 200 characters, an error of 8 KiB and lines of 2 KiB."""
    steps = [step(n, f"{n} " + "e" * 190, ago=300 - n, took=0.5) for n in range(1, 301)]
    failed = part(status=Status.ERROR, took=5, error=Error("E" * 200, "m" * 8192, ["t" * 200], "x" * 8192, 300))
    labels = {f"{n}" * 200: "v" * 200 for n in range(8)}
    store.append([QueueItem("a", queued("a", name="n" * 200).part)])
    runs(store, "a", part(labels=labels), *steps)
    lines(store, "a", 2, ["l" * 2048] * 20)
    runs(store, "a", failed, seq=22)
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(f"{server.url}operations/a")
    expect(page.locator(".line-text")).to_have_count(20)
    expect(page.locator(".step")).to_have_count(300)
    expect(page.locator(".timeline .note")).to_contain_text("200 rows for 300 steps")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate("document.documentElement.scrollHeight") < 6000


@pytest.mark.browser
def test_an_operation_that_cannot_be_read_says_what_of_it_and_what_to_do(
    server: Server, store: Store, page: Page
) -> None:
    """Instead of nothing; the list shows the others, and a link leads there."""
    runs(store, "bad", part(), step(1, "Fetch", ago=9))
    runs(store, "good", part("r2"), step(1, "Fetch", ago=9))
    store.client.redis.hset(store.keys.operation("bad"), "step:r1:1", b"<img src=x onerror=alert(1)>")
    page.goto(f"{server.url}operations/bad")
    expect(page.get_by_role("heading", level=1)).to_have_text("This operation cannot be read")
    expect(page.get_by_role("alert")).to_contain_text("its step:r1:1 makes no sense")
    expect(page.get_by_role("alert")).to_contain_text("tracker doctor says what to do.")
    page.get_by_role("link", name="All operations").click()
    expect(page.locator('a[href$="/operations/good"]').first).to_be_visible()
