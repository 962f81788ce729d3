"""The tables of the archive, as they are now; ``migrations`` brings older files here.

Five hold data: ``operations`` what lists and searches need, ``attempts`` one row for each run, ``extras`` what is large
and rarely there, ``stats`` and ``days`` what is asked across operations. ``meta`` and ``texts`` hold what they share.
"""

from __future__ import annotations

from sqlalchemy import Column, Double, Index, Integer, LargeBinary, MetaData, SmallInteger, String, Table

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("key", String(32), primary_key=True),
    Column("value", String(64), nullable=False),
)
"""``version`` of the layout, the ``identity`` of this database, and for each namespace what was ``counted`` last."""

texts = Table(
    "texts",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("text", String, nullable=False),
)
"""Texts that come again and again, such as names of steps and hosts; rows elsewhere hold their number."""

operations = Table(
    "operations",
    metadata,
    Column("op", Integer, primary_key=True, autoincrement=False),
    Column("namespace", Integer, nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("parent", LargeBinary),
    Column("status", SmallInteger, nullable=False),
    Column("name", Integer, nullable=False),
    Column("score", Double, nullable=False),
    Column("ended", Double),
    Column("rev", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("outside", LargeBinary),
)
"""One row for each operation: ``key`` and ``parent`` are packed ids, ``score`` is its place in its list,
``ended`` whole seconds, ``outside`` what was said of it from outside of its runs."""

Index("operations_by_key", operations.c.namespace, operations.c.key, unique=True)
Index("operations_in_order", operations.c.namespace, operations.c.parent, operations.c.status, operations.c.score)
Index(
    "operations_by_name",
    operations.c.namespace,
    operations.c.name,
    operations.c.status,
    operations.c.score,
    sqlite_where=operations.c.parent.is_(None),
)

attempts = Table(
    "attempts",
    metadata,
    Column("op", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("head", LargeBinary, nullable=False),
    Column("current", LargeBinary),
    Column("steps", LargeBinary),
    sqlite_with_rowid=False,
)
"""One row for each run. ``current`` is the one step that lists show, ``steps`` are all others."""

extras = Table(
    "extras",
    metadata,
    Column("op", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("details", LargeBinary),
    Column("logs", LargeBinary),
    Column("results", LargeBinary),
)
"""Of a run: traceback and log lines. Of the operation, as number 0: arguments and results. Only if there are any."""

stats = Table(
    "stats",
    metadata,
    Column("namespace", Integer, primary_key=True, autoincrement=False),
    Column("name", Integer, primary_key=True, autoincrement=False),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("complete", Integer, nullable=False),
    Column("error", Integer, nullable=False),
    Column("cancelled", Integer, nullable=False),
    Column("lost", Integer, nullable=False),
    Column("kept", Integer, nullable=False),
    Column("durations", LargeBinary),
)
"""How runs of a name ended on a day (days since 1970, UTC). A day has parts, because each keeps the durations of a
bounded number of successful runs (``kept``); older parts keep only their counts."""

days = Table(
    "days",
    metadata,
    Column("namespace", Integer, primary_key=True, autoincrement=False),
    Column("name", Integer, primary_key=True, autoincrement=False),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("took", LargeBinary),
    Column("failed", LargeBinary),
)
"""Of a name and day: the spread of how long successful runs took, and how many others failed at which step."""
