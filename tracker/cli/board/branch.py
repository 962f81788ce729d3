"""One subject that is followed for the board: an operation with its children, or everything."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from tracker.cli.feed import Feed, Follow
from tracker.cli.source.items import Events, Item, Reset, Snapshot, Tick
from tracker.cli.subjects import Everything, One
from tracker.clock import now
from tracker.errors import TrackerError
from tracker.model import LiveEvent

S = TypeVar("S", bound=One | Everything)


class Told:
    """Something a branch was told."""

    __slots__ = ("branch", "item")

    def __init__(self, branch: Branch[Any], item: Item | TrackerError) -> None:
        self.branch = branch
        self.item = item


class Branch(Generic[S]):
    """Follows ``subject`` from now on until it is closed; what it is told goes to ``tell`` first, then to ``take``."""

    def __init__(self, subject: S, follow: Follow, tell: Callable[[Told, threading.Event], None]) -> None:
        self.subject = subject
        self.stale_since: float | None = None
        """Since when there is no answer, in UTC seconds."""
        self.is_begun = False
        self._heard = now()
        self._feed = Feed(follow, lambda item, stop: tell(Told(self, item), stop))
        self._feed.__enter__()

    def close(self) -> None:
        """Follow no longer."""
        self._feed.close()

    def take(self, item: Item | TrackerError) -> list[LiveEvent] | None:
        """Fold an item in; the news in it, ``None`` if nothing is to be drawn anew. Raises what ended the following."""
        if isinstance(item, TrackerError):
            raise item
        before = self.stale_since
        self._note(stale=isinstance(item, Tick) and item.stale)
        if isinstance(item, Snapshot):
            self.subject.begin(item)
            self.is_begun = True
            return []
        if isinstance(item, Events):
            return self.subject.apply(item) or None
        return [] if isinstance(item, Reset) or before != self.stale_since else None

    def _note(self, *, stale: bool) -> None:
        if not stale:
            self._heard, self.stale_since = now(), None
        elif self.stale_since is None:
            self.stale_since = self._heard
