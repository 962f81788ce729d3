"""The loop behind ``tracker watch``, ``--wait`` and ``tracker demo``: follows a subject and tells a writer.

Owns what happens when: snapshot, changes, silence, the end. How it looks is the writer's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from tracker.cli.exit_codes import TimedOut
from tracker.cli.feed import Feed
from tracker.cli.subjects import Subject
from tracker.clock import elapsed, now
from tracker.errors import StoreUnavailable
from tracker.model import LiveEvent

if TYPE_CHECKING:
    from tracker.store import Change, Reset, Store, Tick

LONGEST_WAIT = 0.25
"""Seconds after which the loop looks at the clock although nothing was heard."""


class Writer(Protocol):
    """Shows what a watcher sees. ``stale_since``: since when Redis has not answered, in UTC seconds."""

    def snapshot(self) -> None: ...
    def reset(self, reason: str) -> None: ...
    def events(self, events: list[LiveEvent]) -> None: ...
    def refresh(self, stale_since: float | None) -> float: ...


class Watching:
    """Follows ``subject`` until it is over. ``check`` is called all the while and may raise to end it."""

    def __init__(
        self, store: Store, subject: Subject, writer: Writer, check: Callable[[], None] = lambda: None
    ) -> None:
        self._store = store
        self._subject = subject
        self._writer = writer
        self._check = check
        self._reason: str | None = None
        self._heard = now()
        self._stale = False

    def run(self, timeout: float | None = None) -> None:
        """Return when the subject is over; raises ``TimedOut`` after ``timeout`` seconds."""
        deadline = elapsed() + timeout if timeout is not None else None
        with Feed(self._store, self._subject.id) as feed:
            pause = LONGEST_WAIT
            while not self._finished():
                self._check()
                if deadline is not None and elapsed() >= deadline:
                    raise TimedOut(f"not over after {timeout:g} s; it goes on, watch it with `tracker watch`")
                self._take(feed.next(pause))
                pause = min(LONGEST_WAIT, self._writer.refresh(self._heard if self._stale else None))

    def _finished(self) -> bool:
        return self._reason is None and self._subject.over()

    def _take(self, item: Change | Reset | Tick | None) -> None:
        from tracker.store import Change, Reset, Tick

        if isinstance(item, Tick):
            self._note(stale=item.stale)
        elif isinstance(item, Reset):
            self._reason = item.reason
        try:
            if self._reason is not None:
                self._load()
            elif isinstance(item, Change):
                self._note(stale=False)
                self._writer.events(self._subject.apply(item))
        except StoreUnavailable:
            self._note(stale=True)
            self._reason = self._reason or "Redis did not answer"

    def _load(self) -> None:
        reason = self._reason
        self._subject.load()
        self._reason = None
        self._note(stale=False)
        if reason != "start":
            self._writer.reset(str(reason))
        self._writer.snapshot()

    def _note(self, *, stale: bool) -> None:
        self._stale = stale
        if not stale:
            self._heard = now()
