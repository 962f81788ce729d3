"""A worker that is killed while somebody watches."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import unrecorded
from tests.support import Clock, wait_for
from tests.worker.conftest import System
from tracker.history.liveness import LOST_AFTER, UNRESPONSIVE_AFTER
from tracker.history.recorder import Recorder
from tracker.settings import Settings

pytestmark = pytest.mark.browser


@pytest.fixture
def url(redis_url: str, namespace: str, tmp_path: Path) -> Iterator[str]:
    address = f"sqlite:///{tmp_path}/archive.sqlite3"
    with unrecorded(Settings(redis_url, namespace=namespace, archive_url=address)) as url:
        yield url


def pipe_in(folder: Path) -> Path:
    """Where the job waits for somebody to open it."""
    return wait_for(lambda: next(folder.glob("pipe-*"), None), 40)


def test_a_killed_worker_is_seen_to_fall_silent_and_its_work_to_go_on_elsewhere(
    url: str, redis_url: str, namespace: str, page: Page, tmp_path: Path, clock: Clock
) -> None:
    """Unresponsive, then lost, then resumed by another worker: all on the page that was open from the start."""
    first = System(redis_url, namespace, tmp_path / "first.log")
    first.ready()
    id = first.queueing.submit("test.waits", {"folder": str(tmp_path)}, {})
    page.goto(f"{url}operations/{id}")
    expect(page.locator(".badge")).to_have_text("running", timeout=40_000)
    pid = int(pipe_in(tmp_path).name.removeprefix("pipe-"))
    wait_for(first.store.leases, 40)
    os.kill(first.process.pid, signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)
    first.process.wait(20)
    pipe_in(tmp_path).unlink()
    recorder = Recorder(first.store)
    recorder.turn()
    clock.pass_by(UNRESPONSIVE_AFTER, recorder.turn)
    expect(page.locator(".badges")).to_contain_text("unresponsive")
    expect(page.locator(".badge")).to_have_text("running")
    clock.pass_by(LOST_AFTER - UNRESPONSIVE_AFTER, recorder.turn)
    expect(page.locator(".badge")).to_have_text("lost")
    second = System(redis_url, namespace, tmp_path / "second.log")
    try:
        second.ready()
        page.get_by_role("button", name="Resume").click()
        expect(page.locator(".badge")).to_have_text("running", timeout=40_000)
        expect(page.locator(".attempts li")).to_have_count(2)
        pipe_in(tmp_path).open("w").close()
        expect(page.locator(".badge")).to_have_text("complete", timeout=40_000)
    finally:
        second.stop()
        first.store.client.disconnect()
