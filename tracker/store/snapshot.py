"""Reads of what is stored now: one operation whole, or a page of heads."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from tracker.complaints import Complaints
from tracker.compose import status_of
from tracker.errors import TrackerError, Unreadable
from tracker.model import LogLine, Parts, Status
from tracker.record import Record
from tracker.store.client import Client, OtherKind, mapping_of, of_kind
from tracker.store.decoding import Fields, lines_of, named, operation_of, parts_of, record_of, status_in
from tracker.store.keys import Keys

HEAD = (
    b"rev",
    b"attempt",
    b"queue",
    b"head",
    b"verdict",
    b"children",
    b"run",
    b"current",
    b"alive",
    b"cancel",
    b"quiet",
)
"""Fields of an operation's hash that a list needs."""

NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,15})?")
"""How a page begins: with the score after which it goes on."""

PAGE_PATTERN = f"^{NUMBER.pattern}~"
"""What a page looks like."""

SCAN_LIMIT = 5_000
"""Most operations one filtered page looks at, so that a rare filter cannot scan for ever."""

WINDOW = 500
"""Entries of an index looked at in one go when a filter leaves few of them."""

Entry = tuple[str, float]
"""An id in an index, with its score."""

Fits = Callable[[Parts], bool]
"""Whether an operation is one of those that are looked for."""


class Page(msgspec.Struct):
    """Part of a list; ``next`` is the position after it, ``None`` at the end.

    ``known`` are the ids of all operations of the list, also of those that were not looked for; ``None`` if not all of
    them were looked at.
    """

    items: list[Parts]
    next: str | None = None
    known: set[str] | None = None


class Snapshot:
    """Reads from one namespace."""

    def __init__(self, client: Client, keys: Keys, complaints: Complaints) -> None:
        self._client = client
        self._keys = keys
        self._complaints = complaints

    def operation(self, id: str) -> Parts | None:
        """One operation with the steps of its newest run, read in one atomic command; raises ``Unreadable``."""
        return operation_of(id, self._fields_of(id))

    def runs(self, id: str) -> Record | None:
        """One operation with all its runs, read in one atomic command; without log lines and kept results.

        Raises ``Unreadable``.
        """
        return record_of(id, self._fields_of(id), [], {})

    def _fields_of(self, id: str) -> Fields | None:
        """All of its hash; ``None`` if there is something else."""
        try:
            with self._client.answering():
                return mapping_of(self._client.execute(["HGETALL", self._keys.operation(id)]))
        except OtherKind:
            return None

    def status(self, id: str) -> Status | None:
        """Where an operation stands, or that it must not begin although it has left."""
        with self._client.answering() as redis:
            pipe = redis.pipeline(transaction=False)
            pipe.hget(self._keys.operation(id), "status")
            pipe.exists(self._keys.barred(id))
            status, is_barred = pipe.execute()
        if status:
            return status_in(id, status)
        return Status.CANCELLED if is_barred else None

    def waits(self, id: str) -> tuple[Status | None, str]:
        """Where an operation stands, and the id of the message it is to run again by."""
        with self._client.answering() as redis:
            pipe = redis.pipeline(transaction=False)
            pipe.hmget(self._keys.operation(id), "status", "message")
            pipe.exists(self._keys.barred(id))
            (status, message), is_barred = pipe.execute()
        if status:
            return status_in(id, status), _text(message)
        return Status.CANCELLED if is_barred else None, ""

    def open_children(self, id: str) -> list[str]:
        """The children of an operation that are queued or running."""
        keys = [self._keys.children(id, status) for status in (Status.QUEUED, Status.RUNNING)]
        with self._client.answering() as redis:
            return [named(child) for key in keys for child in redis.sscan_iter(key, count=WINDOW)]

    def below(self, id: str) -> list[str]:
        """All operations below one, children before their parents."""
        found, level = dict.fromkeys([id]), [id]
        with self._client.answering() as redis:
            while level:
                pipe = redis.pipeline(transaction=False)
                for parent in level:
                    pipe.zrange(self._keys.children(parent), 0, -1)
                level = [named(child) for row in pipe.execute() for child in row]
                level = [child for child in level if child not in found]
                found |= dict.fromkeys(level)
        return list(found)[:0:-1]

    def logs(self, id: str) -> list[LogLine]:
        """The last log lines of an operation, of all its attempts, oldest first; raises ``Unreadable``."""
        try:
            with self._client.answering() as redis:
                entries = redis.lrange(self._keys.log(id), 0, -1)
        except OtherKind:
            entries = None
        return lines_of(id, entries)

    def results(self, id: str) -> dict[str, bytes]:
        """What steps of an operation have kept, by key."""
        with self._client.answering() as redis:
            kept = redis.hgetall(self._keys.results(id))
        return {key.decode(): value for key, value in kept.items()}

    def top_level(
        self, page: str | None, limit: int, status: str | None, name: str | None, fits: Fits | None = None
    ) -> Page:
        """Top-level operations, newest first."""
        window = WINDOW if status or name or fits else limit
        index = self._index(self._keys.index, page, window, newest_first=True)

        def fits_all(parts: Parts) -> bool:
            return _fits(parts, status, name) and (fits is None or fits(parts))

        return self._page(index, limit, fits_all, whole=page is None)

    def children(self, id: str, page: str | None, limit: int, status: str | None) -> Page:
        """Children of an operation, in the order they were queued."""
        index = self._index(self._keys.children(id), page, WINDOW if status else limit, newest_first=False)
        if status:
            index = self._members(index, self._keys.children(id, status))
        return self._page(index, limit, lambda _: True, whole=page is None and status is None)

    def _page(self, index: Iterator[list[Entry]], limit: int, fits: Fits, *, whole: bool) -> Page:
        """The first ``limit`` operations of the index that fit; the index may be the ``whole`` list.

        A page is the score and id after which it goes on: nothing that is added before it moves it.
        """
        items: list[Parts] = []
        known = set[str]()
        last, looked_at = None, 0
        for entries in index:
            for entry, parts in zip(entries, self.heads([id for id, _ in entries]), strict=True):
                last, looked_at = position(entry), looked_at + 1
                if parts is not None:
                    known.add(parts.id)
                    items += [parts] if fits(parts) else []
                if len(items) == limit:
                    return Page(items, last)
            if looked_at >= SCAN_LIMIT:
                return Page(items, last)
        return Page(items, known=known if whole else None)

    def _index(self, key: str, page: str | None, window: int, *, newest_first: bool) -> Iterator[list[Entry]]:
        """The index from ``page`` on, a window at a time."""
        entries = self._entries(key, page, window, newest_first)
        while entries:
            yield entries
            if len(entries) < window:
                return
            entries = self._entries(key, position(entries[-1]), window, newest_first)

    def _members(self, index: Iterator[list[Entry]], key: str) -> Iterator[list[Entry]]:
        """What of the index is in the set ``key``."""
        for entries in index:
            with self._client.answering() as redis:
                held = redis.smismember(key, [id for id, _ in entries])
            yield [entry for entry, is_member in zip(entries, held, strict=True) if is_member]

    def _entries(self, key: str, after: str | None, limit: int, newest_first: bool) -> list[Entry]:
        """The next ``limit`` ids of the index; entries of equal score are told apart by id."""
        score, known = taken_apart(after) or (None, "")
        bound = repr(score) if score is not None else ("+inf" if newest_first else "-inf")
        command = ["ZREVRANGEBYSCORE", key, bound, "-inf"] if newest_first else ["ZRANGEBYSCORE", key, bound, "+inf"]
        found: list[Entry] = []
        start = 0
        while len(found) < limit:
            with self._client.answering():
                entries = _entries(self._client.execute([*command, "WITHSCORES", "LIMIT", start, limit]))
            found += [entry for entry in entries if _is_after(entry, score, known, newest_first)]
            start += limit
            if len(entries) < limit:
                break
        return found[:limit]

    def heads(self, ids: Sequence[str]) -> list[Parts | None]:
        """Operations with only the step they are at; ``None`` for what is not there or cannot be read."""
        if not ids:
            return []
        with self._client.answering() as redis:
            pipe = redis.pipeline(transaction=False)
            for id in ids:
                pipe.hmget(self._keys.operation(id), HEAD)
            rows = [of_kind(row) for row in pipe.execute(raise_on_error=False)]
        found: list[Parts | None] = []
        for id, row in zip(ids, rows, strict=True):
            try:
                found.append(parts_of(id, None if row is None else dict(zip(HEAD, row, strict=True))))
            except Unreadable as error:
                self._complaints.say("unreadable", f"left out of lists: {error}")
                found.append(None)
        return found


def _fits(parts: Parts, status: str | None, name: str | None) -> bool:
    if status is not None and status_of(parts.queue, parts.run, parts.verdict) != status:
        return False
    known = parts.queue.name if parts.queue else parts.run.name if parts.run else ""
    return name is None or known == name


def _entries(said: Sequence[Any]) -> list[Entry]:
    """Ids with their scores; the older protocol has them one after the other."""
    pairs = said if said and isinstance(said[0], list) else zip(said[::2], said[1::2], strict=True)
    return [(named(id), float(score)) for id, score in pairs]


def position(entry: Entry) -> str:
    """The page after an entry of a list."""
    id, score = entry
    return f"{score!r}~{id}"


def taken_apart(page: str | None) -> tuple[float, str] | None:
    """Score and id after which a page goes on; raises ``TrackerError`` for what is no page."""
    if page is None:
        return None
    score, tilde, id = page.partition("~")
    if not (tilde and NUMBER.fullmatch(score)):
        raise TrackerError(f"{page[:200]!r} is no page of this list; take the value of `next` as it was given")
    return float(score), id


def _is_after(entry: Entry, score: float | None, id: str, newest_first: bool) -> bool:
    if score is None or entry[1] != score:
        return True
    return entry[0] < id if newest_first else entry[0] > id


def _text(value: bytes | None) -> str:
    return value.decode() if value else ""
