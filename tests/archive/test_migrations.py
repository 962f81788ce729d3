"""Older files are brought forward without loss, once, by whoever opens them first; newer ones are refused."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from sqlite3 import Connection

import pytest

from tests.archive.making import NOW, record, run, steps
from tracker.archive import Archive, migrations
from tracker.errors import ArchiveUnavailable
from tracker.model import Error, LogLine, Parts, QueuePart, Status, Worker
from tracker.record import Attempt, Record

LAYOUT_1 = Path(__file__).with_name("layout_1.sql").read_text()

OLD = Record(
    Parts(
        "0197c3a0-0000-7000-8000-000000000001",
        rev=5,
        attempt=2,
        queue=QueuePart(
            "job", NOW - 1, "Process notes.txt", "q", args={"path": "notes.txt"}, labels={"tenant": "acme"}
        ),
        run=run(
            "0123456789ab",
            Status.ERROR,
            title="Process notes.txt",
            worker=Worker("node-3", 4711, "q"),
            labels={"tenant": "acme"},
            error=Error("ValueError", "no", ["A", "B"], "Trace", 2, ["l"]),
            duration=1.25,
            total=3,
        ),
        steps=steps(),
    ),
    earlier=[Attempt(1, run("r1", Status.QUEUED), list(steps(2).values()))],
    logs=[LogLine(1, NOW, "hello", 1, "warning", 2)],
    results={"k": b"[1]"},
)
"""What the file of layout 1 holds, besides a plain operation."""


@pytest.fixture
def old(tmp_path: Path) -> str:
    """The URL of a file of layout 1."""
    path = tmp_path / "archive.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(LAYOUT_1)
    return f"sqlite:///{path}"


def version_of(url: str) -> str:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        return str(connection.execute("SELECT value FROM meta WHERE key = 'version'").fetchone()[0])


def schema_of(url: str) -> set[str]:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        rows = connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall()
    return {" ".join(sql.split()).replace(" (", "(").replace("( ", "(").replace(" )", ")") for (sql,) in rows}


def is_whole(archive: Archive) -> bool:
    """Whether everything that layout 1 held is there."""
    id = OLD.parts.id
    return (
        archive.operation(id) == OLD.parts
        and archive.attempts(id)[:-1] == OLD.earlier
        and archive.logs(id) == OLD.logs
        and archive.results(id) == OLD.results
        and [parts.id for parts in archive.top_level()] == ["custom.id", id]
        and archive.durations("job")["Step 1"].p50 == 0.5
    )


def adding(called: list[int]) -> Callable[[Connection], None]:
    """A step that adds a column."""

    def step(connection: Connection) -> None:
        called.append(1)
        connection.execute("ALTER TABLE operations ADD COLUMN note TEXT")
        connection.execute("UPDATE operations SET note = 'old'")

    return step


def test_a_file_of_every_older_layout_is_read_and_written_on(old: str) -> None:
    """And has then the layout of a new one."""
    with closing(Archive(old, "golden")) as archive:
        assert is_whole(archive)
        archive.write([record("new", run(started=NOW - 9))])
        assert archive.operation("new") is not None
    with closing(Archive(f"{old}.new")) as new:
        assert new.identity
    assert schema_of(old) == schema_of(f"{old}.new")


def test_an_older_file_is_brought_forward_once_however_many_open_it(old: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others wait, and find it done."""
    called: list[int] = []
    monkeypatch.setattr(migrations, "STEPS", [adding(called)])
    found: list[bool] = []

    def open_it() -> None:
        with closing(Archive(old, "golden")) as archive:
            found.append(is_whole(archive))

    threads = [threading.Thread(target=open_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (found, called, version_of(old)) == ([True] * 4, [1], "2")


def test_a_step_that_fails_leaves_the_file_as_it_was(old: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All steps are one transaction."""

    def failing(connection: Connection) -> None:
        connection.execute("no SQL at all")

    before = schema_of(old)
    monkeypatch.setattr(migrations, "STEPS", [adding([]), failing])
    with pytest.raises(ArchiveUnavailable):
        Archive(old, "golden").top_level()
    assert (schema_of(old), version_of(old)) == (before, "1")
    monkeypatch.setattr(migrations, "STEPS", [])
    with closing(Archive(old, "golden")) as archive:
        assert is_whole(archive)


def test_a_file_of_a_newer_version_is_refused_and_left_alone(old: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do; writing into it would lose what this version does not know."""
    monkeypatch.setattr(migrations, "STEPS", [adding([])])
    with closing(Archive(old, "golden")) as archive:
        assert is_whole(archive)
    monkeypatch.setattr(migrations, "STEPS", [])
    with pytest.raises(ArchiveUnavailable, match="upgrade steptracker") as refused:
        Archive(old, "golden").write([record("a")])
    assert "\n" not in str(refused.value)
    assert version_of(old) == "2"


def test_a_database_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    """It may have a table of the same name."""
    url = f"sqlite:///{tmp_path / 'other.sqlite3'}"
    with closing(sqlite3.connect(tmp_path / "other.sqlite3")) as connection:
        connection.execute("CREATE TABLE operations (x)")
    before = schema_of(url)
    with pytest.raises(ArchiveUnavailable, match="another program"):
        Archive(url).top_level()
    assert schema_of(url) == before
