"""How long the lists people ask for take over an archive: at the read facade, and over HTTP from one web process.

``python -m benchmarks.lists 1000000`` loads that many operations; 100,000 without a number. All questions are asked in
turns, first alone and then while another process archives 2,000 operations a second.
"""

from __future__ import annotations

import http.client
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

from benchmarks.api import served
from benchmarks.archive import AT_ONCE, COUNT, NAMES, PACE, Ask, another_writer, ask_in_turns, bare
from tracker.archive import Archive
from tracker.embedded import ensure_server
from tracker.history import History
from tracker.process import settle_in
from tracker.store import Store

LISTS = {
    "newest 50": {},
    "status and name, 50": {"status": "error", "name": NAMES[10]},
    "name, 50": {"name": NAMES[11]},
}


def over_http(connection: http.client.HTTPConnection, asked: dict[str, str]) -> Ask:
    """The list as whoever asks the API gets it, on a connection that is kept."""
    address = f"/api/v1/operations?{urlencode({'limit': '50', **asked})}"

    def ask() -> bytes:
        connection.request("GET", address)
        answer = connection.getresponse()
        assert answer.status == 200, answer.status
        return answer.read()

    return ask


def at_facade(history: History, asked: dict[str, str]) -> Ask:
    def ask() -> object:
        page = history.operations(limit=50, **asked)  # type: ignore[arg-type]
        assert len(page.items) == 50
        return page

    return ask


def questions(history: History, connection: http.client.HTTPConnection) -> dict[str, Ask]:
    found: dict[str, Callable[[], object]] = {}
    for name, asked in LISTS.items():
        found[f"{name}: facade"] = at_facade(history, asked)
        found[f"{name}: HTTP"] = over_http(connection, asked)
    return found | {"durations of 1,000 runs: facade": lambda: history.stats(NAMES[11])}


def main(count: int = COUNT) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server, url = ensure_server(folder / "redis"), f"sqlite:///{folder / 'archive.sqlite3'}"
        archive = Archive(url)
        for begin in range(0, count, AT_ONCE):
            archive.write([bare(n) for n in range(begin, min(begin + AT_ONCE, count))])
        settings = {"TRACKER_REDIS_URL": server.url, "TRACKER_BIND": "127.0.0.1:0", "TRACKER_STATE_DIR": name}
        with served("web", **settings, TRACKER_ARCHIVE_URL=url, TRACKER_ARCHIVE_DAYS="0") as (_, port):
            asked = questions(History(Store(server.url), archive), http.client.HTTPConnection("127.0.0.1", port))
            print(f"  {count:,} operations{'':<34}{'p50':>13} {'p99':>13}")
            settle_in()
            ask_in_turns(asked)
            print(f"  while another process writes {PACE:,} operations a second:")
            with another_writer(url, count):
                ask_in_turns(asked)
        archive.close()
        server.stop()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
