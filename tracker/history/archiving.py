"""Moves ended operations from Redis to the archive, and removes from the archive what is too old.

An operation is written first and leaves Redis afterwards, as it was written: whoever is killed in between finds it in
both, and one that changed meanwhile is written again. At most one page of them has been written and not left yet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from tracker.archive import Archive
from tracker.clock import elapsed, now
from tracker.compose import status_of
from tracker.errors import Unreadable
from tracker.history.batches import give_up_rest
from tracker.history.late import Late
from tracker.history.returned import Returned
from tracker.ids import ID
from tracker.model import ENDED, Parts, Status
from tracker.record import Record
from tracker.redact import TEXT, line
from tracker.store import Leave, Store
from tracker.store.client import Holding
from tracker.store.leaving import Exchange

QUIET = 10.0
"""Seconds after its end for which an operation stays in Redis, where late events find it and watchers see its end."""

AT_ONCE = 500
"""Operations in one transaction of the archive."""

FAMILIES_AT_ONCE = 100
"""Operations with others below them that are looked at together."""

LONGEST_TURN = 2.0
"""Seconds after which a turn ends although there is more to do."""

FORGET_EVERY = 60.0
"""Seconds between two looks for what is too old."""


UNWRITABLE = (ArithmeticError, TypeError, ValueError)
"""What no database takes."""


class _Unwritable(Exception):
    """Among some records there was one that no database takes."""


@dataclass(slots=True)
class _Moved:
    """What became of operations that were to leave, and others as they were read."""

    plain: list[Record] = field(default_factory=list)
    """Those with none below them."""
    parents: list[Record] = field(default_factory=list)
    unwritten: set[str] = field(default_factory=set)
    """Those that are not in the archive: they cannot be read, no database takes them, or they were erased meanwhile."""
    left: set[str] = field(default_factory=set)
    erased: list[str] = field(default_factory=list)
    """Those that somebody has erased since they were written."""

    def take(self, exchange: Exchange) -> list[Record]:
        """Note what it tells; those of its operations that have none below them."""
        self.left |= {item.operation for item, answer in exchange.answered if answer.kind == "stored"}
        self.erased += [item.operation for item, answer in exchange.answered if answer.kind == "duplicate"]
        self.unwritten |= {error.operation for error in exchange.unreadable}
        self.parents += [record for record in exchange.records if record.parts.children.total]
        plain = [record for record in exchange.records if not record.parts.children.total]
        self.plain += plain
        return plain

    def keep(self, written: list[Record]) -> None:
        """Only these were written."""
        self.unwritten |= {record.parts.id for record in self.plain} - {record.parts.id for record in written}
        self.plain = written


class Archiving:
    """What the active recorder does with ended operations. ``days`` is how long the archive keeps them; 0: for ever."""

    def __init__(self, store: Store, archive: Archive, days: int) -> None:
        self.archived = 0
        self.removed = 0
        self.held_back: dict[str, str] = {}
        """Operations that stay in Redis as they are until a person has looked at them, and why; of the last turn."""
        self._store = store
        self._archive = archive
        self._days = days
        self._late = Late(store, archive)
        self._returned = Returned(store, archive)
        self._given_up: set[str] = set()
        """Batches of which nothing waits to be sent any more."""
        self._forgot = -FORGET_EVERY

    def turn(self) -> bool:
        """Archive what is due; whether there is more. Raises ``StoreUnavailable`` and ``ArchiveUnavailable``."""
        ends = elapsed() + LONGEST_TURN
        self.held_back = {}
        try:
            more = self._late.turn(ends)
        except Holding:
            self._move_all(ends)  # A full Redis has room for late runs only once others have left.
            raise
        more = self._move_all(ends) or more
        if self._days and elapsed() - self._forgot >= FORGET_EVERY:
            more = self._forget(ends) or more
        self._count_brief()
        # Last: it takes memory, which a full Redis has only once others have left.
        self._returned.turn()
        return more

    def _count_brief(self) -> None:
        """Those that were counted and not kept; whoever is killed in between counts them no second time."""
        taken = self._store.brief.take()
        if taken is not None:
            self._archive.count(*taken)
            self._store.brief.done()

    def _move_all(self, ends: float) -> bool:
        """Operations leave once they are written, while the next ones are read; whether time was up before all had."""
        stay, written = 0, list[Leave]()
        while True:
            in_time = elapsed() < ends
            ids = self._store.leaving.ended(QUIET, stay + len(written), AT_ONCE) if in_time else []
            moved = self._move(written, ids)
            stay += len(written) - len(moved.left)
            if not ids:
                return not in_time
            known = {record.parts.id for record in [*moved.plain, *moved.parents]} | moved.unwritten
            written = [_leave(record) for record in moved.plain]
            # Where there is nothing but an entry in the list, that leaves, if it is one of ours.
            written += [Leave(id, 0, 0) for id in ids if id not in known and ID.fullmatch(id)]
            stay += len(ids) - len(written) - self._move_parents(moved.parents, ends)

    def _move(self, leaving: Sequence[Leave], ids: Sequence[str]) -> _Moved:
        """Let some leave while others are read, of which those with none below them are written."""
        moved = _Moved()
        if ids:
            self._read_and_write(leaving, ids, moved)
        else:
            for exchange in self._store.leaving.exchange(leaving, ids):
                self._take(moved, exchange)
        self.archived += len(moved.left)
        for id in moved.erased:
            self._archive.erase(id)  # It was erased after it had been written.
        return moved

    def _take(self, moved: _Moved, exchange: Exchange) -> list[Record]:
        self.held_back |= {error.operation: str(error) for error in exchange.unreadable}
        return moved.take(exchange)

    def _read_and_write(self, leaving: Sequence[Leave], ids: Sequence[str], moved: _Moved) -> None:
        """Those read are written at once, while Redis is at the next ones; all together are kept, or none."""
        is_whole = True
        with suppress(_Unwritable), self._archive.writer() as writer:
            for exchange in self._store.leaving.exchange(leaving, ids):
                records = self._take(moved, exchange)
                is_whole = is_whole and _could(partial(writer.write, records))
            is_whole = is_whole and _could(writer.flush)
            if not is_whole:
                raise _Unwritable
            # Whoever erases one from now on finds it in the archive, and waits for that until this is done.
            erased = self._store.leaving.erased([record.parts.id for record in moved.plain])
            for id in erased:
                writer.erase(id)
            moved.keep([record for record in moved.plain if record.parts.id not in erased])
        if not is_whole:
            moved.keep(self._write(moved.plain))

    def _move_parents(self, parents: Sequence[Record], ends: float) -> int:
        """Archive operations with all below them, until the moment ``ends``; how many of them have left."""
        left = 0
        for at in range(0, len(parents), FAMILIES_AT_ONCE):
            left += self._move_families(parents[at : at + FAMILIES_AT_ONCE])
            if elapsed() >= ends:
                break
        return left

    def _move_families(self, parents: Sequence[Record]) -> int:
        """Small ones together, large ones one by one."""
        for parent in parents:
            self._give_up_rest(parent.parts)
        small = self._store.leaving.families(parents)
        known = {family[0].parts.id for family in small}
        ended = [family for family in small if all(map(_has_ended, family))]
        written = {record.parts.id for record in self._write([record for family in ended for record in family])}
        ready = [family for family in ended if all(record.parts.id in written for record in family)]
        gone = self._leave([_leave(record) for family in ready for record in family[:0:-1]])
        alone = [family[0] for family in ready if all(record.parts.id in gone for record in family[1:])]
        left = len(self._leave([_leave(record) for record in alone]))
        return left + sum(self._move_family(parent.parts.id) for parent in parents if parent.parts.id not in known)

    def _move_family(self, id: str) -> bool:
        """Children go before their parents; nothing goes while any of them runs."""
        leaving: list[Leave] = []
        try:
            for records in self._store.leaving.family(id):
                if not all(map(_has_ended, records)) or len(self._write(records)) < len(records):
                    return False
                leaving += map(_leave, records)
        except Unreadable as error:
            self.held_back[error.operation] = str(error)
            return False
        return len(self._leave(leaving[:-1])) == len(leaving) - 1 and len(self._leave(leaving[-1:])) == 1

    def _give_up_rest(self, batch: Parts) -> None:
        """Whoever was to give up what an ended dispatch had not sent may have been killed, or not have reached Redis.

        Once is enough: all that is queued afterwards has been sent, and waits for a worker.
        """
        is_batch = batch.queue is not None and batch.queue.batch
        if not (is_batch and batch.children.queued) or batch.id in self._given_up:
            return
        if _status(batch) in (Status.ERROR, Status.LOST):
            give_up_rest(self._store, batch)
            self._given_up.add(batch.id)

    def _write(self, records: list[Record]) -> list[Record]:
        """What could be written; an operation that no database takes stays where it is, and holds up no other."""
        try:
            self._archive.write(records)
        except UNWRITABLE as error:
            if len(records) == 1:
                id, why = records[0].parts.id, line(f"{type(error).__name__}: {error}", TEXT)
                self.held_back[id] = f"operation {id!r} cannot be archived ({why}); correct what it holds"
                return []
            return [written for record in records for written in self._write([record])]
        return records

    def _leave(self, items: Sequence[Leave]) -> set[str]:
        """Those that have left."""
        return self._move(items, []).left

    def _forget(self, ends: float) -> bool:
        before = now() - self._days * 86400
        while elapsed() < ends:
            gone = self._archive.remove(before)
            self.removed += gone
            if not gone:
                self._forgot = elapsed()
                return False
        return True


def _could(write: Callable[[], None]) -> bool:
    try:
        write()
    except UNWRITABLE:
        return False
    return True


def _status(parts: Parts) -> Status:
    return status_of(parts.queue, parts.run, parts.verdict)


def _has_ended(record: Record) -> bool:
    return _status(record.parts) in ENDED


def _leave(record: Record) -> Leave:
    return Leave(record.parts.id, record.parts.rev, record.parts.children.version)
