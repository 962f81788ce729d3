"""The tables of the archive, as they are now; ``migrations`` brings older files here.

Five hold data: ``operations`` what lists and searches need, ``attempts`` one row for each run, ``extras`` what is large
and rarely there, ``stats`` and ``days`` what is asked across operations. ``meta`` and ``texts`` hold what they share.
"""

from __future__ import annotations

from typing import NamedTuple

META = """
    CREATE TABLE meta (
        "key" VARCHAR(32) NOT NULL,
        value VARCHAR(64) NOT NULL,
        PRIMARY KEY ("key")
    )"""
"""``version`` of the layout, the ``identity`` of this database, and for each namespace what was ``counted`` last."""

TEXTS = """
    CREATE TABLE texts (
        id INTEGER NOT NULL,
        text VARCHAR NOT NULL,
        PRIMARY KEY (id)
    )"""
"""Texts that come again and again, such as names of steps and hosts; rows elsewhere hold their number."""

OPERATIONS = """
    CREATE TABLE operations (
        op INTEGER NOT NULL,
        namespace INTEGER NOT NULL,
        "key" BLOB NOT NULL,
        parent BLOB,
        status SMALLINT NOT NULL,
        name INTEGER NOT NULL,
        score DOUBLE NOT NULL,
        ended DOUBLE,
        rev INTEGER NOT NULL,
        attempt INTEGER NOT NULL,
        outside BLOB,
        PRIMARY KEY (op)
    )"""
"""One row for each operation: ``key`` and ``parent`` are packed ids, ``score`` is its place in its list,
``ended`` whole seconds, ``outside`` what was said of it from outside of its runs."""


class OperationRow(NamedTuple):
    """A row of ``operations``."""

    op: int
    namespace: int
    key: bytes
    parent: bytes | None
    status: int
    name: int
    score: float
    ended: float | None
    rev: int
    attempt: int
    outside: bytes | None


INDEXES = (
    'CREATE UNIQUE INDEX operations_by_key ON operations (namespace, "key")',
    "CREATE INDEX operations_in_order ON operations (namespace, parent, status, score)",
    "CREATE INDEX operations_by_name ON operations (namespace, name, status, score) WHERE parent IS NULL",
)

ATTEMPTS = """
    CREATE TABLE attempts (
        op INTEGER NOT NULL,
        number INTEGER NOT NULL,
        head BLOB NOT NULL,
        current BLOB,
        steps BLOB,
        PRIMARY KEY (op, number)
    ) WITHOUT ROWID"""
"""One row for each run. ``current`` is the one step that lists show, ``steps`` are all others."""


class AttemptRow(NamedTuple):
    """A row of ``attempts``."""

    op: int
    number: int
    head: bytes
    current: bytes | None
    steps: bytes | None


EXTRAS = """
    CREATE TABLE extras (
        op INTEGER NOT NULL,
        number INTEGER NOT NULL,
        details BLOB,
        logs BLOB,
        results BLOB,
        PRIMARY KEY (op, number)
    )"""
"""Of a run: traceback and log lines. Of the operation, as number 0: arguments and results. Only if there are any."""


class ExtraRow(NamedTuple):
    """A row of ``extras``."""

    op: int
    number: int
    details: bytes | None
    logs: bytes | None
    results: bytes | None


STATS = """
    CREATE TABLE stats (
        namespace INTEGER NOT NULL,
        name INTEGER NOT NULL,
        day INTEGER NOT NULL,
        part INTEGER NOT NULL,
        complete INTEGER NOT NULL,
        error INTEGER NOT NULL,
        cancelled INTEGER NOT NULL,
        lost INTEGER NOT NULL,
        kept INTEGER NOT NULL,
        durations BLOB,
        PRIMARY KEY (namespace, name, day, part)
    )"""
"""How runs of a name ended on a day (days since 1970, UTC). A day has parts, because each keeps the durations of a
bounded number of successful runs (``kept``); older parts keep only their counts."""

DAYS = """
    CREATE TABLE days (
        namespace INTEGER NOT NULL,
        name INTEGER NOT NULL,
        day INTEGER NOT NULL,
        took BLOB,
        failed BLOB,
        PRIMARY KEY (namespace, name, day)
    )"""
"""Of a name and day: the spread of how long successful runs took, and how many others failed at which step."""

LAYOUT = (META, TEXTS, OPERATIONS, *INDEXES, ATTEMPTS, EXTRAS, STATS, DAYS)
