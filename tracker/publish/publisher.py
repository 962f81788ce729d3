"""The publisher: one background thread per process that sends events to the store.

It never raises into the tracked work and never blocks it: ``put`` appends to a queue. It has a connection and a retry
loop of its own. While the store takes nothing, what waits goes to the spool; without one it is bounded, and a run whose
events had to be dropped sends its whole state instead.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue

from tracker import process
from tracker.clock import elapsed
from tracker.complaints import Complaints
from tracker.errors import StoreUnavailable
from tracker.model import Event, EventType
from tracker.publish.backlog import BLOBS_PER_CALL, Backlog
from tracker.publish.lease import LeaseKeeper
from tracker.publish.outage import Outage, pause_after
from tracker.publish.overflow import Overflow
from tracker.publish.spool import SpoolError
from tracker.publish.waiting import Note, Waiting
from tracker.redact import TEXT, line
from tracker.run import RunWriter
from tracker.step import Step
from tracker.store import Answer, Item, Store
from tracker.store.client import Holding, Refused, Rejected

FLUSH_EVERY = 0.02
"""Seconds between two calls of the store under load; the first event after a pause goes at once."""

SPOOL_EVERY = 0.05
"""Seconds between two looks at the queue while the store is away."""

GIVE_WAY_EVERY = 256
"""Events sorted before the tracked code may go on, some 0.1 ms; the interpreter itself would let it wait for 5 ms."""

QUEUE_LIMIT = 5_000
"""Events that may wait for the thread; beyond it a run's events are replaced by its whole state."""

LINES_LIMIT = 3_000
"""Events in the queue beyond which there is no room for log lines, which are long."""

RESULTS_LIMIT = 2 * 2**20
"""Bytes that kept results may take in a queue full of such; whoever resumes runs the steps again that lost theirs."""

EXIT_WAIT = 2.0
"""Seconds that the end of the process waits for the store, once."""

log = logging.getLogger("tracker")

Taken = tuple[RunWriter, Event] | Step | Note
"""What waits for the thread: an event, a step that has changed, or what is noted of an operation not run here."""


class Publisher:
    """Sends the events of this process's runs to ``store``; connected to the event bus as its sink.

    ``folder`` is where events go while the store takes none.
    """

    def __init__(self, store: Store, folder: Path | None = None) -> None:
        self._store = store
        self._queue: deque[Taken] = deque()
        self._overflow = Overflow()
        self._waiting = Waiting()
        self._backlog = Backlog(folder, self._complain)
        self._outage: Outage | None = None
        self._lease = LeaseKeeper()
        # Whether the thread looks at the queue by itself; while it rests, or does not run, ``_take`` has more to do.
        self._awake = False
        self._dropped = self._told_dropped = 0
        self._complaints = Complaints()
        # Its put() may be interrupted by a signal handler that calls it again, which an Event would not survive.
        self._wake = SimpleQueue[None]()
        self._asked = self._answered = self._safe = 0
        self._flushed = threading.Condition()
        # Re-entrant: a signal handler that ends a run may interrupt the very call that starts the thread.
        self._starting = threading.RLock()
        self._thread: threading.Thread | None = None
        self._pid = os.getpid()
        self._last_moment: float | None = None

    def put(self, run: RunWriter, event: Event) -> None:
        """Take an event; returns at once, whatever the store does.

        Only while the interpreter exits, the end of an operation waits for the store, for the thread may be gone next.
        """
        self._take(run, (run, event), QUEUE_LIMIT if event.log is None else min(LINES_LIMIT, QUEUE_LIMIT))
        if self._last_moment is not None and event.type == EventType.OPERATION_COMPLETE:
            self.settle()

    def step(self, step: Step) -> None:
        """Take note that a step has changed; how is read when it is sent."""
        if step.kept is not None and len(step.kept[1]) * len(self._queue) > RESULTS_LIMIT:
            step.kept = None
            self._complain("results", "results of steps are not kept, as too much waits for Redis")
        if self._awake and len(self._queue) < QUEUE_LIMIT:
            self._queue.append(step)
        else:
            self._take(step._run, step, QUEUE_LIMIT)

    def note(self, item: Note) -> None:
        """Take note of an operation that is not run here; if there is no room, it shows when it begins."""
        if len(self._queue) < QUEUE_LIMIT:
            self._queue.append(item)
            self._rouse()

    @property
    def dropped_runs(self) -> int:
        """How many ended runs found no room while the store was away."""
        return self._dropped + self._backlog.words.dropped

    def flush(self, timeout: float = EXIT_WAIT) -> bool:
        """Wait until everything taken so far is stored; ``False`` if that took longer than ``timeout`` s.

        Also, at once, if the store refuses everything.
        """
        return self._wait(timeout, lambda mine: self._answered >= mine, lambda: self._refused)

    def settle(self, timeout: float = EXIT_WAIT) -> bool:
        """As ``flush``, for a process that ends: what has found its place in the spool is well there.

        However often it is called then, together the calls wait no longer than the first one may.
        """
        if self._last_moment is None:
            self._last_moment = elapsed() + timeout
        left = max(0.0, self._last_moment - elapsed())
        return self._wait(left, lambda mine: max(self._answered, self._safe) >= mine, lambda: False)

    def _wait(self, timeout: float, reached: Callable[[int], bool], given_up: Callable[[], bool]) -> bool:
        if self._thread is None or self._pid != os.getpid():
            return True
        with self._flushed:
            self._asked += 1
            mine = self._asked
        if (outage := self._outage) is not None:
            outage.hurry()
        self._wake.put(None)
        with self._flushed:
            self._flushed.wait_for(lambda: reached(mine) or given_up(), timeout)
            return reached(mine)

    @property
    def _refused(self) -> bool:
        return self._outage is not None and self._outage.hopeless

    def _take(self, run: RunWriter, taken: Taken, limit: int) -> None:
        if len(self._queue) < limit:
            self._queue.append(taken)
        else:
            self._overflow.put(run)
        if not self._awake:
            self._rouse()

    def _rouse(self) -> None:
        if self._thread is None:
            self._start()
        if self._thread is not None and not self._awake:
            self._awake = True  # Whoever comes next need not wake it again.
            self._wake.put(None)

    def _start(self) -> None:
        with self._starting:
            if self._thread is not None:
                return
            # Known before it runs: whatever interrupts this call, there is never a second one.
            self._thread = threading.Thread(target=self._work, name="tracker-publisher", daemon=True)
            take_back = process.at_end(self.settle)
            try:
                self._thread.start()
            except RuntimeError as error:  # No more threads, or the interpreter is on its way out.
                self._thread = None
                take_back()
                self._complain("thread", f"events wait, as their thread cannot start: {error}")

    def _work(self) -> None:
        self._backlog.look()
        while True:
            try:
                self._round()
            except Exception:  # A defect of ours; the next round may do better.
                self._complain("defect", "events wait", exc_info=True)
                self._rest(pause_after(3))

    def _round(self) -> None:
        asked = self._asked
        took_any = self._sort()
        if self._outage is not None and self._outage.due:
            self._wait_for_store(self._outage, asked, took_any)
            return
        if self._send_due():
            goes_on = bool(self._waiting) or not self._backlog.empty
            if goes_on and self._waiting.crowded:
                self._put_by()
            self._rest(0 if goes_on else FLUSH_EVERY)
        else:
            self._answer(asked, asked)
            self._sleep(self._lease.pause())

    def _wait_for_store(self, outage: Outage, asked: int, took_any: bool) -> None:
        """Keep safe what waits, until it is time for another attempt."""
        patient = outage.impatient if self._last_moment is None and not self._waiting.crowded else 0.0
        if not patient:
            is_safe = self._put_by()
            self._answer(self._answered, asked if is_safe or outage.hopeless else self._safe)
        if took_any:
            self._rest(SPOOL_EVERY)
        else:
            self._sleep(min(patient or outage.due, outage.due))

    def _put_by(self) -> bool:
        """Write what waits to the spool; whether all of it is there."""
        try:
            while self._backlog.writes and (cut := self._waiting.cut(BLOBS_PER_CALL)):
                self._backlog.put([blob for _, blobs in cut for blob in blobs])
                for lane, _ in cut:
                    lane.put_by()
                    self._waiting.told(lane)
        except SpoolError as error:
            self._complain("spool", f"events that wait for Redis cannot be kept on disk: {error}")
        self._squeeze()
        return not self._waiting

    def _squeeze(self) -> None:
        for blob in self._waiting.squeeze():
            self._backlog.words.put(blob)
        if self.dropped_runs > self._told_dropped:
            self._told_dropped = self.dropped_runs
            self._complain("dropped", f"dropped {self.dropped_runs} ended runs, as too many wait for Redis")

    def _answer(self, stored: int, safe: int) -> None:
        """Everything taken before the flush of number ``stored`` was called is stored, before ``safe`` also safe."""
        with self._flushed:
            self._answered, self._safe = stored, safe
            self._flushed.notify_all()

    def _sleep(self, seconds: float | None) -> None:
        """Pause until something is put."""
        self._awake = False
        if not self._queue:
            self._rest(seconds)
        self._awake = True

    def _rest(self, seconds: float | None) -> None:
        """Pause until woken, by whoever waits or because the store answers again."""
        with suppress(Empty):
            self._wake.get(timeout=seconds)
            while True:
                self._wake.get_nowait()

    def _sort(self) -> bool:
        """Move what was taken to what waits for its turn; whether there was anything."""
        number = len(self._queue)
        for count in range(1, number + 1):
            self._waiting.take(self._queue.popleft())
            if count % GIVE_WAY_EVERY == 0:
                time.sleep(0)
        for id, writer in self._overflow.take():
            if writer is not None:
                self._waiting.rebase(writer)
            else:
                self._waiting.lose(id)
                self._dropped += 1
        return number > 0

    def _send_due(self) -> bool:
        """Send one call's worth; whether anything waited, which more still may."""
        try:
            sent = self._send_backlog() if not self._backlog.empty else self._send_new()
        except StoreUnavailable as error:
            self._failed(error)
            return True
        if self._outage is not None:
            log.info("tracker: Redis takes events again, after %.0f s", elapsed() - self._outage.since)
            self._outage = None
            self._backlog.look()
        return sent

    def _send_backlog(self) -> bool:
        """What came first goes first; what has come since waits behind it, in the spool if there is one."""
        self._put_by()
        self._waiting.forgotten(self._backlog.send(self._append))
        if self._backlog.empty:
            self._waiting.drained()
        self._send_lease([])
        return True

    def _send_new(self) -> bool:
        notes, cut = self._waiting.noted(BLOBS_PER_CALL), self._waiting.cut(BLOBS_PER_CALL)
        answers = iter(self._send_lease([*notes, *(blob for _, blobs in cut for blob in blobs)]))
        for _ in notes:
            next(answers)
            self._waiting.notes.popleft()
        for lane, blobs in cut:
            lane.answered([next(answers) for _ in blobs])
            self._waiting.told(lane)
        return bool(notes or cut) or self._lease.waits

    def _send_lease(self, items: Sequence[Item]) -> list[Answer | None]:
        """Send items, and with them the sign of life if it is due; the answers to the items."""
        lease = self._lease.due(self._waiting.lanes, dropped=self.dropped_runs, spool=self._backlog.size)
        answers = self._append([*items, *lease]) if items or lease else []
        for answer in answers[len(items) :]:
            if answer is not None:
                self._lease.answered(answer)
                self._waiting.forgotten(answer.runs)
        return answers[: len(items)]

    def _append(self, items: Sequence[Item]) -> list[Answer | None]:
        """The store's answers; ``None`` for what it cannot make sense of. Raises if it takes nothing now."""
        try:
            answers = self._store.append(items)
            for answer in answers:
                if answer.cancelled:
                    self._waiting.cancelled(answer.cancelled)
            return list(answers)
        except Exception as error:
            if isinstance(error, StoreUnavailable) and not isinstance(error, Rejected):
                raise
            if len(items) == 1:
                self._complain("rejected", f"some events cannot be sent: {error}", exc_info=True)
                return [None]
        return [answer for item in items for answer in self._append([item])]

    def _failed(self, error: StoreUnavailable) -> None:
        self._store.client.disconnect()
        if self._outage is None:
            self._outage = Outage(self._store, lambda: self._wake.put(None))
        self._outage.failed(error)
        fault = error.code if isinstance(error, Holding) else type(error).__name__
        kept = "none are published until that is mended; " if isinstance(error, Refused) else ""
        self._complain(fault, f"{kept}{error}")
        self._answer(self._answered, self._safe)

    def _complain(self, fault: str, text: str, exc_info: bool = False) -> None:
        """Once in a while; what the store or the disk has said may hold a password."""
        self._complaints.say(fault, f"{line(text, TEXT)}; the work goes on", exc_info=exc_info)
