"""Executions of which nothing was told yet: most tasks are over before anybody could look at them.

An execution becomes a run when something happens in it, when it does not end well, or when it has lasted for a moment,
which a thread of this process looks after. Of all others it is told only that there was one.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from queue import SimpleQueue

from tracker import clock
from tracker.bus import event_bus
from tracker.context import Latent
from tracker.ids import new_run
from tracker.model import Event, EventType, RunPart
from tracker.run import RunWriter
from tracker.store import Passed, RunBlob

SHOWN_AFTER = 0.2
"""Seconds after which an execution is told of although nothing has happened in it."""

LOOK_EVERY = 0.1
"""Seconds between two looks; none are taken while nothing goes on."""

DAY = 86_400.0
"""Seconds of a day."""


class Execution(Latent):
    """One execution of a task, from before its function to after it. ``make`` makes the run it may have to be."""

    __slots__ = ("_is_over", "_lock", "_made", "_make", "mark", "started")

    def __init__(self, make: Callable[[], RunWriter]) -> None:
        self.started, self.mark = clock.now(), clock.elapsed()
        self._make = make
        self._made: RunWriter | None = None
        self._is_over = False
        # The thread that looks after it may come at the moment when something happens in it.
        self._lock = threading.Lock()

    def run(self) -> RunWriter:
        """The run, which has begun when the execution did."""
        with self._lock:
            return self._told()

    def filled(self, title: str, steps: Sequence[str], labels: Mapping[str, str]) -> RunWriter | None:
        """The run as a block fills it: one event tells what would take two."""
        with self._lock:
            if self._made is not None:
                return None
            self._made = self._make()
            self._made.fill(title, steps, labels)
            self._made.start(self.started, self.mark)
            return self._made

    def show(self) -> None:
        """It has lasted for a moment: be a run, unless it is over."""
        with self._lock:
            if not self._is_over:
                self._told()

    def over(self) -> RunWriter | None:
        """It shows no more by itself; the run that it is by now, if it is one."""
        with self._lock:
            self._is_over = True
            return self._made

    def _told(self) -> RunWriter:
        if self._made is None:
            self._made = self._make()
            self._made.start(self.started, self.mark)
        return self._made


class Executions:
    """Those of this process that go on, and what is to be told of those that are over."""

    def __init__(self) -> None:
        self._going: dict[int, Execution] = {}
        self._names: deque[str] = deque()
        self._parts: deque[tuple[str, RunPart]] = deque()
        self._wake = SimpleQueue[None]()
        self._awake = False
        self._pid = 0

    def begin(self, execution: Execution) -> None:
        """It goes on from now."""
        self._going[id(execution)] = execution
        if not self._awake or self._pid != os.getpid():
            self._rouse()

    def end(self, execution: Execution) -> None:
        """It is over."""
        self._going.pop(id(execution), None)

    def passed(self, name: str) -> None:
        """An execution of the task of that name was over before anybody had heard of it."""
        self._names.append(name)

    def passed_as(self, operation: str, part: RunPart) -> None:
        """An execution was over of which it is known only that it was queued: ``part`` is all there is to say."""
        self._parts.append((operation, part))

    def look(self) -> None:
        """Tell what there is to tell by now."""
        late = clock.elapsed() - SHOWN_AFTER
        for key, execution in list(self._going.items()):
            if execution.mark < late:
                self._going.pop(key, None)
                execution.show()
        counts: Counter[str] = Counter()
        while self._names:
            counts[self._names.popleft()] += 1
        if counts:
            event_bus.note(Passed(new_run(), int(clock.now() // DAY), counts))
        while self._parts:
            event_bus.note(_blob(*self._parts.popleft()))

    def _rouse(self) -> None:
        if self._pid == os.getpid():
            self._wake.put(None)
            return
        if self._pid:  # The thread that knew of them is in the process that this one was forked off.
            self._going = dict(list(self._going.items())[-1:])
            self._names.clear()
            self._parts.clear()
        self._pid, self._wake, self._awake = os.getpid(), SimpleQueue(), True
        threading.Thread(target=self._work, name="tracker-executions", daemon=True).start()

    def _work(self) -> None:
        while True:
            self.look()
            if not self._going:
                self._awake = False
                if not self._going:
                    self._wake.get()
                self._awake = True
            time.sleep(LOOK_EVERY)


executions = Executions()
"""Those of this process."""


def _blob(operation: str, part: RunPart) -> RunBlob:
    event = Event(EventType.OPERATION_COMPLETE, operation, part.ended or part.started, part.run, 1, head=part)
    return RunBlob(operation, part.run, [event], part.parent, part.created, part, brief=part.name)
