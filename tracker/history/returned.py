"""Numbers the attempts of operations that come back after they have left for the archive.

Redis knows nothing of what has left, and counts their attempts from 1 again.
"""

from __future__ import annotations

from tracker.archive import Archive, runs_of
from tracker.errors import Unreadable
from tracker.store import Earlier, Store

AT_ONCE = 20
"""Operations in one call of the store, which does nothing else meanwhile."""


class Returned:
    """Looks at every run once, soon after it began, and tells the store how many attempts the archive has before it."""

    def __init__(self, store: Store, archive: Archive) -> None:
        self._store = store
        self._archive = archive
        self._seen: set[str] = set()

    def turn(self) -> None:
        """Look at the runs that are new; raises ``StoreUnavailable`` and ``ArchiveUnavailable``."""
        runs = list(self._store.live_runs())
        new = {run.operation for run in runs if run.run not in self._seen}
        known = self._archive.heads(sorted(new)) if new else {}
        items = [Earlier(id, count) for id in known if (count := self._count(id))]
        for start in range(0, len(items), AT_ONCE):
            self._store.append_apart(items[start : start + AT_ONCE])
        self._seen = {run.run for run in runs}

    def _count(self, id: str) -> int:
        """The highest number the archive gives to a run that is not known here; 0 if that cannot be read."""
        try:
            record = self._store.runs(id)
        except Unreadable:
            return 0
        here = {attempt.run.run for attempt in runs_of(record)} if record is not None else set()
        return max((known.number for known in self._archive.attempts(id) if known.run.run not in here), default=0)
