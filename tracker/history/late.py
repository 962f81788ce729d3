"""Takes in what processes that are gone had on their disk, of runs that Redis does not know.

Such a run may be all there is of its operation, or the newest of it: then it is stored like any other. Or there are
newer ones, in Redis or in the archive: then it becomes an earlier attempt there, and decides nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import msgspec

from tracker.archive import Archive
from tracker.clock import elapsed, now
from tracker.errors import Unreadable
from tracker.model import ENDED, LogLine, Parts, Status, Verdict
from tracker.record import Attempt, Record
from tracker.store import MAKES_NO_SENSE, RunBlob, Store, VerdictItem

AT_ONCE = 100
"""Blobs taken in at once."""

log = logging.getLogger("tracker")

_decode = msgspec.msgpack.Decoder(RunBlob).decode


class Late:
    """Empties the list of replayed blobs."""

    def __init__(self, store: Store, archive: Archive) -> None:
        self._store = store
        self._archive = archive
        self._open: dict[str, str] = {}
        """Runs told to the store, with their operations, of which no end was told: nobody else will."""

    def turn(self, ends: float) -> bool:
        """Take in what waits, until the moment ``ends``; whether there is more.

        Whoever is killed in between leaves some of it to be told again, which changes nothing.
        """
        while waiting := self._store.leaving.late(AT_ONCE):
            if elapsed() > ends:
                return True
            for blob in _read(waiting):
                self._take_in(blob)
            self._store.leaving.drop_late(waiting)
        self._end_open()
        return False

    def _take_in(self, blob: RunBlob) -> None:
        try:
            ((_, run_here),) = self._store.leaving.here([(blob.operation, blob.run)])
            if run_here or self._is_newest(blob):
                self._tell(blob)
                return
        except (Unreadable, *MAKES_NO_SENSE):
            pass  # What Redis has of its operation decides nothing then, and this is kept beside it.
        self._archive.write([self._record(blob)])

    def _is_newest(self, blob: RunBlob) -> bool:
        """Whether no run of its operation is known that began later, or of which nobody can say."""
        known = self._store.operation(blob.operation) or self._archive.heads([blob.operation]).get(blob.operation)
        if known is None:
            return True
        if known.run is None:  # One that is to run again waits for a new run, and for none that was before.
            again = known.queue.again if known.queue is not None else None
            return again is None or (blob.head is not None and blob.head.started > again.at)
        return blob.head is not None and blob.head.started > known.run.started

    def _tell(self, blob: RunBlob) -> None:
        blob = msgspec.structs.replace(blob, replay=False)
        (answer,) = self._store.append([blob])
        if answer.kind == "behind":  # The process was killed before it could write what came before.
            self._store.append([msgspec.structs.replace(blob, rebase=True)])
        if blob.head is not None and blob.head.status in ENDED:
            self._open.pop(blob.run, None)
        else:
            self._open[blob.run] = blob.operation

    def _end_open(self) -> None:
        for run, operation in self._open.items():
            reason = "its process ended while Redis could not be reached"
            verdict = Verdict(Status.LOST, now(), "replay", run=run, reason=reason)
            self._store.append_apart([VerdictItem(operation, Status.RUNNING, verdict)])
        self._open.clear()

    def _record(self, blob: RunBlob) -> Record:
        """What the archive is to know of the run: what it knows already, and what the blob says."""
        held = self._archive.heads([blob.operation]).get(blob.operation)
        known = {attempt.run.run: attempt for attempt in self._archive.attempts(blob.operation)}
        attempt = known.get(blob.run)
        head = blob.head or (attempt.run if attempt is not None else None)
        steps = {step.index: step for step in [*(attempt.steps if attempt is not None else ()), *blob.steps]}
        lines = [_numbered(event.log) for event in blob.events if event.log is not None]
        verdict = attempt.verdict if attempt is not None else None
        earlier = [Attempt(1, head, list(steps.values()), verdict)] if head is not None else []
        return Record(Parts(blob.operation, rev=held.rev if held is not None else 0), earlier, lines)


def _numbered(line: LogLine) -> LogLine:
    return msgspec.structs.replace(line, attempt=1)


def _read(waiting: Sequence[bytes]) -> list[RunBlob]:
    blobs = []
    for data in waiting:
        try:
            blobs.append(_decode(data))
        except (msgspec.DecodeError, ValueError):
            log.warning("tracker: a replayed blob makes no sense and is left out")
    return blobs
