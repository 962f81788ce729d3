"""Queueing work in the browser: a form for each job, and batches from a list."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
from msgspec import Meta
from playwright.sync_api import Page, expect

from tests.support import wait_for
from tests.web.client import Server
from tests.web.conftest import messages_in, queue_of
from tracker.celery.schema import schema_of
from tracker.store import JobInfo, Store

pytestmark = pytest.mark.browser


def prepare(
    tenant: str, token: str, copies: Annotated[int, Meta(ge=1, le=9)] = 1, tags: list[str] | None = None
) -> None:
    """A job with arguments of several kinds."""


@pytest.fixture(autouse=True)
def jobs(server: Server, store: Store) -> None:
    """A worker runs ``copy`` and ``prepare``; nobody runs ``idle`` any more."""
    queue = queue_of(store.keys.namespace)
    both = [JobInfo("copy", schema_of(copy), queue, description="Copy the file ``path``.")]
    both.append(JobInfo("prepare", schema_of(prepare), queue, release="r7"))
    store.publish_jobs("gone", [JobInfo("idle", schema_of(copy), queue)])
    store.withdraw_worker("gone")
    store.publish_jobs("alive", both)


def copy(path: Annotated[str, Meta(min_length=1)]) -> None:
    """A job with one argument."""


def test_a_job_is_queued_from_its_form(server: Server, store: Store, page: Page) -> None:
    """Its arguments have the types its schema asks for, and the operation is followed on the same page."""
    page.goto(f"{server.url}queue?job=prepare")
    expect(page.locator("#field-token")).to_have_attribute("type", "password")
    page.get_by_label("tenant").fill("acme")
    page.get_by_label("token").fill("s3cret")
    page.get_by_label("copies").fill("3")
    page.get_by_label("tags").fill("a\nb")
    page.get_by_label("Labels").fill("env=prod")
    page.get_by_role("button", name="Queue it").click()
    link = page.locator(".sent li a")
    expect(link).to_have_text("prepare acme … 3")
    expect(page.locator(".sent li .status")).to_have_text("queued")
    id = (link.get_attribute("href") or "").rsplit("/", 1)[-1]
    operation = store.operation(id)
    assert operation is not None
    assert operation.queue is not None
    assert operation.queue.labels == {"env": "prod"}
    assert operation.queue.args == {"tenant": "acme", "token": "…", "copies": 3, "tags": ["a", "b"]}
    assert messages_in(store) == 1


def test_what_is_wrong_is_told_at_its_field(server: Server, store: Store, page: Page) -> None:
    """Before anything is sent, and the first such field has the focus."""
    page.goto(f"{server.url}queue?job=copy")
    expect(page.locator(".panel code")).to_have_text("path")
    page.get_by_role("button", name="Queue it").click()
    expect(page.locator("#field-path-fault")).to_have_text("✗ is needed")
    expect(page.get_by_label("path")).to_be_focused()
    page.get_by_label("path").fill("x" * 5)
    expect(page.locator("#field-path-fault")).to_be_hidden()
    page.get_by_label("Labels").fill("prod")
    page.get_by_role("button", name="Queue it").click()
    expect(page.locator("#labels-fault")).to_contain_text("prod is no label")
    assert messages_in(store) == 0


def test_a_refusal_of_the_server_is_told_at_its_field(server: Server, store: Store, lenient: Page) -> None:
    """With the words of its schema."""
    lenient.goto(f"{server.url}queue?job=prepare")
    lenient.get_by_label("tenant").fill("acme")
    lenient.get_by_label("copies").fill("12")
    lenient.get_by_role("button", name="Queue it").click()
    expect(lenient.locator("#field-copies-fault")).to_contain_text("12 is greater than the maximum of 9")
    expect(lenient.get_by_label("copies")).to_be_focused()
    assert messages_in(store) == 0


def test_a_form_that_heard_no_answer_queues_once(server: Server, store: Store, lenient: Page) -> None:
    """What is sent again unchanged goes under the same key; what was answered gets a new one."""
    lenient.goto(f"{server.url}queue?job=copy")
    lenient.get_by_label("path").fill("a")
    lenient.route("**/api/v1/operations", lambda route: (route.fetch(), route.abort()), times=1)
    lenient.get_by_role("button", name="Queue it").click()
    expect(lenient.locator(".form-end .failed")).to_have_text("the server does not answer")
    lenient.get_by_role("button", name="Queue it").click()
    expect(lenient.locator(".sent li")).to_have_count(1)
    assert messages_in(store) == 1
    lenient.get_by_role("button", name="Queue it").click()
    expect(lenient.locator(".sent li")).to_have_count(2)
    assert messages_in(store) == 2


def test_a_batch_comes_from_a_pasted_list(server: Server, store: Store, page: Page) -> None:
    """What the list was taken for is said before it is sent, and lines that cannot be meant hold it back."""
    page.goto(f"{server.url}queue?job=prepare&many=1")
    page.get_by_label("Items").fill("tenant,token,copies\nacme,x,2\nzeta,y,many")
    expect(page.locator(".found")).to_contain_text("line 3: copies is no whole number")
    expect(page.get_by_role("button", name="Queue them")).to_have_attribute("aria-disabled", "true")
    page.get_by_label("Items").fill("tenant,token,copies\nacme,x,2\nzeta,y,")
    expect(page.locator(".found")).to_contain_text('2 items, read as CSV; the first is {"tenant":"acme"')
    page.get_by_label("Title").fill("Both tenants")
    page.get_by_role("button", name="Queue 2 items").click()
    expect(page.locator(".sent li a")).to_have_text("Both tenants")
    id = (page.locator(".sent li a").get_attribute("href") or "").rsplit("/", 1)[-1]
    wait_for(lambda: len(store.children(id).items) == 2)


def test_a_batch_comes_from_a_file(server: Server, store: Store, lenient: Page, tmp_path: Path) -> None:
    """And a line that the server refuses is named by its number in the file."""
    listed = tmp_path / "items.jsonl"
    listed.write_text('{"path": "a"}\n\n{"path": ""}\n')
    lenient.goto(f"{server.url}queue?job=copy&many=1")
    lenient.get_by_label("or a file").set_input_files(listed)
    lenient.get_by_role("button", name="Queue 2 items").click()
    expect(lenient.locator(".form-end .failed")).to_contain_text("line 3, path: ")
    assert store.operations().items == []


def test_jobs_without_a_worker_are_told(server: Server, store: Store, page: Page) -> None:
    """As is that there are none at all."""
    page.goto(f"{server.url}queue?job=idle")
    expect(page.locator(".job[aria-current]")).to_have_text("idle✗ no worker")
    expect(page.locator(".panel .failed.note")).to_contain_text("No worker runs this job now")
    for key in store.client.redis.scan_iter(f"tracker:{{{store.keys.namespace}}}:*job*"):
        store.client.redis.delete(key)
    page.reload()
    expect(page.locator(".quiet h2")).to_have_text("No job can be queued")
