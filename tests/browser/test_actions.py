"""Cancel, resume and rerun on the page of an operation."""

from __future__ import annotations

import msgspec
import pytest
from playwright.sync_api import Page, expect

from tests.store.making import NOW, batch_of, blob, ended, head, queued, started
from tests.web.client import Server
from tracker.model import Status, StepState, StepStatus
from tracker.store import QueueItem, Store


def a_job(id: str, *, whole: bool = True) -> QueueItem:
    part = msgspec.structs.replace(queued(id, name="copy").part, args={"path": "a"}, whole=whole)
    return QueueItem(id, part)


@pytest.mark.browser
def test_a_failed_operation_is_resumed_and_cancelled_from_its_page(server: Server, store: Store, page: Page) -> None:
    """What will be reused is said; cancelling asks once; and each button is there only where it makes sense."""
    store.append([a_job("a"), started("a"), ended("a", Status.ERROR)])
    page.goto(f"{server.url}operations/a")
    buttons = page.locator(".actions button")
    expect(buttons).to_have_text(["Resume", "Run again"])
    page.get_by_role("button", name="Resume").click()
    expect(page.locator(".badge")).to_have_text("queued")
    expect(page.locator(".said")).to_have_text("nothing can be reused, so every step runs")
    expect(page.locator(".badges")).to_contain_text("after attempt 1")
    expect(page.locator(".attempts li .status")).to_have_text(["error"])
    expect(buttons).to_have_text(["Cancel"])
    buttons.click()
    expect(buttons).to_have_text(["Cancel it", "Keep it"])
    assert store.status("a") is Status.QUEUED
    page.keyboard.press("Escape")
    expect(buttons).to_have_text(["Cancel"])
    buttons.press("Enter")
    expect(buttons.first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".badge")).to_have_text("cancelled")
    expect(buttons).to_have_text(["Resume", "Run again"])
    page.get_by_role("button", name="Run again").click()
    expect(page.locator(".badge")).to_have_text("queued")
    store.append([started("a", "r2"), ended("a", run="r2")])
    expect(page.locator(".badge")).to_have_text("complete")
    expect(buttons).to_have_text(["Run again"])


@pytest.mark.browser
def test_a_refusal_is_told_with_its_reason(server: Server, store: Store, lenient: Page) -> None:
    """And what nobody here could start again has no button for it. The browser itself complains about a refusal."""
    store.append([a_job("a", whole=False), started("a"), ended("a", Status.ERROR)])
    lenient.goto(f"{server.url}operations/a")
    with lenient.expect_response("**/resume") as answered:
        lenient.get_by_role("button", name="Resume").click()
    assert answered.value.status == 409
    expect(lenient.locator(".said.failed")).to_contain_text("masked or cut")
    store.append([started("script", "rs"), ended("script", Status.ERROR, "rs")])
    lenient.goto(f"{server.url}operations/script")
    expect(lenient.locator(".badge")).to_have_text("error")
    expect(lenient.locator(".actions button")).to_have_count(0)


@pytest.mark.browser
def test_a_batch_that_runs_is_cancelled_with_its_children(server: Server, store: Store, page: Page) -> None:
    """And shows that it was asked, until all of them have ended."""
    first, _ = batch_of(store, 2)
    store.append([started("b", "rb"), started(first, "r1", "b")])
    page.goto(f"{server.url}operations/b")
    buttons = page.locator(".actions button")
    expect(buttons).to_have_text(["Cancel the rest (2)"])
    buttons.click()
    expect(buttons).to_have_text(["Cancel them", "Stop its process", "Keep them"])
    buttons.first.click()
    expect(page.locator(".badges")).to_contain_text("cancel requested")
    expect(buttons).to_have_text(["Stop…"])
    buttons.click()
    with page.expect_response("**/cancel") as answered:
        page.get_by_role("button", name="Stop its process").click()
    assert answered.value.request.post_data_json == {"terminate": True}
    store.append([ended(first, Status.CANCELLED, "r1", parent="b")])
    expect(page.locator(".badge")).to_have_text("cancelled")
    expect(buttons).to_have_text(["Resume 2 not complete"])


@pytest.mark.browser
def test_what_resuming_would_do_is_told_before_the_click(server: Server, store: Store, page: Page) -> None:
    """By what is kept, or the reason for which it would be refused."""
    step = StepState(1, "Read", StepStatus.COMPLETE, NOW, 1.0)
    kept = msgspec.structs.replace(head("r1"), total=2)
    store.append([a_job("a"), a_job("masked", whole=False), started("masked"), ended("masked", Status.ERROR)])
    store.append([msgspec.structs.replace(blob("a", kept, steps=[step]), results=[("Read\n1", b'""\n5')])])
    store.append(
        [blob("a", head("r1", Status.ERROR), seq=2, steps=[StepState(2, "Write", StepStatus.ERROR, NOW, 1.0)])]
    )
    said = page.locator(".actions .said")
    page.goto(f"{server.url}operations/a")
    expect(said).to_have_text("resumes at step 2 (Write), 1 reused")
    page.goto(f"{server.url}operations/masked")
    expect(said).to_contain_text("Cannot be resumed: its arguments are not known as they were given")
