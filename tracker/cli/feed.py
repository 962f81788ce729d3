"""Reads a store's changes in a thread, so that the main thread can draw, count time and be interrupted."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tracker.errors import TrackerError

if TYPE_CHECKING:
    from tracker.store import Change, Reset, Store, Tick

    Item = Change | Reset | Tick

LIMIT = 10_000
"""Items that may wait; beyond that the reader waits, and Redis notices a slow client."""


class Feed:
    """What ``store.follow`` yields, with a time limit on every wait; use as a context manager."""

    def __init__(self, store: Store, operation: str | None = None) -> None:
        self._items: queue.Queue[Item | TrackerError] = queue.Queue(LIMIT)
        self._stop = threading.Event()
        source = store.follow(operation=operation, stop=self._stop)
        self._thread = threading.Thread(target=self._read, args=(source,), name="feed", daemon=True)

    def __enter__(self) -> Feed:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()

    def next(self, timeout: float) -> Item | None:
        """The next item, ``None`` if there is none for ``timeout`` seconds."""
        try:
            item = self._items.get(timeout=max(0.0, timeout))
        except queue.Empty:
            return None
        if isinstance(item, TrackerError):
            raise item
        return item

    def _read(self, source: Iterator[Item]) -> None:
        try:
            for item in source:
                self._hand_over(item)
        except TrackerError as error:
            self._hand_over(error)

    def _hand_over(self, item: Item | TrackerError) -> None:
        while not self._stop.is_set():
            try:
                self._items.put(item, timeout=0.5)
                return
            except queue.Full:
                continue
