"""What the runs of a name were like on each day: how long successful ones took, and at which step others failed.

One row for each name and day, so that a look at a quarter of a year reads a hundred rows, however much was run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from sqlite3 import Connection

from tracker.archive.codec import Number
from tracker.archive.database import insertion
from tracker.archive.packing import pack, unpack
from tracker.archive.reading import Reader
from tracker.archive.spread import DayRuns

STEPS = 50
"""Steps of a name and day at which runs failed that are kept: those where most did."""

Place = tuple[int, int]
"""A name and a day."""

ROW = "SELECT took, failed FROM days WHERE namespace = ? AND name = ? AND day = ?"
SINCE = "SELECT day, took, failed FROM days WHERE namespace = ? AND name = ? AND day >= ? ORDER BY day"
WRITE = insertion("days", ("namespace", "name", "day", "took", "failed"), "REPLACE")


def add(connection: Connection, namespace: int, news: Mapping[Place, DayRuns]) -> None:
    """Add what is new of each name and day; what is taken back counts as less than nothing."""
    rows = []
    for (name, day), new in news.items():
        if not new:
            continue
        place = (namespace, name, day)
        took, failed = connection.execute(ROW, place).fetchone() or (None, None)
        rows.append((*place, _packed(_sum(took, new.took)), _packed(_most(failed, new))))
    connection.executemany(WRITE, rows)


def _sum(blob: bytes | None, new: Counter[int]) -> Counter[int]:
    return _unpacked(blob) + new  # Without what has become nothing.


def _most(blob: bytes | None, new: DayRuns) -> Counter[Number]:
    return Counter(dict((_unpacked(blob) + new.failed).most_common(STEPS)))


def _packed(counts: Counter[int] | Counter[Number]) -> bytes | None:
    """Keys and counts, one after the other."""
    return pack([cell for pair in counts.items() for cell in pair]) if counts else None


def _unpacked(blob: bytes | None) -> Counter[int]:
    cells = unpack(blob) if blob else []
    return Counter(dict(zip(cells[::2], cells[1::2], strict=True)))


def since(reader: Reader, name: str, day: int) -> dict[int, DayRuns]:
    """What is known of a name from that day on, by day."""
    rows = reader.connection.execute(SINCE, (reader.namespace, reader.number_of_name(name), day))
    return {day: DayRuns(_unpacked(took), _named(reader, failed)) for day, took, failed in rows}


def _named(reader: Reader, blob: bytes | None) -> Counter[Number]:
    return Counter({reader.text_of(step): count for step, count in _unpacked(blob).items()})


def forget(connection: Connection, namespace: int, day: int) -> None:
    """Remove all days before that one."""
    connection.execute("DELETE FROM days WHERE namespace = ? AND day < ?", (namespace, day))
