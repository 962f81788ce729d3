"""What waits apart from the runs that go on: files of processes that are gone, this process's own file, last words."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from tracker.clock import elapsed, now
from tracker.model import ENDED, Status, Verdict
from tracker.publish import spool as spooling
from tracker.publish.spool import Spool, SpoolError
from tracker.publish.words import Words
from tracker.store import Answer, Item, RunBlob, VerdictItem

BLOBS_PER_CALL = 64
"""Most blobs in one call of the store."""

TRY_AGAIN_AFTER = 5.0
"""Seconds after which a spool that could not be written is tried again."""

Send = Callable[[Sequence[Item]], Sequence[Answer | None]]
"""Appends items; raises ``StoreUnavailable`` if the store takes nothing now."""


@dataclass(slots=True)
class Left:
    """A file of a process that is gone, and which of its runs have no end in it."""

    spool: Spool
    open: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for blob in self.spool.sent():
            self.note(blob)

    def note(self, blob: RunBlob) -> None:
        if blob.head is None or blob.head.status not in ENDED:
            self.open[blob.run] = blob.operation
        else:
            self.open.pop(blob.run, None)

    def verdicts(self) -> list[Item]:
        """Whoever ran them can end them no more."""
        reason = "its process ended while Redis could not be reached"
        verdicts = {run: Verdict(Status.LOST, now(), "replay", run=run, reason=reason) for run in self.open}
        return [VerdictItem(self.open[run], Status.RUNNING, verdict) for run, verdict in verdicts.items()]


class Backlog:
    """Goes to the store before anything newer, in the order it came about.

    ``folder`` is where the spool is; without one nothing is written to disk.
    """

    def __init__(self, folder: Path | None, complain: Callable[[str, str], object]) -> None:
        self.words = Words()
        self._folder = folder
        self._complain = complain
        self._left: deque[Left] = deque()
        self._own: Spool | None = None
        self._not_before = 0.0

    @property
    def empty(self) -> bool:
        """Nothing waits."""
        return not (self._left or self._own or self.words)

    @property
    def writes(self) -> bool:
        """Whether there is a spool at all."""
        return self._folder is not None

    @property
    def size(self) -> int:
        """Bytes of this process that wait on disk."""
        return self._own.waiting if self._own is not None else 0

    def look(self) -> None:
        """Take what processes that are gone have left behind."""
        if self._folder is not None:
            self._left += [Left(spool) for spool in spooling.left_behind(self._folder)]

    def put(self, blobs: Sequence[RunBlob]) -> None:
        """Write blobs to this process's file; raises ``SpoolError``, and soon afterwards without having tried."""
        assert self._folder is not None
        if elapsed() < self._not_before:
            raise SpoolError("it could not be written a moment ago")
        try:
            self._own = self._own or spooling.begin(self._folder)
            self._own.put(blobs)
        except SpoolError:
            self._not_before = elapsed() + TRY_AGAIN_AFTER
            raise

    def send(self, send: Send) -> set[str]:
        """Send one call's worth; of which of this process's own runs the store lacks what was before."""
        if self._left:
            self._send_left(self._left[0], send)
            return set()
        if self._own is not None:
            return self._send_own(self._own, send)
        words = self.words.peek(BLOBS_PER_CALL)
        send(words)
        self.words.taken(len(words))
        return set()

    def _send_left(self, left: Left, send: Send) -> None:
        blobs = [msgspec.structs.replace(blob, replay=True) for blob in left.spool.peek(BLOBS_PER_CALL)]
        if blobs:
            send(blobs)
            for blob in blobs:
                left.note(blob)
            left.spool.taken()
            return
        if verdicts := left.verdicts():
            send(verdicts)
        self._left.popleft()
        self._remove(left.spool)

    def _send_own(self, own: Spool, send: Send) -> set[str]:
        blobs = own.peek(BLOBS_PER_CALL)
        if not blobs:
            self._own = None
            self._remove(own)
            return set()
        answers = send(blobs)
        behind = [
            msgspec.structs.replace(blob, rebase=True)
            for blob, answer in zip(blobs, answers, strict=True)
            if _is_behind(answer)
        ]
        if behind:
            send(behind)  # Its lines and results are worth having; what else is missing, the run itself still knows.
        own.taken()
        return {blob.run for blob in behind}

    def _remove(self, spool: Spool) -> None:
        if spool.waiting or spool.unreadable:
            lost = f"{spool.waiting} bytes and {spool.unreadable} blobs of {spool.path.name} could not be read"
            self._complain("torn", f"{lost}; the end of a process may have cut its last words short")
        spool.remove()


def _is_behind(answer: Answer | None) -> bool:
    return answer is not None and answer.kind == "behind"
