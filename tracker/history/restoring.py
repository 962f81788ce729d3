"""Brings operations back from the archive into Redis, as they were, so that they can run again.

Together with what they are below, whose counts go on there. Its other children stay where they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tracker.archive import Archive, Place
from tracker.compose import status_of
from tracker.model import Parts, Status
from tracker.store import Back, Below, Kept, Store

PAGE = 100
"""Operations looked at together, and children whose places are brought in one call of the store."""

AT_ONCE = 20
"""Operations brought back in one call of the store, which does nothing else meanwhile."""


class Restoring:
    """Brings back what the archive of one namespace has. May raise ``StoreUnavailable`` and ``ArchiveUnavailable``."""

    def __init__(self, store: Store, archive: Archive) -> None:
        self._store = store
        self._archive = archive

    def bring_back(self, ids: Sequence[str]) -> None:
        """Have operations in Redis with what their steps kept: as they are there, or else as the archive has them."""
        for start in range(0, len(ids), PAGE):
            some = ids[start : start + PAGE]
            here = [parts for parts in self._store.heads(some) if parts is not None]
            away = self._away(some)
            self._bring(self._away(sorted({_parent(parts) for parts in [*here, *away]} - {""})))
            self._bring(away)
            self._bring_results([parts.id for parts in away])

    def _away(self, ids: Sequence[str]) -> list[Parts]:
        """Those of the operations that only the archive has."""
        found = zip(ids, self._store.heads(ids), strict=True)
        return list(self._archive.whole([id for id, parts in found if parts is None]).values())

    def _bring(self, away: Sequence[Parts]) -> None:
        """Operations, each after the places of its children."""
        for parts in away:
            for some in self._children(parts):
                children = [(child.id, _position(child), _status(child)) for child in some]
                self._store.append([Below(parts.id, children)])
        for start in range(0, len(away), AT_ONCE):
            self._store.append([Back(parts, parts.attempt) for parts in away[start : start + AT_ONCE]])

    def _children(self, parts: Parts) -> Iterator[list[Parts]]:
        after: Place | None = None
        while parts.children.total:
            found = self._archive.children(parts.id, after=after, limit=PAGE)
            yield found
            if len(found) < PAGE:
                return
            after = (_position(found[-1]), found[-1].id)

    def _bring_results(self, ids: Sequence[str]) -> None:
        """Redis forgets them some days after their operation has left."""
        for id, kept in self._archive.kept(ids).items():
            if not self._store.results(id):
                for key, result in kept.items():
                    self._store.append([Kept(id, {key: result})])


def _parent(parts: Parts) -> str:
    return parts.queue.parent if parts.queue else parts.run.parent if parts.run else ""


def _position(parts: Parts) -> float:
    """The place in its list, as archive and store have it."""
    index = parts.queue.index if parts.queue else 0
    return float(index or (parts.queue.created if parts.queue else parts.run.created if parts.run else 0.0))


def _status(parts: Parts) -> Status:
    return status_of(parts.queue, parts.run, parts.verdict)
