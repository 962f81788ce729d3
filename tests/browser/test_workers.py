"""The page of workers: who is there, what each runs, and who has not been heard of."""

from __future__ import annotations

import re

import pytest
from msgspec.structs import replace
from playwright.sync_api import Page, expect

from tests.store.making import NOW, by, ended, lease, started, step_event
from tests.web.client import Server
from tracker.clock import now
from tracker.store import About, Lease, Store

pytestmark = pytest.mark.browser


def leased(process: str, about: About, *runs: str) -> Lease:
    return replace(lease(process, *runs), about=about)


def silent_for(store: Store, process: str, seconds: float) -> None:
    """The process was last heard of so long ago."""
    store.client.redis.hset(store.keys.lease(process), "seen", repr(now() - seconds))


def test_what_each_process_runs_is_told_with_its_step(server: Server, store: Store, page: Page) -> None:
    """And leads there; the next look shows what it is at then."""
    store.append([by("p", started("a")), by("p", started("b", "rb")), lease("p", "r1", "rb")])
    page.goto(f"{server.url}workers")
    host = page.get_by_role("region", name="node-1")
    expect(host).to_contain_text("2 runs, 1 process")
    expect(host).to_contain_text("process 4711")
    expect(host.locator(".worker-runs li")).to_have_text([re.compile("A title.*no step yet")] * 2)
    store.append([by("p", step_event("a", 2, index=3))])
    expect(host.locator(".worker-runs li").first).to_contain_text("Step 3")
    store.append([by("p", ended("b", run="rb")), lease("p", "r1")])
    expect(host.locator(".worker-runs li")).to_have_count(1)
    host.get_by_role("link", name="A title").click()
    expect(page).to_have_url(re.compile("/operations/a$"))


def test_workers_that_wait_are_told_with_queues_and_jobs(server: Server, store: Store, page: Page) -> None:
    """So that one sees why a job waits."""
    page.goto(f"{server.url}workers")
    worker = page.locator(".worker")
    expect(worker).to_have_count(1)
    expect(worker).to_contain_text("waits")
    expect(worker).to_contain_text(f"queue queue-{store.keys.namespace}")
    worker.get_by_text("1 job").click()
    expect(worker.locator(".labels li")).to_have_text(["copy"])


def test_a_silent_process_is_told_in_a_word_where_it_stands(server: Server, store: Store, page: Page) -> None:
    """Its time grows, nothing moves, and life takes it back."""
    store.append([by("p", started("a")), lease("p", "r1"), by("q", started("b", "rb"))])
    store.append([leased("q", About("node-1", 4712, NOW), "rb")])
    page.goto(f"{server.url}workers")
    states = page.get_by_role("region", name="node-1").locator(".worker > .status")
    expect(states).to_have_text(["works", "works"])
    silent_for(store, "p", 100)
    expect(states).to_have_text(["unresponsive", "works"])
    silent_for(store, "p", 1000)
    expect(states).to_have_text(["lost", "works"])
    expect(page.get_by_role("region", name="node-1")).to_contain_text("1 silent1 run, 2 processes")
    expect(page.locator(".worker-heard").nth(1)).to_contain_text("16 m ago")
    page.get_by_role("button", name="silent 1").click()
    expect(states).to_have_text(["lost"])
    store.append([lease("p", "r1")])
    expect(page.get_by_role("heading", name="Nothing matches")).to_be_visible()
    page.get_by_role("button", name="Show all workers").click()
    expect(states).to_have_text(["works", "works"])


def test_what_is_odd_about_a_process_is_told(server: Server, store: Store, page: Page) -> None:
    """A clock that is off by more than 2 s, what waits on its disk, what it could not store; and its release."""
    store.append([by("p", started("a")), by("q", started("b", "rb"))])
    store.append([leased("p", About("node-1", 1, NOW, "1.2", 3.5, 20480, 2), "r1")])
    store.append([leased("q", About("node-2", 2, NOW, "", -1.9), "rb")])
    page.goto(f"{server.url}workers")
    odd = page.get_by_role("region", name="node-1").locator(".tag")
    expect(odd).to_have_text(["clock 3.5 s behind", "20 KiB wait on its disk", "2 ends not stored", "1.2"])
    expect(page.get_by_role("region", name="node-2").locator(".tag")).to_have_count(0)


def test_without_workers_it_says_what_to_start(server: Server, store: Store, page: Page) -> None:
    """And shows the first one by itself."""
    store.withdraw_worker("alive")
    page.goto(f"{server.url}workers")
    expect(page.get_by_role("heading", name="No worker is running")).to_be_visible()
    expect(page.locator(".quiet pre")).to_contain_text("tracker worker")
    store.append([by("p", started("a")), lease("p", "r1")])
    expect(page.get_by_role("region", name="node-1")).to_be_visible()


def test_what_was_read_stays_with_its_time_when_the_server_is_gone(server: Server, store: Store, lenient: Page) -> None:
    """Until it answers again."""
    lenient.goto(f"{server.url}workers")
    expect(lenient.locator(".worker")).to_have_count(1)
    lenient.route("**/api/v1/workers", lambda route: route.abort())
    expect(lenient.locator(".as-of")).to_contain_text(re.compile(r"As of \d\d:\d\d:\d\d: the server does not answer"))
    expect(lenient.locator(".worker")).to_have_count(1)
    lenient.unroute("**/api/v1/workers")
    expect(lenient.locator(".as-of")).to_be_hidden()


def test_two_hundred_hosts_are_in_order_and_can_be_searched(server: Server, store: Store, page: Page) -> None:
    """By host, queue, job, release or what they run."""
    store.withdraw_worker("alive")
    for number in range(200):
        store.append([by(f"p{number}", started(f"o{number}", f"r{number}"))])
        store.append([leased(f"p{number}", About(f"node-{number:03}", 1, NOW, f"r{number % 2}"), f"r{number}")])
    page.goto(f"{server.url}workers")
    hosts = page.locator(".host h2")
    expect(hosts).to_have_text([f"node-{number:03}" for number in range(200)])
    expect(page.locator(".sum-line")).to_have_text("200 hosts, 200 runs")
    page.keyboard.press("/")
    page.keyboard.type("NODE-01 r1")
    expect(hosts).to_have_text([f"node-{number:03}" for number in (11, 13, 15, 17, 19)])
    assert page.url.endswith("?q=NODE-01+r1")
