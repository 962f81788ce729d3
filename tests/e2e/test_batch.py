"""The main job, through every real part: queued over HTTP, run on two machines, watched in three ways."""

from __future__ import annotations

import json
import statistics
import threading
import time
from typing import Any

import pytest
from websockets.sync.client import connect

from tests.e2e.conftest import System
from tests.support import wait_for

GOOD, BAD = 48, 2
STATUSES = ("queued", "running", "complete", "error", "cancelled", "lost")


TIMER = """
window.delays = [];
window.WebSocket = class extends WebSocket {
  constructor(...given) {
    super(...given);
    this.addEventListener('message', (message) => {
      for (const event of JSON.parse(message.data).events ?? []) window.delays.push(Date.now() / 1000 - event.ts);
    });
  }
};
"""
"""Notes in the page how old each event is when it arrives."""


ROWS = """
Object.fromEntries([...document.querySelectorAll('.children .row')].map((row) =>
  [row.querySelector('[data-row]').dataset.row, row.querySelector('.cell-status').textContent.trim()]))
"""
"""What the page shows of every child: its status in words, by id."""


class Socket:
    """A WebSocket client that holds what it was told, by the reader's rule."""

    def __init__(self, system: System, batch: str) -> None:
        self.operations: dict[str, dict[str, Any]] = {}
        self.counts: list[dict[str, int]] = []
        self.delays: list[float] = []
        self._topics = [f"operation:{batch}", f"children:{batch}"]
        self._bind, self._origin = system.bind, system.url
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        with connect(f"ws://{self._bind}/api/v1/ws", origin=self._origin) as connection:  # type: ignore[arg-type]
            for topic in self._topics:
                connection.send(json.dumps({"type": "subscribe", "topic": topic}))
            while not self._over.is_set():
                try:
                    self._hear(json.loads(connection.recv(timeout=0.2)))
                except TimeoutError:
                    continue

    def _hear(self, message: dict[str, Any]) -> None:
        for operation in message.get("operations", []):
            self._take(operation)
        for event in message.get("events", []):
            self.delays.append(time.time() - event["ts"])
            self._take(event["operation"])

    def _take(self, operation: dict[str, Any]) -> None:
        held = self.operations.get(operation["id"])
        if held is None or version(operation) > version(held):
            self.operations[operation["id"]] = operation
        if operation["batch"]:
            self.counts.append(operation["children"])

    def close(self) -> None:
        self._over.set()
        self._thread.join()


def version(operation: dict[str, Any]) -> tuple[int, int]:
    return operation["rev"], operation["children"]["version"]


def adds_up(counts: dict[str, int]) -> bool:
    return counts["total"] == GOOD + BAD == sum(counts[status] for status in STATUSES)


@pytest.fixture
def items(system: System) -> list[dict[str, str]]:
    """Fifty files, of which one is not text and one does not exist."""
    for index in range(GOOD):
        (system.data_root / f"file-{index:02}.txt").write_text(f"line one\nline two of file {index}\n" * 200)
    (system.data_root / "not-text.bin").write_bytes(b"abc\xff\xfe\x00" * 100)
    names = [f"file-{index:02}.txt" for index in range(GOOD)]
    return [{"path": name} for name in [*names[:20], "not-text.bin", *names[20:], "missing.txt"]]


@pytest.mark.browser
def test_a_batch_is_seen_alike_in_browser_terminal_and_api(
    system: System, items: list[dict[str, str]], page: Any
) -> None:
    """All three agree on every state, totals add up at every look, and the page shows where and why it failed."""
    page.add_init_script(TIMER)
    page.goto(system.url)
    answer = system.post("/api/v1/batches", {"job": "files.process", "items": items, "labels": {"team": "e2e"}})
    batch = answer["id"]
    socket = Socket(system, batch)
    watch = system.tracker("watch", batch, "--json", "--exit-status")
    page.goto(f"{system.url}/operations/{batch}")
    # Only rows on the screen are drawn.
    page.set_viewport_size({"width": 1280, "height": 5_000})

    looks: list[dict[str, int]] = []

    def has_ended() -> bool:
        operation = system.get(f"/api/v1/operations/{batch}")
        looks.append(operation["children"])
        return bool(operation["ended"])

    wait_for(has_ended, 60)
    output, errors = watch.communicate(timeout=30)
    wait_for(lambda: socket.operations.get(batch, {}).get("ended"))
    wait_for(lambda: len(socket.operations) == GOOD + BAD + 1)
    socket.close()

    in_api = children_in_api(system, batch)
    in_watch = statuses_in_watch(output)
    in_socket = {id: operation["status"] for id, operation in socket.operations.items() if id != batch}
    assert watch.returncode == 1, errors
    assert len(in_api) == GOOD + BAD
    assert in_api == in_socket
    assert in_api == {id: status for id, status in in_watch.items() if id != batch}
    assert sorted(in_api.values()) == ["complete"] * GOOD + ["error"] * BAD
    assert in_watch[batch] == system.get(f"/api/v1/operations/{batch}")["status"] == "error"
    assert all(map(adds_up, looks))
    assert all(map(adds_up, socket.counts))

    page.get_by_text("does not exist").first.wait_for()
    wait_for(lambda: "48 of 50 complete" in page.inner_text("main"))
    wait_for(lambda: page.evaluate(ROWS) == in_api)
    delays = page.evaluate("window.delays")
    failed = next(id for id in in_api if id.endswith(".21"))
    page.goto(f"{system.url}/operations/{failed}")
    page.get_by_role("main").get_by_text("is not UTF-8 text").first.wait_for()
    assert "Check encoding" in page.inner_text("main")
    for place, seconds in (("WebSocket client", socket.delays), ("page", delays)):
        print(f"event to {place}: median {statistics.median(seconds) * 1000:.1f} ms of {len(seconds)}")


def test_both_machines_took_part_and_kept_their_results(system: System, items: list[dict[str, str]]) -> None:
    """Each child names the host that ran it; results lie in that machine's own state folder."""
    batch = system.post("/api/v1/batches", {"job": "files.process", "items": items})["id"]
    wait_for(lambda: system.get(f"/api/v1/operations/{batch}")["ended"], 60)
    found = system.get(f"/api/v1/operations/{batch}/children?limit=200")["items"]
    hosts = {child["worker"]["host"] for child in found}
    assert hosts == {"node-1", "node-2"}
    for host in hosts:
        results = list((system.folder / host / "results" / system.folder.name).glob("*.json"))
        assert results


def children_in_api(system: System, batch: str) -> dict[str, str]:
    """Status of every child, page by page."""
    statuses: dict[str, str] = {}
    page = ""
    while True:
        answer = system.get(f"/api/v1/operations/{batch}/children?limit=20{page}")
        statuses |= {child["id"]: child["status"] for child in answer["items"]}
        if answer["next"] is None:
            return statuses
        page = f"&page={answer['next']}"


def statuses_in_watch(output: str) -> dict[str, str]:
    """The last status of every operation that `tracker watch --json` told of."""
    held: dict[str, dict[str, Any]] = {}
    for line in output.splitlines():
        operation = json.loads(line)["operation"]
        if operation["id"] not in held or version(operation) > version(held[operation["id"]]):
            held[operation["id"]] = operation
    return {id: operation["status"] for id, operation in held.items()}
