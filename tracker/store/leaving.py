"""What leaves Redis for the archive: ended operations with all that belongs to them, and replays that wait."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from tracker.model import Value
from tracker.record import Record
from tracker.store.client import Client, Command, Line, NoScript
from tracker.store.keys import Keys
from tracker.store.snapshot import record_of

if TYPE_CHECKING:
    from tracker.store.append import Answer, Appender, Leave

PAGE = 500
"""Operations read at once."""

AT_ONCE = 20
"""Operations that leave, and others that are read, while Redis does nothing else."""

FEW = 50
"""Operations of a family that is read together with others."""


class ArchiveInfo(Value, frozen=True):
    """Where a recorder keeps its archive: the archive's own id, and for people the machine and the address."""

    identity: str
    host: str
    address: str


_place = msgspec.json.Decoder(ArchiveInfo).decode


class Exchange(NamedTuple):
    """Operations that were to leave, with what Redis said to that, and others as they are there."""

    answered: list[tuple[Leave, Answer]]
    records: list[Record]


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
        return [id.decode() for id in found]

    def families(self, records: Sequence[Record]) -> list[list[Record]]:
        """Each of the operations with all below it, parents before their children; those with few below them only.

        All are read together, so it takes as many trips as the deepest of them has levels.
        """
        few = [record for record in records if record.parts.children.total < FEW]
        found, level = {record.parts.id: [record] for record in few}, {record.parts.id: record for record in few}
        root_of = {id: id for id in level}
        while parents := [id for id, record in level.items() if record.parts.children.total]:
            children = self._first_children(parents)
            root_of |= {child: root_of[parent] for parent, ids in children.items() for child in ids}
            below = self.records([child for ids in children.values() for child in ids])
            for record in below:
                found[root_of[record.parts.id]].append(record)
            level = {record.parts.id: record for record in below if len(found[root_of[record.parts.id]]) < FEW}
        return [family for family in found.values() if len(family) < FEW]

    def _first_children(self, parents: Sequence[str]) -> dict[str, list[str]]:
        with self._client.answering() as redis:
            pipe = redis.pipeline(transaction=False)
            for id in parents:
                pipe.zrange(self._keys.children(id), 0, FEW - 1)
            rows = pipe.execute()
        return {id: [child.decode() for child in row] for id, row in zip(parents, rows, strict=True)}

    def family(self, id: str) -> Iterator[list[Record]]:
        """An operation and all below it, in pages, children before their parents."""
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
                yield [child.decode() for child in found]
            if len(found) < PAGE:
                return
            start += PAGE

    def records(self, ids: Sequence[str]) -> list[Record]:
        """Everything of those operations that are here."""
        return [record for exchange in self.exchange([], ids) for record in exchange.records]

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
        beside = self._read_beside(ids) if ids and line.answer() else [([], {})] * len(ids)
        read = [record_of(id, all, *more) for id, all, more in zip(ids, fields, beside, strict=True)]
        return Exchange(list(zip(leaving, answers, strict=True)), [record for record in read if record is not None])

    def _beside(self, ids: Sequence[str]) -> list[str]:
        """Where lines and kept results of operations are; most have none, and that is told by one command."""
        return [key for id in ids for key in (self._keys.log(id), self._keys.results(id))]

    def _read_beside(self, ids: Sequence[str]) -> list[tuple[list[bytes], dict[bytes, bytes]]]:
        with self._client.answering() as redis:
            pipe = redis.pipeline(transaction=False)
            for id in ids:
                pipe.lrange(self._keys.log(id), 0, -1)
                pipe.hgetall(self._keys.results(id))
            rows = pipe.execute()
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
