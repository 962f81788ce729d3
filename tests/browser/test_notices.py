"""What the page says of all its answers, until somebody mends it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import unrecorded
from tests.store.making import ended, started
from tracker.archive import Archive
from tracker.history import archiving
from tracker.history.recorder import Recorder
from tracker.settings import Settings
from tracker.store import Store

AWHILE = 25_000
"""Milliseconds after which the page has asked again."""


@pytest.fixture
def settings(redis_url: str, namespace: str, tmp_path: Path) -> Settings:
    return Settings(redis_url, namespace=namespace, archive_url=f"sqlite:///{tmp_path}/read.sqlite3")


@pytest.fixture
def url(settings: Settings) -> Iterator[str]:
    with unrecorded(settings) as url:
        yield url


@pytest.mark.browser
@pytest.mark.usefixtures("own_clock")
def test_the_page_says_that_nobody_records_and_where_the_archive_is(
    url: str, settings: Settings, page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within half a minute, without a reload, and no longer once it is mended."""
    monkeypatch.setattr(archiving, "QUIET", 0.0)
    store = Store.of(settings)
    store.append([started("a"), ended("a")])
    standing = page.locator(".standing")
    page.clock.install()
    page.goto(url)
    expect(standing).to_contain_text("No recorder is active, so silent runs are not judged and nothing is archived")
    with closing(Archive(settings.archive, settings.namespace)) as archive:
        Recorder(store, archive).turn()
    page.clock.run_for(AWHILE)
    expect(standing).to_be_hidden()
    store.client.redis.delete(store.keys.recorder)
    with closing(Archive(f"sqlite:///{tmp_path}/other.sqlite3", settings.namespace)) as elsewhere:
        Recorder(store, elsewhere).turn()
    page.clock.run_for(AWHILE)
    expect(standing).to_contain_text(f"Finished operations are kept in {tmp_path}/other.sqlite3 on ")
    store.client.disconnect()
