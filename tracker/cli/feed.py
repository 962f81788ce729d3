"""What a source follows, read in a thread, so that the main one can draw, count time, hear keys and be interrupted."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from tracker.cli.source.items import Item
from tracker.errors import TrackerError

LIMIT = 10_000
"""Items that may wait; beyond that the reader waits, and whoever sends notices a slow client."""

Follow = Callable[[threading.Event], Iterator[Item]]
"""Follows something until the event is set."""

T = TypeVar("T")


class Inbox(Generic[T]):
    """What several threads tell the main one."""

    def __init__(self) -> None:
        self._items: queue.Queue[T] = queue.Queue(LIMIT)

    def put(self, item: T, stop: threading.Event) -> None:
        """Hand over an item, unless ``stop`` is set while there is no room."""
        while not stop.is_set():
            try:
                self._items.put(item, timeout=0.5)
                return
            except queue.Full:
                continue

    def next(self, timeout: float) -> T | None:
        """The next item, ``None`` if there is none for ``timeout`` seconds."""
        try:
            return self._items.get(timeout=timeout) if timeout > 0 else self._items.get_nowait()
        except queue.Empty:
            return None


class Feed:
    """What is followed, in a thread of its own that hands each item to ``tell``; use as a context manager.

    An error that ends the following is told as the last item.
    """

    def __init__(self, follow: Follow, tell: Callable[[Item | TrackerError, threading.Event], None]) -> None:
        self._stop = threading.Event()
        self._follow = follow
        self._tell = tell
        self._thread = threading.Thread(target=self._read, name="feed", daemon=True)

    def __enter__(self) -> Feed:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Follow no longer; returns at once."""
        self._stop.set()

    def _read(self) -> None:
        try:
            for item in self._follow(self._stop):
                self._tell(item, self._stop)
        except TrackerError as error:
            self._tell(error, self._stop)
