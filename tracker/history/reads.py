"""What is stored, wherever it is: the reads of the store, with the archive behind them.

Redis is asked first and the archive afterwards: what moves from one to the other meanwhile is found in at least one,
and where it is in both, Redis knows it better. A position in a list is a score and an id, and both stores order by
these; a page is what is next in either of them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from tracker.archive import Archive, merged
from tracker.errors import ArchiveUnavailable
from tracker.history.search import Place, Search
from tracker.ids import ID
from tracker.model import LogLine, Parts
from tracker.record import Record
from tracker.store import Page, Store
from tracker.store.snapshot import SCAN_LIMIT, WINDOW, position, taken_apart

Found = TypeVar("Found")

log = logging.getLogger("tracker")


class Reads:
    """The reads of a ``Store``. ``forgiving`` is for live views: what runs is shown although the archive fails."""

    def __init__(self, store: Store, archive: Archive | None, *, forgiving: bool = False) -> None:
        self._store = store
        self._archive = archive
        self._forgiving = forgiving
        self._complained = False

    def operation(self, id: str) -> Parts | None:
        """One operation with its steps, ``None`` if there is none of that id."""
        if not ID.fullmatch(id):
            return None
        parts = self._store.operation(id) or self._ask(lambda archive: archive.operation(id), None)
        # It may have come back meanwhile, to be run again.
        return parts or self._store.operation(id)

    def runs(self, id: str) -> Record | None:
        """One operation with all its runs, wherever each is kept, ``None`` if there is none of that id."""
        if not ID.fullmatch(id):
            return None
        live, kept = self._store.runs(id), self._ask(lambda archive: archive.runs(id), None)
        if live is not None and kept is not None:
            return merged(kept, live)
        return live or kept or self._store.runs(id)

    def logs(self, id: str) -> list[LogLine]:
        """The log lines of an operation, of all its attempts, oldest first."""
        live = self._store.logs(id)
        lines = [*self._ask(lambda archive: archive.logs(id), list[LogLine]()), *live]
        found = {(line.attempt, line.number): line for line in lines}
        return [found[place] for place in sorted(found)]

    def results(self, id: str) -> dict[str, bytes]:
        """What steps of an operation have kept, by key; Redis keeps that for some days after all else has left."""
        return self._store.results(id) or self._ask(lambda archive: archive.results(id), dict[str, bytes]())

    def operations(
        self,
        *,
        page: str | None = None,
        limit: int = 50,
        status: str | None = None,
        name: str | None = None,
        search: Search | None = None,
    ) -> Page:
        """Top-level operations, newest first, without their steps."""
        after = taken_apart(page)
        if search is not None:
            return self._found(search, search.start(after), limit, status, name)
        live = self._store.operations(page=page, limit=limit, status=status, name=name)
        nothing: list[Parts] = []
        kept = self._ask(lambda archive: archive.top_level(after=after, limit=limit, status=status, name=name), nothing)
        return self._joined(live, kept, limit, _by_time, newest_first=True)

    def _found(self, search: Search, after: Place | None, limit: int, status: str | None, name: str | None) -> Page:
        """A page of what is looked for; the archive has no index for it, so it is looked through as far as Redis is."""
        page = position((after[1], after[0])) if after else None
        live = self._store.operations(page=page, limit=limit, status=status, name=name, fits=search.fits)
        nothing: tuple[list[Parts], Place | None] = [], None

        def look(archive: Archive) -> tuple[list[Parts], Place | None]:
            return _looked_through(archive, search, after, limit, status, name)

        kept, looked_until = self._ask(look, nothing)
        found = self._joined(live, kept, limit, _by_time, newest_first=True, until=looked_until)
        at = taken_apart(found.next)
        return Page(found.items) if at is not None and search.is_over(at) else found

    def children(self, id: str, *, page: str | None = None, limit: int = 50, status: str | None = None) -> Page:
        """Children of an operation in the order they were queued, without their steps."""
        after = taken_apart(page)
        live = self._store.children(id, page=page, limit=limit, status=status)
        nothing: list[Parts] = []
        kept = self._ask(lambda archive: archive.children(id, after=after, limit=limit, status=status), nothing)
        return self._joined(live, kept, limit, _by_index, newest_first=False)

    def _ask(self, question: Callable[[Archive], Found], nothing: Found) -> Found:
        """The archive's answer, ``nothing`` where there is none: who only reads makes none."""
        if self._archive is None or not self._archive.exists:
            return nothing
        try:
            return question(self._archive)
        except ArchiveUnavailable as error:
            if not self._forgiving:
                raise
            if not self._complained:
                log.warning("tracker: live views leave out what is archived: %s", error)
            self._complained = True
            return nothing

    def _joined(
        self,
        live: Page,
        kept: list[Parts],
        limit: int,
        place_of: Callable[[Parts], Place],
        *,
        newest_first: bool,
        until: Place | None = None,
    ) -> Page:
        """What comes first of both; neither shows what lies behind the point up to which the other one has looked.

        ``until`` is how far the archive was looked through, if not to its end nor to the last of a full page.
        """
        if not kept and until is None:
            return live
        edges = [edge for edge in (taken_apart(live.next), until) if edge is not None]
        if len(kept) == limit:
            edges.append(place_of(kept[-1]))
        edge = (max if newest_first else min)(edges, default=None)
        placed = {place_of(parts): parts for parts in [*self._only_there(kept, live.known), *live.items]}
        near = [at for at in placed if edge is None or (at >= edge if newest_first else at <= edge)]
        shown = sorted(near, reverse=newest_first)[:limit]
        last = shown[-1] if len(near) > limit else edge
        return Page([placed[at] for at in shown], position((last[1], last[0])) if last is not None else None)

    def _only_there(self, kept: Sequence[Parts], known: set[str] | None) -> list[Parts]:
        """Those of the archive that are not in Redis as well, where they may stand otherwise by now.

        Redis is asked once more if it is not ``known`` from its part of the list.
        """
        if known is not None:
            return [parts for parts in kept if parts.id not in known]
        here = self._store.leaving.here([(parts.id, "") for parts in kept])
        return [parts for parts, (is_here, _) in zip(kept, here, strict=True) if not is_here]


def _looked_through(
    archive: Archive, search: Search, after: Place | None, limit: int, status: str | None, name: str | None
) -> tuple[list[Parts], Place | None]:
    """The next operations that are looked for, and how far was looked if there is more behind that."""
    found: list[Parts] = []
    for _ in range(SCAN_LIMIT // WINDOW):
        some = archive.top_level(after=after, limit=WINDOW, status=status, name=name)
        for parts in some:
            after = _by_time(parts)
            if search.is_over(after):
                return found, None
            if search.fits(parts):
                found.append(parts)
            if len(found) == limit:
                return found, after
        if len(some) < WINDOW:
            return found, None
    return found, after


def _by_time(parts: Parts) -> Place:
    created = parts.queue.created if parts.queue else parts.run.created if parts.run else 0.0
    return created, parts.id


def _by_index(parts: Parts) -> Place:
    index = parts.queue.index if parts.queue else 0
    return (float(index), parts.id) if index else _by_time(parts)
