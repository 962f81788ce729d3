"""The connection to the database: how SQLite is opened and used, and what is said when it does not answer.

The only module that knows SQLite by name. Safe for threads, each of which takes a connection of its own from the pool,
and for forks: a child opens the file anew.
"""

from __future__ import annotations

import os
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from tracker.archive.address import path_of
from tracker.errors import ArchiveUnavailable

PATIENCE = 10.0
"""Longest wait, in seconds, for another process that writes."""

PAUSE = 0.02
"""Seconds between two tries."""

PRAGMAS = (
    f"busy_timeout = {int(PATIENCE * 1000)}",
    # With a write-ahead log this survives a killed process; after a power cut the last transactions may be missing.
    "synchronous = normal",
    # What was erased is not to be found in the file either.
    "secure_delete = on",
    "cache_size = -16000",
)

WRITES = "tracker_writes"
"""The execution option of connections that are going to write."""

HINTS = (
    ("disk is full", "make room on its disk"),
    ("disk I/O", "look at its disk, and for limits on the size of files"),
    ("readonly", "let this user write to the file and its folder"),
    ("unable to open", "let this user write to the file and its folder"),
    ("Permission denied", "let this user write to the file and its folder"),
    ("locked", "another process has been writing for long; end it"),
    ("", "move the file away, or set TRACKER_ARCHIVE_URL to another one"),
)
"""What to do, by a part of what SQLite says."""

_abandoned: list[Engine] = []
"""Engines of a parent process: closing their connections here would release locks that the parent holds."""


class Database:
    """One database file. Nothing is opened before it is used; ``prepare`` is then called once in each process."""

    def __init__(self, url: str, prepare: Callable[[Engine], None]) -> None:
        # Of any other URL not even a part is shown: each may be a piece of a password.
        self.path = path_of(url)
        self._prepare = prepare
        self._engine: Engine | None = None
        self._pid = 0

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one state of the database throughout; raises ``ArchiveUnavailable``."""
        with self._answering(), self._opened().begin() as connection, self.decoding():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection inside the one writing transaction, which ends with the block; raises as ``reading``."""
        with self._answering(), self._opened().execution_options(**{WRITES: True}).begin() as connection:
            yield connection

    @contextmanager
    def decoding(self) -> Iterator[None]:
        """Around what makes values of rows: a row that makes no sense is a fault of the file."""
        try:
            yield
        except (zlib.error, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise ArchiveUnavailable(
                f"the archive {self.path} holds a damaged row ({type(error).__name__}); restore it from a backup"
            ) from error

    def flush(self) -> None:
        """Move what was written into the file, and empty the log, unless somebody reads at the moment."""
        with self._answering(), self._opened().connect() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None
            driver.execute("PRAGMA wal_checkpoint(truncate)")

    def close(self) -> None:
        """Close all connections; the next use opens them again."""
        if self._engine is not None and self._pid == os.getpid():
            self._engine.dispose()
        self._engine = None

    def _opened(self) -> Engine:
        engine = self._engine
        if engine is None or self._pid != os.getpid():
            if engine is not None:
                _abandoned.append(engine)
            engine = self._open()
            self._engine, self._pid = engine, os.getpid()
        return engine

    def _open(self) -> Engine:
        if self.path is None:
            raise ArchiveUnavailable(
                "the archive's URL is not one of a SQLite file; write it as sqlite:////var/lib/tracker/archive.sqlite3"
            )
        _make_file(self.path)
        url = URL.create("sqlite", database=str(self.path))
        engine = create_engine(url, max_overflow=-1, connect_args={"timeout": PATIENCE})
        event.listen(engine, "connect", _set_up)
        event.listen(engine, "begin", _begin)
        _use_log(engine)
        self._prepare(engine)
        return engine

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, OSError) as error:
            said = str(error.orig if isinstance(error, DBAPIError) else error).partition("\n")[0]
            hint = next(hint for part, hint in HINTS if part in said)
            raise ArchiveUnavailable(f"the archive {self.path} cannot be used: {said}; {hint}") from None


def _make_file(path: Path) -> None:
    """An empty file that nobody else can read; SQLite gives its side files the same rights.

    One that is there is not touched: to close it once would free the locks of all this process's connections to it, and
    another process would take the write-ahead log for one that nobody uses, and delete it.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _use_log(engine: Engine) -> None:
    """Switch to a write-ahead log: readers do not wait for the writer. A file once switched stays so.

    Two processes that switch a new file at once get in each other's way, and SQLite does not wait there by itself.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with engine.connect() as connection:
                driver = connection.connection.driver_connection
                assert driver is not None
                driver.execute("PRAGMA journal_mode = wal")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise OSError(str(error)) from None
            time.sleep(PAUSE)


def _set_up(connection: sqlite3.Connection, record: Any) -> None:
    # Transactions begin where we say, not where sqlite3 guesses.
    connection.isolation_level = None
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
