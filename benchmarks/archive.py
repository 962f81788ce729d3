"""The archive beside what people would write: one SQLite table with the operation as JSON, and an index for each list.

``python -m benchmarks.archive 1000000`` loads that many operations; 100,000 without a number. Both are loaded and asked
in turns. A file's size is taken after its log was written back.
"""

from __future__ import annotations

import json
import math
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from tracker.archive import Archive
from tracker.compose import compose
from tracker.ids import new_id, new_run
from tracker.model import Parts, QueuePart, RunPart, Status, StepState, StepStatus, Worker
from tracker.record import Record

COUNT = 100_000
SMALL = 20_000
"""Operations of one kind in a file of their own, for its size."""

AT_ONCE, LITTLE = 500, 50
"""Operations in one transaction: while loading, and while others read."""

ASKED = 300
PACE = 2_000
"""Operations a second that another process writes meanwhile."""

NAMES = [f"Job number {n}" for n in range(20)]
STEPS = ("Back up", "Validate", "Transform", "Write", "Verify")
BEGIN = 1_790_000_000.0

Ask = Callable[[], object]


def bare(n: int) -> Record:
    """A script's operation: five steps and what a run always says; its name is its title."""
    chance = random.Random(n)
    started = begun = BEGIN + n * 0.7 + chance.random()
    status = Status.ERROR if n % 10 == 0 else Status.COMPLETE
    steps = {}
    for index, name in enumerate(STEPS, 1):
        seconds = chance.lognormvariate(0, 1)
        steps[index] = StepState(index, name, StepStatus.COMPLETE, begun, seconds)
        begun += seconds + chance.random() * 1e-3
    name, worker = NAMES[n % len(NAMES)], Worker("node-3.example.com", 4000 + n % 8)
    run = RunPart(new_run(), name, name, started, started, status, 5, begun, begun - started + 1e-6, worker)
    return Record(Parts(new_id(), 14, 1, run=run, steps=steps))


def typical(n: int) -> Record:
    """A queued job: its title has a variable, its steps progress and details, and it bears labels."""
    parts = bare(n).parts
    for index, step in parts.steps.items():
        more = {"current": 1200.0 + n % 100, "total": 1300.0, "unit": "rows", "detail": f"{n % 37} warnings"}
        parts.steps[index] = msgspec.structs.replace(step, **more)
    assert parts.run is not None
    title, labels = f"Process notes-{n}.txt", {"tenant": f"acme-{n % 10}", "file": f"notes-{n}.txt"}
    parts.queue = QueuePart(parts.run.name, parts.run.started - 0.3, title, "tracker.default", labels=labels)
    parts.run = msgspec.structs.replace(parts.run, title=title, labels=labels, release="2026.11.3")
    return Record(parts)


class Plain:
    """What is compared with: a table, three indexes, and JSON."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path)
        self.connection.executescript(
            "PRAGMA journal_mode = wal; PRAGMA synchronous = normal;"
            "CREATE TABLE operations (id TEXT PRIMARY KEY, name TEXT, status TEXT, created REAL, body TEXT);"
            "CREATE INDEX by_time ON operations (created);"
            "CREATE INDEX by_status ON operations (status, name, created)"
        )

    def write(self, records: list[Record]) -> None:
        rows = []
        for record in records:
            shown = compose(record.parts)
            body = msgspec.json.encode(shown).decode()
            rows.append((shown.id, shown.name, shown.status, shown.created, body))
        with self.connection:
            self.connection.executemany("INSERT OR IGNORE INTO operations VALUES (?, ?, ?, ?, ?)", rows)

    def read(self, where: str, *values: object) -> list[dict[str, object]]:
        query = f"SELECT body FROM operations {where} ORDER BY created DESC LIMIT ?"
        return [json.loads(body) for (body,) in self.connection.execute(query, values)]

    def durations(self, name: str) -> dict[str, float]:
        found: dict[str, list[float]] = {}
        for operation in self.read("WHERE status = 'complete' AND name = ?", name, 1000):
            for step in operation["steps"]:  # type: ignore[attr-defined]
                found.setdefault(step["name"], []).append(step["duration"])
        return {name: statistics.median(seconds) for name, seconds in found.items()}


def load(writers: Mapping[str, Callable[[list[Record]], None]], count: int, make: Callable[[int], Record]) -> None:
    """Write to each in turns, and tell how many a second each has taken."""
    spent = dict.fromkeys(writers, 0.0)
    for begin in range(0, count, AT_ONCE):
        records = [make(n) for n in range(begin, min(begin + AT_ONCE, count))]
        for name, write in writers.items():
            begun = time.perf_counter()
            write(records)
            spent[name] += time.perf_counter() - begun
    for name, seconds in spent.items():
        print(f"  written by {name:<32}{count / seconds:12,.0f} operations/s")


def ask_in_turns(questions: Mapping[str, Ask]) -> None:
    """How long each answer takes, in milliseconds: the median, and what 99 of 100 stay under."""
    spent: dict[str, list[float]] = {name: [] for name in questions}
    for _ in range(ASKED):
        for name, ask in questions.items():
            begun = time.perf_counter()
            ask()
            spent[name].append((time.perf_counter() - begun) * 1e3)
    for name, found in spent.items():
        found.sort()
        print(f"  {name:<44}{found[ASKED // 2]:10.2f} ms {found[math.ceil(ASKED * 0.99) - 1]:10.2f} ms")


def questions(archive: Archive, plain: Plain) -> dict[str, Ask]:
    name = NAMES[10]
    return {
        "newest 50, archive": lambda: archive.top_level(limit=50),
        "newest 50, JSON": lambda: plain.read("", 50),
        "status and name, 50, archive": lambda: archive.top_level(limit=50, status="error", name=name),
        "status and name, 50, JSON": lambda: plain.read("WHERE status = 'error' AND name = ?", name, 50),
        "name, 50, archive": lambda: archive.top_level(limit=50, name=name),
        "durations of 1,000 runs, archive": lambda: archive.durations(NAMES[11]),
        "durations of 1,000 runs, JSON": lambda: plain.durations(NAMES[11]),
    }


def bytes_each(folder: Path, make: Callable[[int], Record]) -> dict[str, float]:
    """Bytes on disk of an operation, in the archive and as JSON."""
    archive, plain = Archive(f"sqlite:///{folder / 'archive'}"), Plain(folder / "plain")
    for begin in range(0, SMALL, AT_ONCE):
        records = [make(n) for n in range(begin, begin + AT_ONCE)]
        archive.write(records)
        plain.write(records)
    archive.close()
    plain.connection.close()
    return {name: size_of(folder / name) / SMALL for name in ("archive", "plain")}


def size_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(truncate)")
    return path.stat().st_size


def write_on(url: str, first: int) -> None:
    """Write at an even pace until this process is ended."""
    archive, due = Archive(url), time.monotonic()
    while True:
        archive.write([typical(first + n) for n in range(LITTLE)])
        first, due = first + LITTLE, due + LITTLE / PACE
        time.sleep(max(0.0, due - time.monotonic()))


@contextmanager
def another_writer(url: str, first: int) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.archive", "write-on", url, str(first)])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for make in (bare, typical):
            (folder / make.__name__).mkdir()
            found = bytes_each(folder / make.__name__, make)
            ratio = found["plain"] / found["archive"]
            print(f"  a {make.__name__} operation: {found['archive']:,.0f} bytes; as JSON {ratio:.1f} times as many")
        url = f"sqlite:///{folder / 'archive.sqlite3'}"
        archive, plain = Archive(url), Plain(folder / "plain.sqlite3")
        load({"archive": archive.write, "JSON": plain.write}, count, bare)
        print(f"  {count:,} bare operations: {size_of(folder / 'archive.sqlite3') / count:,.0f} bytes each")
        print(f"  {'':<44}{'p50':>13} {'p99':>13}")
        ask_in_turns(questions(archive, plain))
        print(f"  while another process writes {PACE:,} operations a second:")
        with another_writer(url, count):
            ask_in_turns(questions(archive, plain))
        archive.close()


if __name__ == "__main__":
    if sys.argv[1:2] == ["write-on"]:
        write_on(sys.argv[2], int(sys.argv[3]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else COUNT)
