"""The connection to the database: how SQLite is opened and used, and what is said when it does not answer.

Safe for threads, each of which takes a connection of its own, and for forks: a child opens the file anew.
"""

from __future__ import annotations

import os
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from sqlite3 import Connection
from typing import TypeVar

from tracker.archive.address import path_of
from tracker.errors import ArchiveUnavailable

PATIENCE = 10.0
"""Longest wait, in seconds, for another process that writes."""

PAUSE = 0.02
"""Seconds between two tries."""

IDLE = 5
"""Connections that are kept open for the next who needs one."""

AT_ONCE = 500
"""How many rows one statement asks for by number or by key."""

PRAGMAS = (
    f"busy_timeout = {int(PATIENCE * 1000)}",
    # With a write-ahead log this survives a killed process; after a power cut the last transactions may be missing.
    "synchronous = normal",
    # What was erased is not to be found in the file either.
    "secure_delete = on",
    "cache_size = -16000",
)

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

Item = TypeVar("Item")

_abandoned: list[list[Connection]] = []
"""Connections of a parent process: closing them here would release locks that the parent holds."""


class Database:
    """One database file. Nothing is opened before it is used; ``prepare`` is then called once in each process."""

    def __init__(self, url: str, prepare: Callable[[Connection], None]) -> None:
        # Of any other URL not even a part is shown: each may be a piece of a password.
        self.path = path_of(url)
        self._prepare = prepare
        self._prepared = False
        self._idle: list[Connection] = []
        self._pid = os.getpid()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one state of the database throughout; raises ``ArchiveUnavailable``."""
        with self._lent() as connection, transaction(connection), self.decoding():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection inside the one writing transaction, which ends with the block; raises as ``reading``."""
        with self._lent() as connection, transaction(connection, writes=True):
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
        with self._lent() as connection:
            connection.execute("PRAGMA wal_checkpoint(truncate)")

    def close(self) -> None:
        """Close all connections that nobody uses; the next use opens them again."""
        idle = self._own()
        self._idle, self._prepared = [], False
        _close_all(idle)

    @contextmanager
    def _lent(self) -> Iterator[Connection]:
        """A connection for one user, who gives it back in order or not at all."""
        with self._answering():
            idle = self._own()
            connection = self._taken(idle)
            try:
                yield connection
            except BaseException:
                connection.close()
                raise
            if len(idle) < IDLE:
                idle.append(connection)
            else:
                connection.close()
            if idle is not self._idle:  # Closed meanwhile, perhaps just before this one was given back.
                _close_all(idle)

    def _own(self) -> list[Connection]:
        """The connections of this process that nobody uses."""
        if self._pid != os.getpid():
            _abandoned.append(self._idle)
            self._idle, self._prepared, self._pid = [], False, os.getpid()
        return self._idle

    def _taken(self, idle: list[Connection]) -> Connection:
        with suppress(IndexError):
            return idle.pop()
        return self._connect() if self._prepared else self._open()

    def _open(self) -> Connection:
        if self.path is None:
            raise ArchiveUnavailable(
                "the archive's URL is not one of a SQLite file; write it as sqlite:////var/lib/tracker/archive.sqlite3"
            )
        _make_file(self.path)
        connection = self._connect()
        try:
            _use_log(connection)
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        self._prepared = True
        return connection

    def _connect(self) -> Connection:
        # Transactions begin where we say, not where sqlite3 guesses.
        connection = sqlite3.connect(str(self.path), timeout=PATIENCE, isolation_level=None, check_same_thread=False)
        try:
            for pragma in PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            said = str(error).partition("\n")[0]
            hint = next(hint for part, hint in HINTS if part in said)
            raise ArchiveUnavailable(f"the archive {self.path} cannot be used: {said}; {hint}") from None


@contextmanager
def transaction(connection: Connection, *, writes: bool = False) -> Iterator[None]:
    """Commit what the block did; after an error the connection is to be closed, which takes it back."""
    connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
    yield
    connection.commit()


def among(statement: str, items: Sequence[object]) -> str:
    """A statement with as many places as there are items where it says ``(…)``.

    >>> among("SELECT op FROM operations WHERE key IN (…)", [b"a", b"b"])
    'SELECT op FROM operations WHERE key IN (?, ?)'
    """
    return statement.replace("(…)", f"({', '.join('?' * len(items))})")


def chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """``items``, at most ``AT_ONCE`` of them at a time."""
    for begin in range(0, len(items), AT_ONCE):
        yield items[begin : begin + AT_ONCE]


def insertion(table: str, columns: Sequence[str], verb: str = "INSERT") -> str:
    """The statement that writes rows of these columns.

    >>> insertion("texts", ("id", "text"))
    'INSERT INTO texts (id, text) VALUES (?, ?)'
    """
    return among(f"{verb} INTO {table} ({', '.join(columns)}) VALUES (…)", columns)


def _close_all(idle: list[Connection]) -> None:
    """However many threads do it at once, and whoever gives one back meanwhile."""
    with suppress(IndexError):
        while True:
            idle.pop().close()


def _make_file(path: Path) -> None:
    """An empty file that nobody else can read; SQLite gives its side files the same rights.

    One that is there is not touched: to close it once would free the locks of all this process's connections to it, and
    another process would take the write-ahead log for one that nobody uses, and delete it.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _use_log(connection: Connection) -> None:
    """Switch to a write-ahead log: readers do not wait for the writer. A file once switched stays so.

    Two processes that switch a new file at once get in each other's way, and SQLite does not wait there by itself.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = wal")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(PAUSE)
