"""What leaves the archive leaves it whole."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.archive.making import NOW, child, record, run, steps
from tracker.archive import Archive
from tracker.model import Error, LogLine, Status, Worker


def rows(url: str, table: str) -> int:
    """How many rows a table has, asked past the archive."""
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def test_old_families_leave_whole_and_young_ones_stay(archive: Archive, url: str) -> None:
    """Children and grandchildren go with the operation that began them, whenever they ended."""
    old, young = run(started=NOW - 100), run(started=NOW)
    lines = [LogLine(1, NOW, "line", attempt=1)]
    archive.write([record("old", old, logs=lines), child("old.1", "old", 1), child("old.1.1", "old.1", 1)])
    archive.write([record("young", young), child("young.1", "young", 1)])
    archive.write([record("open", run(status=Status.RUNNING, started=NOW - 100))])
    assert archive.remove(NOW - 50) == 3
    assert archive.remove(NOW - 50) == 0
    assert {parts.id for parts in archive.top_level()} == {"young", "open"}
    assert archive.heads(["old", "old.1", "old.1.1"]) == {}
    assert (rows(url, "operations"), rows(url, "attempts"), rows(url, "extras")) == (3, 3, 0)


def test_the_oldest_leave_first_and_a_limit_cuts_between_families(archive: Archive) -> None:
    """One call is short, and the next one goes on."""
    told = [record(f"{n}", run(started=NOW + n)) for n in range(5)]
    archive.write([*told, *(child(f"1.{n}", "1", n) for n in range(1, 4))])
    assert archive.remove(NOW + 100, limit=2) == 5
    assert [parts.id for parts in archive.top_level()] == ["4", "3", "2"]
    assert [archive.remove(NOW + 100, limit=2) for _ in range(3)] == [2, 1, 0]


def test_counts_leave_with_the_days_they_are_of(archive: Archive) -> None:
    """Retention is one rule for all of it."""
    archive.write([record("old", run(started=NOW - 3 * 86400)), record("young")])
    while archive.remove(NOW - 86400):
        pass
    assert len(archive.outcomes("job")) == 1


def test_an_erased_operation_is_nowhere_in_the_file(archive: Archive, url: str) -> None:
    """Neither it nor its children, nor in what the file has free; everything else is untouched."""
    error = Error("E", "hunter-message", traceback="hunter-traceback")
    secret = run(title="hunter-title", labels={"x": "hunter-label"}, worker=Worker("host", 1), error=error)
    archive.write([record(f"{n}") for n in range(50)])
    archive.write([record("gone", secret, results={"key": b"hunter-result"}, steps=steps(30)), child("c", "gone", 1)])
    assert archive.erase("gone") is True
    assert archive.erase("gone") is False
    assert archive.operation("c") is None
    assert len(archive.top_level(limit=100)) == 50
    folder = Path(url.removeprefix("sqlite:///")).parent
    assert [path.name for path in folder.iterdir() if b"hunter" in path.read_bytes()] == []
