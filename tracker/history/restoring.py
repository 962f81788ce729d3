"""Brings operations back from the archive into Redis, as they were, so that they can run again.

Together with what they are below, whose counts go on there. Its other children stay where they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tracker.archive import Archive, Place
from tracker.compose import status_of
from tracker.model import Parts, Status
from tracker.record import Record
from tracker.store import Back, Below, Kept, Store

AT_ONCE = 100
"""Operations looked at, or children in one call of the store, which does nothing else meanwhile."""


class Restoring:
    """Brings back what the archive of one namespace has. May raise ``StoreUnavailable`` and ``ArchiveUnavailable``."""

    def __init__(self, store: Store, archive: Archive) -> None:
        self._store = store
        self._archive = archive

    def bring_back(self, ids: Sequence[str]) -> None:
        """Have operations in Redis with what their steps kept: as they are there, or else as the archive has them."""
        for start in range(0, len(ids), AT_ONCE):
            some = ids[start : start + AT_ONCE]
            for id, parts in zip(some, self._store.heads(some), strict=True):
                parent = _parent(parts or self._archive.operation(id))
                if parent and self._store.status(parent) is None:
                    self._bring(parent)
                if parts is None:
                    self._bring(id)
                    self._bring_results(id)

    def _bring(self, id: str) -> None:
        record = self._archive.runs(id)
        if record is None:
            return
        for some in self._children(record):
            self._store.append([Below(id, [(child.id, _position(child), _status(child)) for child in some])])
        self._store.append([Back(record.parts, record.parts.attempt)])

    def _children(self, record: Record) -> Iterator[list[Parts]]:
        after: Place | None = None
        while record.parts.children.total:
            found = self._archive.children(record.parts.id, after=after, limit=AT_ONCE)
            yield found
            if len(found) < AT_ONCE:
                return
            after = (_position(found[-1]), found[-1].id)

    def _bring_results(self, id: str) -> None:
        """Redis forgets them some days after their operation has left."""
        kept = {} if self._store.results(id) else self._archive.results(id)
        for key, result in kept.items():
            self._store.append([Kept(id, {key: result})])


def _parent(parts: Parts | None) -> str:
    if parts is None:
        return ""
    return parts.queue.parent if parts.queue else parts.run.parent if parts.run else ""


def _position(parts: Parts) -> float:
    """The place in its list, as archive and store have it."""
    index = parts.queue.index if parts.queue else 0
    return float(index or (parts.queue.created if parts.queue else parts.run.created if parts.run else 0.0))


def _status(parts: Parts) -> Status:
    return status_of(parts.queue, parts.run, parts.verdict)
