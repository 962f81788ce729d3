"""One server for these tests, emptied for each, and the modules of the page served without a server of ours."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from werkzeug.serving import make_server

from tests.browsing import browser, context, lenient, own_clock, page, shared_context
from tests.web.client import Server
from tests.web.conftest import SCHEMA, guarded, queue_of, shared_namespace, shared_server, store
from tracker.settings import Settings
from tracker.store import JobInfo, Store
from web.app import create_app

__all__ = [
    "browser",
    "context",
    "guarded",
    "lenient",
    "own_clock",
    "page",
    "shared_context",
    "shared_namespace",
    "shared_server",
    "store",
]
"""Fixtures of the web tests and of all that drive a browser that are those of these, too."""

Script = Callable[[str], Any]

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


@pytest.fixture(scope="module")
def script(request: pytest.FixtureRequest, browser: Browser, modules: str) -> Iterator[Script]:
    """Runs the body of a function behind the ``PRELUDE`` of the test's module, and gives what it returns."""
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{modules}/jsconfig.json")
        yield lambda body: page.evaluate(f"async () => {{ {request.module.PRELUDE} {body} }}")


@contextmanager
def unrecorded(settings: Settings) -> Iterator[str]:
    """The address of the application under a server that runs no recorder beside it."""
    app = create_app(settings)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}/"
    app.extensions["tracker"].hub.stopping.set()
    server.shutdown()
    thread.join()
    server.server_close()
    # What a process leaves open its end closes; this one goes on.
    app.extensions["tracker"].history._archive.close()


@pytest.fixture
def server(shared_server: Server, store: Store) -> Server:
    """The server, with a live worker that runs the job ``copy``."""
    store.publish_jobs("alive", [JobInfo("copy", SCHEMA, queue_of(store.keys.namespace))])
    return shared_server
