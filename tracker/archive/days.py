"""What the runs of a name were like on each day: how long successful ones took, and at which step others failed.

One row for each name and day, so that a look at a quarter of a year reads a hundred rows, however much was run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from tracker.archive.codec import Number
from tracker.archive.packing import pack, unpack
from tracker.archive.reading import Reader
from tracker.archive.spread import DayRuns
from tracker.archive.tables import days

STEPS = 50
"""Steps of a name and day at which runs failed that are kept: those where most did."""

Place = tuple[int, int]
"""A name and a day."""

_mine = (days.c.namespace == bindparam("of_namespace"), days.c.name == bindparam("of_name"))
_this = (*_mine, days.c.day == bindparam("of_day"))

# Made once: SQLAlchemy needs longer for making such a statement than SQLite for executing it.
ROW = select(days.c.took, days.c.failed).where(*_this)
RENEW = update(days).where(*_this).values(took=bindparam("took"), failed=bindparam("failed"))
SINCE = select(days).where(*_mine, days.c.day >= bindparam("since")).order_by(days.c.day)


def add(connection: Connection, namespace: int, news: Mapping[Place, DayRuns]) -> None:
    """Add what is new of each name and day; what is taken back counts as less than nothing."""
    added = []
    for (name, day), new in news.items():
        if not new:
            continue
        place = {"of_namespace": namespace, "of_name": name, "of_day": day}
        row = connection.execute(ROW, place).first()
        cells = {"took": _packed(_sum(row and row.took, new.took)), "failed": _packed(_most(row and row.failed, new))}
        if row:
            connection.execute(RENEW, place | cells)
        else:
            added.append({"namespace": namespace, "name": name, "day": day} | cells)
    if added:
        connection.execute(insert(days), added)


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
    mine = {"of_namespace": reader.namespace, "of_name": reader.number_of_name(name), "since": day}
    found: dict[int, DayRuns] = {}
    for row in reader.connection.execute(SINCE, mine):
        failed = {reader.text_of(step): count for step, count in _unpacked(row.failed).items()}
        found[row.day] = DayRuns(_unpacked(row.took), Counter(failed))
    return found


def forget(connection: Connection, namespace: int, day: int) -> None:
    """Remove all days before that one."""
    connection.execute(delete(days).where(days.c.namespace == namespace, days.c.day < day))
