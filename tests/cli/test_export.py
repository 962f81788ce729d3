"""``export``: everything the filters find as a file that is whole, or not there."""

from __future__ import annotations

import csv
import json
import subprocess
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.commands import ROOT, TRACKER
from tests.cli.conftest import Run
from tests.store.making import ended, queued, started
from tracker.cli import main
from tracker.cli.export import pieces
from tracker.cli.filters import Filter
from tracker.cli.source import Source, Wanted
from tracker.cli.source.direct import Direct
from tracker.errors import StoreUnavailable
from tracker.history import OperationPage
from tracker.history.export import file
from tracker.model import Operation, Status
from tracker.store import Store


class Endless:
    """A source of as many operations as are wanted, which may fail on its way."""

    where = "Redis"

    def __init__(self, count: int, fails_at: int = -1) -> None:
        self.count = count
        self.fails_at = fails_at

    def operations(self, wanted: Wanted, page: str | None = None, limit: int = 50) -> OperationPage:
        first = int(page or 0)
        if 0 <= self.fails_at <= first:
            raise StoreUnavailable("no answer from Redis")
        last = min(first + limit, self.count)
        made = [Operation(f"op-{n:08}", "job", "T" * 100, Status.COMPLETE, 1e9 - n) for n in range(first, last)]
        return OperationPage(made, str(last) if last < self.count else None)

    def export(self, wanted: Wanted, format: str) -> Iterator[bytes]:
        return file(lambda page: self.operations(wanted, page, 200), format)  # type: ignore[arg-type]


def test_a_file_holds_what_the_filters_find(tracker: Run, store: Store, tmp_path: Path) -> None:
    """By the end of its name, as CSV or JSON lines; to stdout without a name."""
    store.append([queued("waits"), started("one"), ended("one", Status.ERROR)])
    table, lines = tmp_path / "all.csv", tmp_path / "all.jsonl"
    commands = [tracker("export", "-o", str(table)), tracker("export", "-o", str(lines), "--status", "error")]
    piped, as_json = tracker("export", "--format", "csv"), tracker("export", "--json", "--name", "job")
    assert [command.code() for command in (*commands, piped, as_json)] == [0, 0, 0, 0]
    with table.open(newline="") as rows:
        assert [row["id"] for row in csv.DictReader(rows)] == ["waits", "one"]
    assert [json.loads(line)["id"] for line in lines.read_text().splitlines()] == ["one"]
    assert piped.out == table.read_bytes().decode()
    assert {found["id"] for found in as_json.objects} == {"waits", "one"}
    assert commands[0].err == f"wrote {table}, {table.stat().st_size} bytes\n"
    assert list(tmp_path.glob("*.part")) == []


@pytest.mark.parametrize("statuses", [(), ("error", "complete")])
def test_one_that_breaks_off_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], statuses: tuple[str, ...]
) -> None:
    """Exit code 1, in one line; what was there before under that name is still there."""
    path = tmp_path / "all.csv"
    path.write_text("from yesterday")
    source = Endless(10_000, fails_at=4_000)
    monkeypatch.setattr(Direct, "operations", lambda self, *asked: source.operations(*asked))
    chosen = [word for status in statuses for word in ("--status", status)]
    assert main(["export", "-o", str(path), *chosen]) == 1
    assert path.read_text() == "from yesterday"
    assert list(tmp_path.iterdir()) == [path]
    told = capsys.readouterr().err
    assert told == "tracker: the export broke off: no answer from Redis\n"


def test_a_place_that_cannot_be_written_is_one_line(tracker: Run, store: Store, tmp_path: Path) -> None:
    """A folder that is not there, a disk that is full."""
    store.append([queued("one")])
    command = tracker("export", "-o", str(tmp_path / "nowhere" / "all.csv"))
    assert (command.code(), command.err.count("\n")) == (1, 1)
    assert "nowhere" in command.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux only")
def test_a_full_disk_is_one_line(store: Store, environment: dict[str, str]) -> None:
    """Not a traceback."""
    store.append([queued("one")])
    with open("/dev/full", "w") as full:
        own = {**environment, "PYTHONPATH": str(ROOT)}
        done = subprocess.run([*TRACKER, "export"], cwd="/", env=own, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "No space left" in done.stderr


@pytest.mark.parametrize("statuses", [(), ("queued", "error")])
def test_memory_does_not_grow_with_the_number_of_operations(statuses: tuple[str, ...]) -> None:
    """A page of them is held at a time."""

    def peak(count: int) -> int:
        source: Source = Endless(count)  # type: ignore[assignment]
        tracemalloc.start()
        sizes = [len(piece) for piece in pieces(source, Filter(statuses), "jsonl")]
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert sum(sizes) > count * 100
        return found

    peak(1_000)
    assert peak(20_000) < 2 * peak(2_000)


def test_several_statuses_are_one_file_in_one_order() -> None:
    """An operation that is found under both stands in it once."""
    source: Source = Endless(450)  # type: ignore[assignment]
    lines = b"".join(pieces(source, Filter(("queued", "error")), "jsonl")).splitlines()
    assert [json.loads(line)["id"] for line in lines] == [f"op-{n:08}" for n in range(450)]
