"""Followers of a store, each in a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tests.store.revs import beginnings, counted
from tests.support import wait_for
from tracker.model import LiveEvent, Parts
from tracker.store import Change, Reset, Store, Tick, View


class Watching:
    """A follower in a thread, with the view it keeps."""

    def __init__(self, store: Store, operation: str | None) -> None:
        self.resets: list[str] = []
        self.events: list[LiveEvent] = []
        self.stale = False
        self.read: list[str] = []
        """The operations that had to be read, as their changes did not tell everything."""
        self._store = store
        self._operation = operation
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()
        wait_for(lambda: self.resets)

    def _follow(self) -> None:
        view = View(self._load)
        for item in self._store.follow(operation=self._operation, stop=self._stop):
            if isinstance(item, Reset):
                for parts in self._store.operations(limit=500).items:
                    view.put(parts)
                self.resets.append(item.reason)
            elif isinstance(item, Change):
                self.events += view.apply(item)
            elif isinstance(item, Tick):
                self.stale = item.stale

    def _load(self, id: str) -> Parts | None:
        self.read.append(id)
        return self._store.operation(id)

    def revs(self, id: str) -> list[int]:
        """The revs heard of one operation, counts of children apart, each counted from the beginning before it."""
        heard = [e.operation.rev for e in self.events if e.operation.id == id and e.type != "operation.update"]
        return counted(heard, beginnings(self._store)[id])

    def ask_to_stop(self) -> None:
        self._stop.set()

    def join(self) -> None:
        self._thread.join()


Watch = Callable[..., Watching]
"""Starts one: of everything, or of the operation that is named."""
