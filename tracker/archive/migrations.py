"""The layout of the file: made once, brought forward by numbered steps, never backward."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from sqlite3 import Connection

from tracker.archive.database import transaction
from tracker.archive.tables import LAYOUT
from tracker.errors import ArchiveUnavailable

Step = Callable[[Connection], None]


def _add_days(connection: Connection) -> None:
    """What was written before says nothing of its days: they begin with what is written from now on."""
    connection.execute(
        "CREATE TABLE days (namespace INTEGER NOT NULL, name INTEGER NOT NULL, day INTEGER NOT NULL, "
        "took BLOB, failed BLOB, PRIMARY KEY (namespace, name, day))"
    )


STEPS: Sequence[Step] = (_add_days,)
"""The step at place n brings layout n + 1 to n + 2. A step says in its own SQL what it does, for the tables move on."""


def bring_up(connection: Connection) -> None:
    """Make the tables, or bring them to this version, in one transaction that waits for those of other processes.

    Raises ``ArchiveUnavailable`` if the file is of a newer version.
    """
    with transaction(connection):
        version = _version(connection)
    if version == _newest():
        return
    with transaction(connection, writes=True):
        _bring_up(connection, _version(connection))


def _newest() -> int:
    return len(STEPS) + 1


def _version(connection: Connection) -> int:
    """The layout of the file; 0 if it is empty. Raises ``ArchiveUnavailable`` if it is somebody else's."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        return 0
    if not tables >= {"meta", "operations"}:
        raise ArchiveUnavailable(
            "the archive's file is a database of another program; set TRACKER_ARCHIVE_URL to another file"
        )
    return int(connection.execute("SELECT value FROM meta WHERE key = 'version'").fetchone()[0])


def _bring_up(connection: Connection, version: int) -> None:
    if version > _newest():
        raise ArchiveUnavailable(
            f"the archive has layout {version}, made by a newer version of steptracker, and this one knows layouts "
            f"up to {_newest()}; upgrade steptracker, or set TRACKER_ARCHIVE_URL to another file"
        )
    if version == 0:
        for statement in LAYOUT:
            connection.execute(statement)
        rows = {"version": str(_newest()), "identity": uuid.uuid4().hex}
        connection.executemany("INSERT INTO meta (key, value) VALUES (?, ?)", rows.items())
        return
    for step in STEPS[version - 1 :]:
        step(connection)
    connection.execute("UPDATE meta SET value = ? WHERE key = 'version'", (str(_newest()),))
