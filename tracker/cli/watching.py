"""The loop behind ``tracker watch``, ``--wait`` and ``tracker demo``: follows a subject and tells a writer.

Owns what happens when: snapshot, changes, silence, the end. How it looks is the writer's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tracker.cli.exit_codes import TimedOut
from tracker.cli.feed import Feed, Follow, Inbox
from tracker.cli.source.items import Events, Item, Reset, Snapshot, Tick
from tracker.cli.subjects import Subject
from tracker.clock import elapsed, now
from tracker.errors import TrackerError
from tracker.model import LiveEvent

LONGEST_WAIT = 0.25
"""Seconds after which the loop looks at the clock although nothing was heard."""

AFTERMATH = 2.0
"""Seconds after an operation's end in which its children's last changes may still come in."""


class Writer(Protocol):
    """Shows what a watcher sees. ``stale_since``: since when there is no answer, in UTC seconds."""

    def snapshot(self, topic: str) -> None: ...
    def reset(self, reason: str) -> None: ...
    def events(self, events: list[LiveEvent]) -> None: ...
    def refresh(self, stale_since: float | None) -> float: ...
    def end(self) -> None: ...


class Ending:
    """Whether a subject is over, and what is told of its children has come as well, if it comes at all."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._since: float | None = None

    def is_reached(self) -> bool:
        """Whether nothing more is to be waited for."""
        if not self._subject.is_over():
            self._since = None
            return False
        self._since = self._since or elapsed()
        return self._subject.is_settled() or elapsed() - self._since >= AFTERMATH


def check_time(deadline: float | None, timeout: float | None) -> None:
    """Raise ``TimedOut`` if the moment ``deadline`` of the monotonic clock, ``timeout`` seconds on, has come."""
    if deadline is not None and elapsed() >= deadline:
        raise TimedOut(f"not over after {timeout:g} s; it goes on, watch it with `tracker watch`")


class Watching:
    """Follows ``subject`` until it is over. ``check`` is called all the while and may raise to end it."""

    def __init__(
        self, follow: Follow, subject: Subject, writer: Writer, check: Callable[[], None] = lambda: None
    ) -> None:
        self._follow = follow
        self._subject = subject
        self._writer = writer
        self._check = check
        self._heard = now()
        self._stale = False

    def run(self, timeout: float | None = None) -> None:
        """Return when the subject is over; raises ``TimedOut`` after ``timeout`` seconds."""
        deadline = elapsed() + timeout if timeout is not None else None
        ending = Ending(self._subject)
        inbox = Inbox[Item | TrackerError]()
        with Feed(self._follow, inbox.put):
            pause = LONGEST_WAIT
            while not ending.is_reached():
                self._check()
                check_time(deadline, timeout)
                self._take(inbox.next(pause))
                pause = min(LONGEST_WAIT, self._writer.refresh(self._heard if self._stale else None))
        self._writer.end()

    def _take(self, item: Item | TrackerError | None) -> None:
        if item is None:
            return
        if isinstance(item, TrackerError):
            raise item
        self._note(stale=isinstance(item, Tick) and item.stale)
        if isinstance(item, Reset):
            self._writer.reset(item.reason)
        elif isinstance(item, Snapshot):
            self._subject.begin(item)
            if not item.told:
                self._writer.snapshot(item.topic)
        elif isinstance(item, Events):
            self._writer.events(self._subject.apply(item))

    def _note(self, *, stale: bool) -> None:
        self._stale = stale
        if not stale:
            self._heard = now()
