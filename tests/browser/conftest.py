"""One server for these tests, emptied for each, and the modules of the page served without a server of ours."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.web.client import Server
from tests.web.conftest import SCHEMA, queue_of, shared_namespace, shared_server, store
from tracker.store import JobInfo, Store

__all__ = ["shared_namespace", "shared_server", "store"]
"""Fixtures of the web tests that are those of these, too."""

STATIC = Path(__file__).resolve().parents[2] / "web" / "static"


class QuietFiles(http.server.SimpleHTTPRequestHandler):
    """Serves the modules and keeps silent about it."""

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def modules() -> Iterator[str]:
    """The URL of a plain file server over the static folder."""
    handler = functools.partial(QuietFiles, directory=str(STATIC))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
def lenient(browser: Browser) -> Iterator[Page]:
    """A page whose browser may complain on its console, as it does about every request that is refused."""
    page = browser.new_page(viewport={"width": 1280, "height": 1600})
    yield page
    page.close()


@pytest.fixture
def server(shared_server: Server, store: Store) -> Server:
    """The server, with a live worker that runs the job ``copy``."""
    store.publish_jobs("alive", [JobInfo("copy", SCHEMA, queue_of(store.keys.namespace))])
    return shared_server
