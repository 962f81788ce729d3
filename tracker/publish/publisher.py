"""The publisher: one background thread per process that sends events to the store.

It never raises into the tracked work and never blocks it: ``put`` appends to a queue. It has a
connection and a retry loop of its own; what waits is bounded, and a run whose events had to be
dropped sends its whole state instead.
"""

from __future__ import annotations

import atexit
import logging
import os
import random
import threading
import time
from collections import deque
from contextlib import suppress
from queue import Empty, SimpleQueue

from tracker.clock import elapsed
from tracker.errors import StoreUnavailable
from tracker.model import Event, EventType
from tracker.publish.lane import Lane
from tracker.redact import TEXT, line
from tracker.run import RunWriter
from tracker.step import Step
from tracker.store import Answer, RunBlob, Store
from tracker.store.client import Refused

FLUSH_EVERY = 0.005
"""Seconds between two calls of the store under load; the first event after a pause goes at once."""

BLOBS_PER_CALL = 64
"""Most blobs in one call."""

GIVE_WAY_EVERY = 64
"""Events sorted before the tracked code may go on; the interpreter itself would let it wait for 5 ms."""

QUEUE_LIMIT = 20_000
"""Events that may wait for the thread; beyond it a run's events are replaced by its whole state."""

LANE_LIMIT = 5_000
"""Runs that may wait for the store; beyond it ended runs are dropped, oldest first, and counted."""

EXIT_WAIT = 2.0
"""Seconds that the end of the process waits for the store, once."""

LONGEST_PAUSE = 5.0
"""Longest pause between attempts to reach the store, in seconds."""

LOG_EVERY = 60.0
"""Seconds between two log lines about the same trouble."""

log = logging.getLogger("tracker")

Taken = tuple[RunWriter, Event] | Step
"""What waits for the thread: an event, or a step that has changed."""


class Publisher:
    """Sends the events of this process's runs to ``store``; connected to the event bus as its sink."""

    def __init__(self, store: Store) -> None:
        self.dropped_runs = 0
        self._store = store
        self._queue: deque[Taken] = deque()
        self._overflowed: dict[str, RunWriter] = {}
        self._lanes: dict[str, Lane] = {}
        # Whether the thread looks at the queue by itself; while it rests, or does not run, ``_take`` has more to do.
        self._awake = False
        self._stopped = False
        self._failures = 0
        self._logged = -LOG_EVERY
        # Its put() may be interrupted by a signal handler that calls it again, which an Event would not survive.
        self._wake = SimpleQueue[None]()
        self._asked = self._answered = 0
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
        self._take(run, (run, event))
        if self._last_moment is not None and event.type == EventType.OPERATION_COMPLETE:
            self.flush(max(0.0, self._last_moment - elapsed()))

    def step(self, step: Step) -> None:
        """Take note that a step has changed; how is read when it is sent."""
        if self._awake and len(self._queue) < QUEUE_LIMIT:
            self._queue.append(step)
        else:
            self._take(step._run, step)

    def flush(self, timeout: float = EXIT_WAIT) -> bool:
        """Wait until everything taken so far is stored; ``False`` if that took longer than ``timeout`` s."""
        if self._thread is None or self._stopped or self._pid != os.getpid():
            return True
        with self._flushed:
            self._asked += 1
            mine = self._asked
        self._wake.put(None)
        with self._flushed:
            return self._flushed.wait_for(lambda: self._answered >= mine or self._stopped, timeout)

    def _take(self, run: RunWriter, taken: Taken) -> None:
        if self._stopped:
            return
        if len(self._queue) < QUEUE_LIMIT:
            self._queue.append(taken)
        else:
            self._overflowed[run.run] = run
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
            atexit.register(self._exit)
            try:
                self._thread.start()
            except RuntimeError as error:  # No more threads, or the interpreter is on its way out.
                self._thread = None
                atexit.unregister(self._exit)
                self._complain(f"events wait, as their thread cannot start: {error}")

    def _exit(self) -> None:
        self._last_moment = elapsed() + EXIT_WAIT
        self.flush(EXIT_WAIT)

    def _work(self) -> None:
        while not self._stopped:
            try:
                self._round()
            except Exception:  # A defect of ours; the next round may do better.
                self._failures = min(self._failures + 1, 10)
                self._complain("events wait", exc_info=True)
                self._rest(self._pause())

    def _round(self) -> None:
        asked = self._asked
        self._sort()
        if self._lanes and self._send_due():
            self._rest(self._pause())
            return
        self._answer(asked)
        self._awake = False
        if not self._queue:
            self._rest(None)
        self._awake = True

    def _answer(self, asked: int) -> None:
        """Everything taken before the flush of number ``asked`` was called is stored."""
        with self._flushed:
            self._answered = asked
            self._flushed.notify_all()

    def _pause(self) -> float:
        """A few milliseconds under load, with growing pauses and full jitter while the store is away."""
        if not self._failures:
            return FLUSH_EVERY
        return random.uniform(0.05, min(LONGEST_PAUSE, 0.1 * 2.0**self._failures))

    def _rest(self, seconds: float | None) -> None:
        """Pause until woken; while the store is away, ``flush`` may ask for one attempt at once."""
        with suppress(Empty):
            self._wake.get(timeout=seconds)
            while True:
                self._wake.get_nowait()

    def _sort(self) -> None:
        """Move what was taken into the lanes of its runs."""
        for count in range(len(self._queue)):
            taken = self._queue.popleft()
            run, item = taken if isinstance(taken, tuple) else (taken._run, taken)
            if run.run in self._lanes or run.ended is None or _opens(item):
                self._lane(run).add(item)  # Else all of the run was told: its whole state, or another thread is late.
            if count % GIVE_WAY_EVERY == 0:
                time.sleep(0)
        while self._overflowed:
            _, run = self._overflowed.popitem()
            self._lane(run).rebase()
        if len(self._lanes) > LANE_LIMIT:
            self._drop_ended_runs()

    def _lane(self, run: RunWriter) -> Lane:
        lane = self._lanes.get(run.run)
        if lane is None:
            lane = self._lanes[run.run] = Lane(run)
        return lane

    def _drop_ended_runs(self) -> None:
        excess = len(self._lanes) - LANE_LIMIT
        ended = sorted((lane.run.ended, id) for id, lane in self._lanes.items() if lane.run.ended is not None)[:excess]
        for _, id in ended:
            del self._lanes[id]
        self.dropped_runs += len(ended)
        self._complain(f"dropped {self.dropped_runs} ended runs, as too many wait for the store")

    def _send_due(self) -> bool:
        """Send one call's worth; whether anything waited, which others still may."""
        due = [lane for lane in self._lanes.values() if not lane.empty][:BLOBS_PER_CALL]
        try:
            self._send_of(due)
            return bool(due)
        except Exception:  # Something cannot be sent; whose it is shows when each goes alone.
            self._complain("some events cannot be sent", exc_info=True)
        for lane in due:
            try:
                self._send_of([lane])
            except Exception:
                lane.give_up()
        return True

    def _send_of(self, lanes: list[Lane]) -> None:
        cut = [(lane, blob) for lane in lanes if (blob := lane.cut()) is not None]
        answers = self._send([blob for _, blob in cut]) if cut else []
        for (lane, _), answer in zip(cut, answers, strict=False):
            _settle(lane, answer)
        for lane in lanes:  # Also those of which what waited was told before. Others have their turn first now.
            del self._lanes[lane.run.run]
            if not lane.done:
                self._lanes[lane.run.run] = lane

    def _send(self, blobs: list[RunBlob]) -> list[Answer]:
        """The store's answers; none if it could not be reached, and then the same blobs go again later."""
        try:
            answers = self._store.append(blobs)
        except Refused as error:
            self._stopped, self._awake = True, False
            self._answer(self._asked)
            log.error("tracker: Redis refuses events, so none are published any more: %s", error)
            return []
        except StoreUnavailable as error:
            self._failures = min(self._failures + 1, 10)
            self._store.client.disconnect()
            self._complain(str(error))
            return []
        self._failures = 0
        return answers

    def _complain(self, text: str, exc_info: bool = False) -> None:
        if elapsed() - self._logged >= LOG_EVERY:
            self._logged = elapsed()
            log.warning("tracker: %s; the work goes on", line(text, TEXT), exc_info=exc_info)


def _opens(item: Event | Step) -> bool:
    """Whether it may be the first thing taken of a run that has ended: its start, or its end."""
    if isinstance(item, Step) or item.head is None:
        return False
    return item.type == EventType.OPERATION_START or item.head.ended is not None


def _settle(lane: Lane, answer: Answer) -> None:
    if answer.kind == "behind":
        lane.behind(answer.number)
    else:
        lane.stored()
