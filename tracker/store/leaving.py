"""What leaves Redis for the archive: ended operations with all that belongs to them, and replays that wait."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from tracker.errors import Unreadable
from tracker.model import Value
from tracker.record import Record
from tracker.store.client import Client, Command, Line, NoScript, of_kind
from tracker.store.decoding import named, record_of
from tracker.store.keys import Keys

if TYPE_CHECKING:
    from tracker.store.append import Answer, Appender, Leave

PAGE = 500
"""Operations read at once."""

AT_ONCE = 20
"""Operations that leave, and others that are read, while Redis does nothing else."""

FEW = 50
"""Operations of a family that is read together with others."""


SCANNED_AT_ONCE = 1_000
"""Keys of Redis, of whomever, that are looked at while it does nothing else."""

SCANS = 1_000
"""Most looks: Redis may be full of what others keep there."""

Beside = tuple[list[bytes] | None, dict[bytes, bytes] | None]
"""Lines and kept results of an operation; ``None``, where there is something else under their key."""

NOTHING_BESIDE: Beside = ([], {})


class ArchiveInfo(Value, frozen=True):
    """Where a recorder keeps its archive: the archive's own id, and for people the machine and the address."""

    identity: str
    host: str
    address: str


_place = msgspec.json.Decoder(ArchiveInfo).decode


class Exchange(NamedTuple):
    """Operations that were to leave, with what Redis said to that, and others that are there, if they can be read."""

    answered: list[tuple[Leave, Answer]]
    records: list[Record]
    unreadable: list[Unreadable]


class Examined(NamedTuple):
    """Operations that cannot be read, among so many that were ``looked_at``; whether there are ``more``."""

    unreadable: list[Unreadable]
    looked_at: int
    more: bool


class Leaving:
    """One namespace's operations on their way to its recorder."""

    def __init__(self, client: Client, keys: Keys, appender: Appender) -> None:
        self._client = client
        self._keys = keys
        self._appender = appender

    def ended(self, seconds: float, skip: int, limit: int) -> list[str]:
        """Operations below no other one that ended at least so many seconds ago by Redis's clock, oldest first."""
        with self._client.answering() as redis:
            now, micros = redis.time()
            until = now + micros / 1_000_000 - seconds
            found = redis.zrangebyscore(self._keys.ended, "-inf", until, start=skip, num=limit)
        return [named(id) for id in found]

    def families(self, records: Sequence[Record]) -> list[list[Record]]:
        """Each of the operations with all below it, parents before their children.

        Those only that have few below them, all of which can be read. All are read together, so it takes as many trips
        as the deepest of them has levels.
        """
        few = [record for record in records if record.parts.children.total < FEW]
        found, level = {record.parts.id: [record] for record in few}, {record.parts.id: record for record in few}
        root_of, spoiled = {id: id for id in level}, set[str]()
        while parents := [id for id, record in level.items() if record.parts.children.total]:
            children = self._first_children(parents)
            root_of |= {child: root_of[parent] for parent, ids in children.items() for child in ids}
            level = {}
            for exchange in self.exchange([], [child for ids in children.values() for child in ids]):
                spoiled |= {root_of[error.operation] for error in exchange.unreadable}
                level |= {record.parts.id: record for record in exchange.records}
            for id, record in level.items():
                found[root_of[id]].append(record)
            level = {id: record for id, record in level.items() if len(found[root_of[id]]) < FEW}
        return [family for root, family in found.items() if len(family) < FEW and root not in spoiled]

    def _first_children(self, parents: Sequence[str]) -> dict[str, list[str]]:
        with self._client.answering() as redis:
            pipe = redis.pipeline(transaction=False)
            for id in parents:
                pipe.zrange(self._keys.children(id), 0, FEW - 1)
            rows = pipe.execute()
        return {id: [named(child) for child in row] for id, row in zip(parents, rows, strict=True)}

    def family(self, id: str) -> Iterator[list[Record]]:
        """An operation and all below it, in pages, children before their parents; raises ``Unreadable``."""
        records = self.records([id])
        if records and records[0].parts.children.total:
            for ids in self._children(id):
                yield from self._families(ids)
        yield records

    def _families(self, ids: list[str]) -> Iterator[list[Record]]:
        records = self.records(ids)
        for record in records:
            if record.parts.children.total:
                yield from self.family(record.parts.id)
        yield [record for record in records if not record.parts.children.total]

    def _children(self, id: str) -> Iterator[list[str]]:
        start = 0
        while True:
            with self._client.answering() as redis:
                found = redis.zrange(self._keys.children(id), start, start + PAGE - 1)
            if found:
                yield [named(child) for child in found]
            if len(found) < PAGE:
                return
            start += PAGE

    def records(self, ids: Sequence[str]) -> list[Record]:
        """Everything of those operations that are here; raises ``Unreadable``."""
        found: list[Record] = []
        for exchange in self.exchange([], ids):
            if exchange.unreadable:
                raise exchange.unreadable[0]
            found += exchange.records
        return found

    def unreadable(self, most: int) -> Examined:
        """Look at operations that are here, some ``most`` of them, whether they can be read."""
        found, looked_at, cursor = list[Unreadable](), 0, 0
        prefix = self._keys.operation("")
        for _ in range(SCANS):
            with self._client.answering() as redis:
                cursor, keys = redis.scan(cursor, match=f"{prefix}*", count=SCANNED_AT_ONCE)
            for exchange in self.exchange([], [named(key).removeprefix(prefix) for key in keys]):
                found += exchange.unreadable
            looked_at += len(keys)
            if cursor == 0 or looked_at >= most:
                break
        return Examined(found, looked_at, cursor != 0)

    def exchange(self, leaving: Sequence[Leave], ids: Sequence[str]) -> Iterator[Exchange]:
        """Let operations leave, and read everything of others that are here, some of either at a time.

        Redis is at the next ones already while the caller looks at some.
        """
        starts = range(0, max(len(leaving), len(ids)), AT_ONCE)
        turns = [(leaving[start : start + AT_ONCE], ids[start : start + AT_ONCE]) for start in starts]
        with self._client.line() as line:
            for now, then in pairwise([None, *turns, None]):
                if then is not None:
                    line.ask(self._asking(*then))
                if now is not None:
                    yield self._answered(line, *now)

    def _asking(self, leaving: Sequence[Leave], ids: Sequence[str]) -> list[Command]:
        commands: list[Command] = [self._appender.command(leaving)] if leaving else []
        commands += [("HGETALL", self._keys.operation(id)) for id in ids]
        return [*commands, ("EXISTS", *self._beside(ids))] if ids else commands

    def _answered(self, line: Line, leaving: Sequence[Leave], ids: Sequence[str]) -> Exchange:
        answers = self._answers(line, leaving) if leaving else []
        fields = [line.mapping() for _ in ids]
        # Whatever comes to be there after its hash was read keeps an operation from leaving as it was then.
        beside = self._read_beside(ids) if ids and line.answer() else [NOTHING_BESIDE] * len(ids)
        exchange = Exchange(list(zip(leaving, answers, strict=True)), [], [])
        for id, all, (lines, kept) in zip(ids, fields, beside, strict=True):
            try:
                record = record_of(id, all, lines, kept)
            except Unreadable as error:
                exchange.unreadable.append(error)
            else:
                exchange.records.extend([record] if record is not None else [])
        return exchange

    def _beside(self, ids: Sequence[str]) -> list[str]:
        """Where lines and kept results of operations are; most have none, and that is told by one command."""
        return [key for id in ids for key in (self._keys.log(id), self._keys.results(id))]

    def _read_beside(self, ids: Sequence[str]) -> list[Beside]:
        with self._client.answering() as redis:
            pipe = redis.pipeline(transaction=False)
            for id in ids:
                pipe.lrange(self._keys.log(id), 0, -1)
                pipe.hgetall(self._keys.results(id))
            rows = [of_kind(row) for row in pipe.execute(raise_on_error=False)]
        return list(zip(rows[::2], rows[1::2], strict=True))

    def _answers(self, line: Line, leaving: Sequence[Leave]) -> list[Answer]:
        try:
            return self._appender.answers(line.answer())
        except NoScript:
            return self._appender(leaving)

    def archive(self) -> ArchiveInfo | None:
        """Where the last active recorder keeps its archive."""
        with self._client.answering() as redis:
            place = redis.get(self._keys.archive)
        return _place(place) if place else None

    def here(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[bool, bool]]:
        """For each operation and run: whether the operation is known here, and whether the run is."""
        if not pairs:
            return []
        with self._client.answering() as redis:
            # Most pages of an archive hold nothing that is here, and that is told by one command.
            if not redis.exists(*(self._keys.operation(id) for id, _ in pairs)):
                return [(False, False)] * len(pairs)
            pipe = redis.pipeline(transaction=False)
            for id, run in pairs:
                pipe.hmget(self._keys.operation(id), "status", f"seq:{run}")
            rows: list[list[Any]] = pipe.execute()
        return [(row[0] is not None, row[1] is not None) for row in rows]

    def erased(self, ids: Sequence[str]) -> list[str]:
        """Those that somebody has erased lately, and that have not come to be here again."""
        keys = [self._keys.barred(id) for id in ids]
        with self._client.answering() as redis:
            if not keys or not redis.exists(*keys):
                return []
            marks = redis.mget(keys)
        # Of those that were cancelled it is only known that they must not begin.
        marked = [id for id, mark in zip(ids, marks, strict=True) if mark and mark[:1].isdigit()]
        here = self.here([(id, "") for id in marked])
        return [id for id, (is_here, _) in zip(marked, here, strict=True) if not is_here]

    def late(self, limit: int) -> list[bytes]:
        """The oldest replayed blobs that wait, as they were told."""
        with self._client.answering() as redis:
            return list(redis.lrange(self._keys.late, 0, limit - 1))

    def drop_late(self, blobs: Sequence[bytes]) -> None:
        """They are taken care of; those that others have removed meanwhile are not missed."""
        with self._client.answering() as redis:
            pipe = redis.pipeline(transaction=False)
            for blob in blobs:
                pipe.lrem(self._keys.late, 1, blob)
            pipe.execute()
