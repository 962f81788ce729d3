"""A watcher in a thread: everything it was told, and what it makes of it."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from tests.sources.telling import Turn, by_operation, lines, turns
from tests.support import wait_for
from tracker.cli.source import Source
from tracker.cli.source.items import Item, Reset, Snapshot, Tick
from tracker.cli.source.resuming import followed
from tracker.errors import TrackerError
from tracker.model import ENDED


class Watcher:
    """Follows an operation as commands do; use as a context manager. ``error`` is what has ended it."""

    def __init__(self, source: Source, id: str | None, after: str = "") -> None:
        self.items: list[Item] = []
        self.error: TrackerError | None = None
        self._stop = threading.Event()
        self._follow = lambda: followed(source, id, self._stop, after)
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(30)

    def _run(self) -> None:
        try:
            for item in self._follow():
                self.items.append(item)
        except TrackerError as error:
            self.error = error

    @property
    def told(self) -> list[Item]:
        """What is more than a sign of life."""
        return [item for item in list(self.items) if not isinstance(item, Tick)]

    @property
    def resets(self) -> list[str]:
        return [item.reason for item in self.told if isinstance(item, Reset)]

    @property
    def turns(self) -> dict[str, list[Turn]]:
        """What has turned since the first snapshots, by operation."""
        return by_operation(turns(lines(self.told)))

    def begins(self, topics: int = 2) -> None:
        """Wait until it has been shown how things stand."""
        wait_for(lambda: sum(isinstance(item, Snapshot) for item in self.told) >= topics or self.error)

    def sees(self, id: str, status: str) -> None:
        """Wait until an operation has got this status."""
        wait_for(lambda: (id, "status", status) in self.turns.get(id, []) or self.error)

    def sees_end(self, *ids: str) -> None:
        """Wait until operations have ended."""
        ends = {(id, "status", str(status)) for id in ids for status in ENDED}
        wait_for(lambda: all(ends & set(self.turns.get(id, [])) for id in ids) or self.error)
