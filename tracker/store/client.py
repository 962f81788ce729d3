"""The Redis connections: short time limits and no retries of the library's own.

redis-py repeats a command by default, which stores it twice when only the answer was lost, and can
block for minutes; whoever calls here has a retry loop of its own that knows what may be repeated.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tracker.errors import StoreUnavailable
from tracker.redact import TEXT, line
from tracker.settings import without_password

CONNECT_TIMEOUT = 0.5
"""Seconds to wait for a connection."""

ANSWER_TIMEOUT = 1.0
"""Seconds to wait for an answer."""

WRONG_TYPE = "WRONGTYPE"
"""Code of the error that tells of another kind of value than was asked for."""

Command = Sequence[Any]
"""A command of Redis with its arguments."""

NoScript = redis.exceptions.NoScriptError

REFUSALS = (redis.exceptions.NoPermissionError, redis.exceptions.AuthenticationError)
"""Errors that no waiting mends: the user or password is wrong, or may not do this."""


HOLDING = {
    "OOM": "it has no memory left; raise its maxmemory, or give it less to keep",
    "MISCONF": "it cannot write to its disk; make room there and look into its log",
    "READONLY": "it is a replica; if it stays one, let TRACKER_REDIS_URL lead to the primary",
    "LOADING": "it is still reading its data from disk",
    "BUSY": "a script keeps it busy; SCRIPT KILL ends one that only reads",
    "NOREPLICAS": "it has fewer replicas than its min-replicas-to-write asks for",
    "MASTERDOWN": "it is a replica that has lost its primary",
    "CLUSTERDOWN": "its cluster is not complete",
    "TRYAGAIN": "its cluster is moving keys",
}
"""By the code of an error that passes: why Redis stores nothing now, and what to do about it."""


CODES: dict[type[Exception], str] = {
    redis.exceptions.OutOfMemoryError: "OOM",
    redis.exceptions.ReadOnlyError: "READONLY",
    redis.exceptions.BusyLoadingError: "LOADING",
    redis.exceptions.MasterDownError: "MASTERDOWN",
    redis.exceptions.ClusterDownError: "CLUSTERDOWN",
    redis.exceptions.TryAgainError: "TRYAGAIN",
}


class Refused(StoreUnavailable):
    """Redis answered and said no; only a person can mend that."""


class OtherKind(Refused):
    """Under that key there is another kind of value than was asked for."""


class Holding(StoreUnavailable):
    """Redis answered that it can store nothing now. It is well worth asking again; ``code`` says why."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class Rejected(StoreUnavailable):
    """Redis answered that this one call makes no sense; another one may."""


MAKES_NO_SENSE = (OtherKind, Rejected)
"""What is raised for a call because of what it is about, so that another one may do."""


class Client:
    """One process's connection to one Redis; made at first use, and anew after a fork."""

    def __init__(self, url: str, answer_timeout: float = ANSWER_TIMEOUT) -> None:
        self.url = url
        self.answer_timeout = answer_timeout
        self._redis: Any = None
        self._pid = 0
        self._kept: _Kept | None = None

    @property
    def redis(self) -> Any:
        """The redis-py client of this process."""
        if self._redis is None or self._pid != os.getpid():
            self._redis, self._pid = self._connect(), os.getpid()
            self._kept = _Kept(self._redis.connection_pool)
        return self._redis

    def execute(self, command: Command) -> Any:
        """Redis's answer to one command; errors of redis-py are raised as they are.

        Most of what a command costs here is redis-py's pool, and all it does around a command. So there is a connection
        beside the pool for whoever comes first; those who find it in use go through the pool.
        """
        redis, kept = self.redis, self._kept
        if kept is None or not kept.free.acquire(blocking=False):
            return redis.execute_command(*command)
        try:
            return kept.execute(command)
        finally:
            kept.free.release()

    def _connect(self) -> Any:
        """A client; what redis-py does not take of the URL is said here, without its words: they may quote it."""
        try:
            made = redis.Redis.from_url(
                self.url,
                retry=Retry(NoBackoff(), 0),
                socket_connect_timeout=CONNECT_TIMEOUT,
                socket_timeout=self.answer_timeout,
                decode_responses=False,
            )
            # Options are looked at only when a connection is made, which may be in a thread that nobody watches.
            made.connection_pool.connection_class(**made.connection_pool.connection_kwargs)
        except (TypeError, ValueError, AttributeError, redis.RedisError) as error:
            raise Refused(f"TRACKER_REDIS_URL cannot be used ({type(error).__name__}); check its options") from None
        return made

    def disconnect(self) -> None:
        """Drop the connections; the next call makes new ones, to whatever the address leads to then."""
        if self._redis is not None and self._pid == os.getpid():
            self._redis.connection_pool.disconnect()
            if self._kept is not None:
                self._kept.disconnect()

    @contextmanager
    def answering(self) -> Iterator[Any]:
        """The client, with every failure to reach Redis turned into ``StoreUnavailable``."""
        try:
            yield self.redis
        except (redis.RedisError, OSError) as error:
            raise self._translated(error) from error

    @contextmanager
    def line(self) -> Iterator[Line]:
        """A connection of its own, on which more is asked before all is answered; failures are told as above."""
        with self.answering() as redis, redis.client() as mine:
            try:
                yield Line(mine)
            except BaseException:
                mine.connection.disconnect()  # What is still to come would answer others.
                raise

    def _translated(self, error: Exception) -> StoreUnavailable:
        address, said = without_password(self.url), line(f"{type(error).__name__}: {error}", TEXT)
        code = _code(error)
        if code == WRONG_TYPE:
            return OtherKind(f"Redis at {address} refused ({said}); look which other program writes there")
        if isinstance(error, REFUSALS) or code == "NOPERM":
            return Refused(f"Redis at {address} refused ({said}); check user, password and permissions")
        if code in HOLDING:
            return Holding(f"Redis at {address} stores nothing now: {HOLDING[code]} ({code})", code)
        if isinstance(error, redis.ResponseError):
            return Rejected(f"Redis at {address} cannot do this ({said})")
        return StoreUnavailable(
            f"Redis at {address} did not answer ({said}); check that it runs and that TRACKER_REDIS_URL is right"
        )


class _Kept:
    """A connection that is used by one thread at a time, which holds ``free``."""

    def __init__(self, pool: Any) -> None:
        self.free = threading.Lock()
        self._is_open = self._is_gone = False
        self._connection: Any = pool.connection_class(**pool.connection_kwargs)

    def execute(self, command: Command) -> Any:
        connection = self._connection
        if self._is_gone or (self._is_open and self._is_closed()):
            connection.disconnect()
        self._is_open = self._is_gone = False
        try:
            connection.send_packed_command([_packed(command)], check_health=False)
            answer = connection.read_response()
        except redis.ResponseError:
            self._is_open = True
            raise
        except BaseException:
            connection.disconnect()  # The answer that is still to come would be taken for that to the next command.
            raise
        self._is_open = True
        return answer

    def disconnect(self) -> None:
        """Close it now, or if it is in use, before it is used next."""
        self._is_gone = True
        if self.free.acquire(blocking=False):
            try:
                self._connection.disconnect()
            finally:
                self.free.release()

    def _is_closed(self) -> bool:
        """Whether there is something to read although nothing was asked: usually that the other side has closed it."""
        try:
            return bool(self._connection.can_read())
        except redis.RedisError:
            return True


class Line:
    """One connection. Redis works on what is asked while the caller does something else."""

    def __init__(self, redis: Any) -> None:
        self._redis = redis

    def ask(self, commands: Sequence[Command]) -> None:
        """Send commands, of which each has to be answered in its turn."""
        self._redis.connection.send_packed_command([b"".join(map(_packed, commands))], check_health=False)

    def answer(self) -> Any:
        """What Redis says to the oldest command that is not answered yet."""
        return self._redis.connection.read_response()

    def mapping(self) -> dict[bytes, bytes] | None:
        """What it says to a command that is answered with a mapping; ``None``, if there is another kind of value."""
        try:
            return mapping_of(self.answer())
        except redis.ResponseError as error:
            return of_kind(error)  # type: ignore[no-any-return]


def mapping_of(said: Any) -> dict[bytes, bytes]:
    """A mapping that Redis has answered; the older protocol has none, and tells names and values in turns."""
    return said if isinstance(said, dict) else dict(zip(said[::2], said[1::2], strict=True))


def _packed(command: Command) -> bytes:
    """A command as it is sent, an array of texts; redis-py takes four times as long for it.

    >>> _packed(("LLEN", "a"))
    b'*2\\r\\n$4\\r\\nLLEN\\r\\n$1\\r\\na\\r\\n'
    """
    parts = [b"*%d\r\n" % len(command)]
    for given in command:
        data = given if isinstance(given, bytes) else str(given).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(parts)


def of_kind(answer: Any) -> Any:
    """An answer out of many; ``None`` if there is another kind of value than was asked for. Other errors are raised."""
    if not isinstance(answer, redis.ResponseError):
        return answer
    if _code(answer) != WRONG_TYPE:
        raise answer
    return None


def _code(error: Exception) -> str:
    """The first word of Redis's answer, which redis-py takes off where it has a class of its own for it.

    Redis 6.2 wraps what goes wrong inside a script: "Error running script (…): … -READONLY You can't write …".
    """
    known = CODES.get(type(error))
    inside = re.search(r"-([A-Z]+) ", str(error)) if str(error).startswith("Error running script") else None
    return known or (inside[1] if inside else str(error).partition(" ")[0])
