"""The recorder: judges silent runs, archives ended operations, applies retention.

One is active per namespace, others stand by and take over. Killing it at any moment loses nothing: the next one goes on
with what is stored.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from tracker.archive import Archive
from tracker.complaints import Complaints
from tracker.errors import ArchiveUnavailable, StoreUnavailable, TrackerError
from tracker.history.archiving import Archiving
from tracker.history.liveness import Liveness
from tracker.history.quiet import QuietRuns
from tracker.history.stuck import Stuck
from tracker.ids import new_run
from tracker.process import host
from tracker.settings import Settings
from tracker.store import MAKES_NO_SENSE, ArchiveInfo, Hold, Store, Trim

EVERY = 5.0
"""Seconds between two turns."""

SILENCE = 3 * EVERY
"""Seconds after which a silent active recorder is replaced by one that stands by."""

log = logging.getLogger("tracker")


FAILED = "something of the recorder failed; it goes on"


class Recorder:
    """Keeps one namespace: its operations that ended go to ``archive``, and stay there for ``days`` (0: for ever).

    >>> recorder = Recorder(Store("redis://localhost:6379/0"))
    >>> recorder.active
    False
    """

    def __init__(
        self, store: Store, archive: Archive | None = None, days: int = 0, tell: Callable[[str], object] = log.info
    ) -> None:
        self.active = False
        self.trimmed = 0
        self._store = store
        self._archive = archive
        self._archiving = Archiving(store, archive, days) if archive is not None else None
        self._liveness = Liveness(store, SILENCE, QuietRuns(store, archive) if archive is not None else None)
        self._stuck = Stuck(store)
        self._tell = tell
        self._told: bool | None = None
        self._token = new_run()
        self._complaints = Complaints()

    @classmethod
    def of(cls, settings: Settings, store: Store, tell: Callable[[str], object] = log.info) -> Recorder:
        """The recorder of the namespace and the archive that the settings name."""
        return cls(store, Archive(settings.archive, settings.namespace), settings.archive_days, tell)

    @property
    def archived(self) -> int:
        """How many operations it has moved to the archive."""
        return self._archiving.archived if self._archiving is not None else 0

    def run(self, wait: Callable[[float], bool]) -> None:
        """Work until ``wait`` (for so many seconds) answers that it is time to stop; while Redis is away, stand by."""
        while not wait(0 if self._turned() else EVERY):
            pass
        self._let_go()
        if self._archive is not None:
            self._archive.close()

    def _turned(self) -> bool:
        """What nobody has thought of ends a turn, and not all those to come."""
        try:
            return self.turn()
        except Exception:
            self._complaints.say("failed", FAILED, exc_info=True)
            return False

    def turn(self) -> bool:
        """Take or keep the active place if it is free, and do what is due; whether there is more to do at once."""
        try:
            (answer,) = self._store.append([Hold(self._token, SILENCE, self._info())])
            self._note(answer.kind == "stored")
            if self.active:
                for duty in (self._liveness.turn, self._stuck.turn, self._trim, self._clear_feed):
                    self._do(duty)
                return self._archive_due()
        except StoreUnavailable as error:
            self._liveness.forget()
            self._stuck.forget()
            self.active, self._told = False, None
            self._complain(error)
        return False

    def _do(self, duty: Callable[[], None]) -> None:
        """What is in Redis may keep one duty from being done, and not the others."""
        try:
            duty()
        except MAKES_NO_SENSE as error:
            self._complain(error)
        except StoreUnavailable:
            raise
        except Exception:
            self._complaints.say("failed", FAILED, exc_info=True)

    def _info(self) -> ArchiveInfo | None:
        if self._archive is None:
            return None
        try:
            return ArchiveInfo(self._archive.identity, host(), self._archive.address)
        except ArchiveUnavailable as error:
            self._complain(error)
            return None

    def _archive_due(self) -> bool:
        """While the archive cannot be used, operations stay where they are, as if there were none."""
        if self._archiving is None:
            return False
        try:
            return self._archiving.turn()
        except ArchiveUnavailable as error:
            self._complain(error)
            return False
        finally:
            self._tell_held_back(list(self._archiving.held_back.values()))

    def _tell_held_back(self, reasons: list[str]) -> None:
        if reasons:
            others = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
            self._complaints.say("held back", f"the recorder goes on without one{others}: {reasons[0]}")

    def _trim(self) -> None:
        """Short calls, so that nobody else waits for Redis."""
        before = self.trimmed
        while removed := self._store.append([Trim()])[0].number:
            self.trimmed += removed
        if self.trimmed > before:
            self._tell(f"removed {self.trimmed - before} ended operations from Redis, as they were too old or too many")

    def _clear_feed(self) -> None:
        """What was erased can wait there while Redis has no room for it; nothing else shall."""
        try:
            self._store.erasing.turn()
        except StoreUnavailable as error:
            self._complain(error)

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

    def _complain(self, error: TrackerError) -> None:
        self._complaints.say(type(error).__name__, f"the recorder waits: {error}")
