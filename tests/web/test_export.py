"""Everything a filter finds as one file: whole or visibly broken off, harmless to spreadsheets, a page at a time."""

from __future__ import annotations

import csv
import http.client
import io
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.archive.making import record, run
from tests.store.making import NOW, blob, ended, head, started, step_event
from tests.support import wait_for
from tests.web.client import Answer, Server, serving
from tracker.archive import Archive
from tracker.errors import StoreUnavailable
from tracker.history import History, OperationPage
from tracker.history.export import HEADER, row
from tracker.model import Error, Operation, QueuePart, Status, StepStatus, Worker
from tracker.store import QueueItem, Store
from web import export
from web.export import csv_lines, json_lines

OTHERS = 1
"""Exports that may be made beside one."""

LARGE = 6_000
"""Operations of which an export does not fit into what a connection holds unread."""


def exported(server: Server, format: str = "csv", **filters: object) -> Answer:
    return server.get(f"/api/v1/export?{urlencode({'format': format, **filters})}")


def table(answer: Answer) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.body.decode(), newline="")))


def queued(id: str, created: float = NOW, **fields: Any) -> QueueItem:
    return QueueItem(id, QueuePart("job", created, **fields))


def test_a_table_has_a_row_for_each_operation_that_fits_newest_first(server: Server, store: Store) -> None:
    """With what people know them by, where they ran and why they failed."""
    failed = head(
        "r1", Status.ERROR, worker=Worker("node-3", 7, "q"), error=Error("ValueError", "no\nway", step=1), release="1.2"
    )
    store.append([queued("a", NOW - 10.5, labels={"tenant": "acme"}), queued("b", title="Other"), started("c", "rc")])
    store.append([blob("a", head("r1")), step_event("a", 2, status=StepStatus.ERROR), blob("a", failed, seq=3)])
    answer = exported(server)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert answer.headers["content-disposition"].endswith('.csv"')
    rows = table(answer)
    assert list(rows[0]) == list(HEADER)
    assert [each["id"] for each in rows] == ["c", "b", "a"]
    assert rows[2] | {"ended": ""} == {
        "id": "a",
        "name": "job",
        "title": "A title",
        "status": "error",
        "created": "2027-01-15T07:59:49.500Z",
        "started": "2027-01-15T08:00:00.000Z",
        "ended": "",
        "duration": "1.0",
        "waited": "10.5",
        "attempt": "1",
        "worker_host": "node-3",
        "worker_pid": "7",
        "worker_queue": "q",
        "parent": "",
        "labels": '{"tenant":"acme"}',
        "error_type": "ValueError",
        "error_message": "no\nway",
        "error_step": "Step 1",
        "release": "1.2",
    }
    assert [each["id"] for each in table(exported(server, label="tenant:acme"))] == ["a"]
    assert table(exported(server, status="queued", q="other"))[0]["title"] == "Other"
    assert table(exported(server, name="nothing")) == []


def test_lines_are_the_operations_as_they_are_everywhere(server: Server, store: Store) -> None:
    """One object a line, the same as in lists."""
    store.append([queued("a"), started("b", "rb"), ended("b", run="rb")])
    answer = exported(server, "jsonl")
    assert answer.headers["content-disposition"].endswith('.jsonl"')
    assert [json.loads(line) for line in answer.body.splitlines()] == server.get("/api/v1/operations").json["items"]
    assert exported(server, "jsonl", status="lost").body == b""


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_is_a_formula(text: str, server: Server, store: Store) -> None:
    """Titles and messages come from anywhere; a spreadsheet would run them."""
    failed = head("r1", Status.ERROR, error=Error(text, text), worker=Worker(text, 1))
    store.append([queued("a", title=text, labels={text: text})])
    (waiting,) = table(exported(server))
    store.append([blob("a", head("r1")), blob("a", failed, seq=2)])
    (found,) = table(exported(server))
    assert waiting["title"] == found["error_type"] == found["error_message"] == found["worker_host"] == f"'{text}"
    assert found["labels"].startswith("{")


@pytest.mark.parametrize("stamp", [1e300, -1e300, 5e-324, 253_402_300_800.0])
def test_a_clock_that_is_off_leaves_at_most_its_cell_empty(stamp: float) -> None:
    """Whatever it said, the other cells are there."""
    cells = dict(zip(HEADER, row(Operation("a", "job", "A", Status.RUNNING, stamp, started=stamp)), strict=True))
    assert (cells["id"], cells["status"], cells["waited"]) == ("a", "running", 0.0)
    assert cells["created"] in ("", "1970-01-01T00:00:00.000Z")


@pytest.mark.parametrize(
    ("query", "at_fault"),
    [
        ("format=xml", "format"),
        ("status=odd", "status"),
        ("page=1", "page"),
        ("limit=5", "limit"),
        ("label=x", "label"),
    ],
)
def test_a_filter_that_cannot_be_used_is_told_before_anything_is_sent(
    server: Server, query: str, at_fault: str
) -> None:
    """A file that holds an error would be taken for data."""
    answer = server.get(f"/api/v1/export?{query}")
    assert (answer.status, answer.json["errors"][0]["parameter"]) == (400, at_fault)


class Counting:
    """Reads pages of a history, and counts them."""

    def __init__(self, history: History, fails_after: int = 10**6) -> None:
        self.pages = 0
        self._history = history
        self._fails_after = fails_after

    def __call__(self, page: str | None) -> OperationPage:
        if self.pages == self._fails_after:
            raise StoreUnavailable("Redis does not answer; start it")
        self.pages += 1
        return self._history.operations(page=page, limit=10)


@pytest.fixture
def history(store: Store) -> History:
    """Of 95 operations."""
    store.append([queued(f"a{number:02}", NOW + number) for number in range(95)])
    return History(store)


@pytest.mark.parametrize("lines", [csv_lines, json_lines])
def test_no_page_is_read_before_the_one_before_it_was_taken(history: History, lines: Any) -> None:
    """However much there is, a page of it is held, and whoever stops reading stops the reads."""
    read = Counting(history)
    parts = lines(read(None), read)
    header = [next(parts)] if lines is csv_lines else []
    for number in range(1, 4):
        assert next(parts).count("\n" if lines is csv_lines else b"\n") == 10
        assert read.pages == number
    assert len(header) <= 1
    parts.close()
    assert read.pages == 3


def test_all_of_it_comes_each_once(history: History) -> None:
    """Page after page to the end."""
    read = Counting(history)
    text = b"".join(json_lines(read(None), read))
    assert [json.loads(line)["id"] for line in text.splitlines()] == [f"a{number:02}" for number in range(94, -1, -1)]


def test_what_fails_midway_ends_the_file_with_the_reason_and_without_an_end(history: History) -> None:
    """Nobody takes half of it for all of it."""
    read = Counting(history, fails_after=2)
    told: list[bytes] = []
    with pytest.raises(ConnectionResetError):
        told.extend(json_lines(read(None), read))
    assert len(b"".join(told).splitlines()) == 21
    assert json.loads(told[-1]) == {"error": "Redis does not answer; start it"}
    read = Counting(history, fails_after=2)
    rows: list[str] = []
    with pytest.raises(ConnectionResetError):
        rows.extend(csv_lines(read(None), read))
    assert len("".join(rows).splitlines()) == 21


def test_more_than_an_export_holds_is_said_and_not_left_out_silently(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever wants more takes it in parts."""
    monkeypatch.setattr(export, "EXPORTED", 25)
    read = Counting(history)
    told: list[bytes] = []
    with pytest.raises(ConnectionResetError):
        told.extend(json_lines(read(None), read))
    lines = b"".join(told).splitlines()
    assert len(lines) == 26
    assert "take them in parts" in json.loads(lines[-1])["error"]
    monkeypatch.setattr(export, "EXPORTED", 95)
    assert len(b"".join(json_lines(read(None), read)).splitlines()) == 95


# ---- over a real connection ----------------------------------------------------------------------


@pytest.fixture
def archived(redis_url: str, namespace: str, tmp_path: Path) -> Iterator[tuple[Server, Path]]:
    """A server over an archive of many operations, and the archive's file."""
    path = tmp_path / "archive.sqlite3"
    archive = Archive(f"sqlite:///{path}", namespace)
    labels = {"note": "x" * 900}
    for begin in range(0, LARGE, 500):
        numbers = range(begin, begin + 500)
        archive.write([record(f"o{n}", run(f"r{n}", started=NOW + n, labels=labels), steps={}) for n in numbers])
    archive.close()
    more = {"TRACKER_ARCHIVE_URL": f"sqlite:///{path}", "TRACKER_STATE_DIR": str(tmp_path)}
    with serving(redis_url, namespace, tmp_path / "server.log", more) as server:
        yield server, path


def opened(server: Server, format: str) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    """An export of which nothing is read beyond its head, and little is taken in unread."""
    host, _, port = server.address.rpartition(":")
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    raw.connect((host, int(port)))
    connection = http.client.HTTPConnection(host, int(port), timeout=20)
    connection.sock = raw
    connection.request("GET", f"/api/v1/export?format={format}")
    return connection, connection.getresponse()


def test_a_client_that_goes_away_makes_room_for_another(archived: tuple[Server, Path]) -> None:
    """Exports are few at a time, and none goes on for nobody."""
    server, _ = archived
    held = [opened(server, "jsonl") for _ in range(OTHERS + 1)]
    assert [answer.status for _, answer in held] == [200] * (OTHERS + 1)
    busy = exported(server)
    assert (busy.status, busy.json["type"]) == (503, "/problems/busy")
    assert busy.headers["retry-after"]
    connection, answer = held.pop()
    answer.close()
    connection.close()
    wait_for(lambda: exported(server, name="nothing").status == 200)
    for connection, answer in held:
        answer.close()
        connection.close()
    whole = wait_for(lambda: (answer := exported(server, "jsonl")).status != 503 and answer)
    assert (whole.status, len(whole.body.splitlines())) == (200, LARGE)


def test_an_archive_that_fails_midway_breaks_the_download_off(archived: tuple[Server, Path]) -> None:
    """What every client reports as a failed download, with the reason in the last line and in the log."""
    server, path = archived
    connection, answer = opened(server, "jsonl")
    beginning = answer.read(1000)
    with path.open("r+b") as damaged:
        damaged.truncate(8192)
    with pytest.raises(http.client.IncompleteRead) as broken:
        answer.read()
    connection.close()
    last = (beginning + broken.value.partial).splitlines()[-1]
    assert "archive" in json.loads(last)["error"]
    assert "an export broke off" in server.log.read_text()
    assert "Traceback" not in server.log.read_text()
