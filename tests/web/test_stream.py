"""Server-sent events: the same messages as on the WebSocket, over plain HTTP."""

from __future__ import annotations

import http.client
import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.store.making import ended, started, step_event
from tests.support import wait_for
from tests.web.client import PATIENCE, Server, serving
from tracker.model import StepStatus
from tracker.store import Store

STREAM = "/api/v1/stream"


class Reader:
    """A client that reads one stream, as an ``EventSource`` does."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.answer = answer
        self.last_id = ""
        self.retry = 0
        self.seen: list[dict[str, Any]] = []

    def read(self) -> dict[str, Any] | None:
        """The next message; ``None`` at the end."""
        while line := self.answer.readline().decode().rstrip("\n"):
            field, _, value = line.partition(": ")
            if field == "id":
                self.last_id = value
            elif field == "data":
                self.seen.append(json.loads(value))
            else:
                assert field == "retry"
                self.retry = int(value)
            if field == "data":
                assert self.answer.readline() == b"\n"
                return self.seen[-1]
        return self.read() if self.retry and not self.seen else None

    def until(self, type: str, fits: Callable[[dict[str, Any]], object] = lambda message: True) -> dict[str, Any]:
        """Read until a message of this type fits."""
        return self._find(lambda message: message["type"] == type and fits(message), type)

    def until_shown(self, id: str, step: int) -> None:
        """Read until an operation is at that step: in an event, or in a new snapshot, which may come at any time."""

        def shows(message: dict[str, Any]) -> bool:
            told = [*message.get("operations", ()), *(event["operation"] for event in message.get("events", ()))]
            return any(one["id"] == id and one["step"] and one["step"]["index"] == step for one in told)

        self._find(shows, f"{id} at step {step}")

    def _find(self, fits: Callable[[dict[str, Any]], object], what: str) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        while (message := self.read()) is not None and time.monotonic() < deadline:
            if fits(message):
                return message
        raise AssertionError(f"no fitting {what} in {PATIENCE} s or until the end; the last: {self.seen[-5:]}")


@contextmanager
def streaming(server: Server, topic: str = "operations", **headers: str) -> Iterator[Reader]:
    connection = http.client.HTTPConnection(server.address, timeout=20)
    connection.request("GET", f"{STREAM}?topic={topic}", headers={"Accept": "text/event-stream"} | headers)
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("Content-Type")) == (200, "text/event-stream; charset=utf-8")
    try:
        yield Reader(answer)
    finally:
        connection.close()


def test_a_stream_tells_a_snapshot_and_every_change_after_it(server: Server, store: Store) -> None:
    """Hello, snapshot, events: what a WebSocket would be sent, with the cursor as the id."""
    store.append([started("op")])
    with streaming(server, "operation:op") as reader:
        assert reader.until("hello")["v"] == 1
        assert reader.retry > 0
        assert reader.until("snapshot")["operations"][0]["id"] == "op"
        store.append([step_event("op", 2), step_event("op", 3, status=StepStatus.COMPLETE), ended("op", seq=4)])
        reader.until("events", lambda m: any(e["operation"]["status"] == "complete" for e in m["events"]))
        assert reader.last_id == reader.seen[-1]["cursor"]
        assert reader.until("heartbeat")["cursor"]


def test_one_stream_tells_of_several_topics(server: Server, store: Store) -> None:
    """Each with a snapshot of its own, also for whoever comes back: a cursor tells of one topic only."""
    store.append([started("op"), started("other", "r2")])
    with streaming(server, "operation:op,children:op,operation:other") as reader:
        told = {reader.until("snapshot")["topic"] for _ in range(3)}
        assert told == {"operation:op", "children:op", "operation:other"}
        store.append([ended("other", run="r2")])
        assert reader.until("events")["topic"] == "operation:other"
        last = reader.last_id
    with streaming(server, "operation:op,operation:other", **{"Last-Event-ID": last}) as reader:
        assert {reader.until("snapshot")["topic"] for _ in range(2)} == {"operation:op", "operation:other"}
    assert server.get(f"{STREAM}?topic=operations,nothing").status == 400


def test_whoever_comes_back_with_all_there_is_gets_no_snapshot_and_misses_nothing(server: Server, store: Store) -> None:
    """``Last-Event-ID`` is the cursor; whoever has missed something starts with a snapshot."""
    store.append([started("op")])
    with streaming(server) as reader:
        reader.until("snapshot")
        store.append([step_event("op", 2)])
        reader.until_shown("op", step=1)
        last = reader.last_id
    with streaming(server, **{"Last-Event-ID": last}) as reader:
        reader.until("heartbeat")
        assert [message["type"] for message in reader.seen] == ["hello", "heartbeat"]
        store.append([step_event("op", 3, status=StepStatus.COMPLETE)])
        reader.until("events")
    with streaming(server, **{"Last-Event-ID": last}) as reader:
        assert reader.until("snapshot")["operations"][0]["id"] == "op"
    with streaming(server, **{"Last-Event-ID": "nonsense"}) as reader:
        reader.until("snapshot")


@pytest.mark.parametrize("topic", ["", "nothing", "operation:", "operation:a%0a", "children:a/b"])
def test_only_what_can_be_watched_is_streamed(server: Server, topic: str) -> None:
    """400, naming the parameter."""
    answer = server.get(f"{STREAM}?topic={topic}")
    assert (answer.status, answer.json["errors"][0]["parameter"]) == (400, "topic")


def test_a_page_of_another_site_gets_no_stream(server: Server) -> None:
    """It could not read it, but would hold a seat."""
    assert server.get(STREAM, **{"Sec-Fetch-Site": "cross-site"}).status == 403
    assert server.get(STREAM, Origin="https://example.org").status == 403


def test_streams_have_seats_of_their_own(redis_url: str, namespace: str, tmp_path: Path) -> None:
    """Beyond them the answer says when to come back, and sockets are served; a seat is free again afterwards."""
    with serving(redis_url, namespace, tmp_path / "log", streams=2, threads=4, heartbeat=0.2) as server:
        with streaming(server) as one, streaming(server), server.watch("operations"):
            one.until("snapshot")
            refused = server.get(STREAM)
            assert (refused.status, refused.json["type"]) == (503, "/problems/busy")
            assert int(refused.headers["retry-after"]) > 0
            assert "2 live connections" in refused.json["detail"]
            assert b'"watching":3' in server.get("/readyz").body or b"watching: 3" in server.get("/readyz").body
        wait_for(lambda: b'"watching":0' in server.get("/readyz").body or b"watching: 0" in server.get("/readyz").body)


def test_a_stopping_server_ends_its_streams(redis_url: str, namespace: str, tmp_path: Path) -> None:
    """With ``bye``, at once, and in silence."""
    with serving(redis_url, namespace, tmp_path / "log") as server, streaming(server) as reader:
        reader.until("snapshot")
        server.process.send_signal(signal.SIGTERM)
        assert reader.until("bye")["retry_after"] > 0
        assert reader.read() is None
        assert server.stop() < 5
        assert (server.process.returncode, server.log.read_text()) == (0, "")
