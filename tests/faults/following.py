"""A follower in a thread that holds what it was told as a watcher holds it: a snapshot at each reset, then changes."""

from __future__ import annotations

import threading
from collections import defaultdict

from tests.store.revs import beginnings, counted
from tracker.compose import compose
from tracker.model import Operation, Parts
from tracker.store import Change, Reset, Store, Tick, View


class Following:
    """Follows ``store``; ``operation`` as ``Store.follow`` takes it. Ask it to stop, then join it."""

    def __init__(self, store: Store, operation: str | None = None) -> None:
        self.resets: list[str] = []
        self.changes: list[Change] = []
        self.seen: dict[str, Operation] = {}
        self.stale = False
        self._store = Store(store.client.url, store.keys.namespace)
        self._operation = operation
        self._begun: dict[str, list[int]] = defaultdict(list)
        self._view = View(self._store.operation)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="following", daemon=True)
        self._thread.start()

    def revs(self, id: str) -> list[int]:
        """The rev of every event heard of an operation since the last reset, in the order they came.

        As everywhere here, each is counted from where the store began to count them.
        """
        changes = [change for change in self.changes if change.operation == id]
        revs = [rev for change in changes for rev in range(change.first_rev, change.rev + 1)]
        return counted(revs, self._begun[id])

    def rev(self, id: str) -> int:
        """Up to where the operation is known."""
        operation = self.seen.get(id)
        return counted([operation.rev], self._begun[id])[0] if operation else 0

    def ask_to_stop(self) -> None:
        self._stop.set()

    def join(self) -> None:
        self._thread.join()
        self._store.client.disconnect()

    def _follow(self) -> None:
        for item in self._store.follow(operation=self._operation, stop=self._stop):
            self.stale = isinstance(item, Tick) and item.stale
            if isinstance(item, Reset):
                self._begin_anew(item)
            elif isinstance(item, Change):
                if item.fresh:
                    self._begun[item.operation].append(item.first_rev - 1)
                self._view.apply(item)
                self.changes.append(item)
                self.seen = self.seen | self._composed(item.operation, item.parent)

    def _begin_anew(self, reset: Reset) -> None:
        self._view = View(self._store.operation)
        for parts in self._snapshot():
            self._view.put(parts)
        for id, begun in beginnings(self._store).items():
            self._begun[id] += begun
        self.changes = []
        self.seen = self._composed(*self._view.parts)
        self.resets.append(reset.reason)

    def _snapshot(self) -> list[Parts]:
        """With the steps, which pages of lists leave out."""
        whole = [self._store.operation(head.id) for head in self._store.operations(limit=500).items]
        return [parts for parts in whole if parts is not None]

    def _composed(self, *ids: str) -> dict[str, Operation]:
        return {id: compose(self._view.parts[id]) for id in ids if id in self._view.parts}


def stored(store: Store) -> dict[str, Operation]:
    """What a follower that missed nothing holds."""
    whole = [store.operation(head.id) for head in store.operations(limit=500).items]
    return {parts.id: compose(parts) for parts in whole if parts is not None}
