"""The recorder: judges silent runs and applies retention. One is active per namespace, others stand by and take over.

Killing it at any moment loses nothing: the next one goes on with what is stored.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from tracker.clock import elapsed
from tracker.errors import StoreUnavailable
from tracker.history.liveness import Liveness
from tracker.ids import new_run
from tracker.store import Hold, Store, Trim

EVERY = 5.0
"""Seconds between two turns."""

SILENCE = 3 * EVERY
"""Seconds after which a silent active recorder is replaced by one that stands by."""

LOG_EVERY = 60.0
"""Seconds between two log lines about the same trouble."""

log = logging.getLogger("tracker")


class Recorder:
    """Judges the silent runs of one namespace, and keeps it within its retention.

    >>> recorder = Recorder(Store("redis://localhost:6379/0"))
    >>> recorder.active
    False
    """

    def __init__(self, store: Store, tell: Callable[[str], object] = log.info) -> None:
        self.active = False
        self.trimmed = 0
        self._store = store
        self._liveness = Liveness(store, late=SILENCE)
        self._tell = tell
        self._told: bool | None = None
        self._token = new_run()
        self._complained = -LOG_EVERY

    def run(self, wait: Callable[[float], bool]) -> None:
        """Work until ``wait`` (for so many seconds) answers that it is time to stop; while Redis is away, stand by."""
        self.turn()
        while not wait(EVERY):
            self.turn()
        self._let_go()

    def turn(self) -> None:
        """Take or keep the active place if it is free, and do what is due."""
        try:
            (answer,) = self._store.append([Hold(self._token, SILENCE)])
            self._note(answer.kind == "stored")
            if self.active:
                self._liveness.turn()
                self._trim()
        except StoreUnavailable as error:
            self._liveness.forget()
            self.active, self._told = False, None
            self._complain(error)

    def _trim(self) -> None:
        """Short calls, so that nobody else waits for Redis."""
        before = self.trimmed
        while removed := self._store.append([Trim()])[0].number:
            self.trimmed += removed
        if self.trimmed > before:
            self._tell(f"removed {self.trimmed - before} ended operations whose days in Redis are over")

    def _let_go(self) -> None:
        """A recorder that ends well makes place at once."""
        try:
            self._store.append([Hold(self._token, 0)])
        except StoreUnavailable:
            return

    def _note(self, active: bool) -> None:
        if self._told is not active:
            self._tell("the recorder is active" if active else "another recorder is active; standing by")
        self.active = self._told = active

    def _complain(self, error: StoreUnavailable) -> None:
        if elapsed() - self._complained >= LOG_EVERY:
            self._complained = elapsed()
            log.warning("tracker: the recorder waits: %s", error)
