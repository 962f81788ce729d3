"""The one writer of a run: holds its steps, makes its frozen states, and emits one event per change.

Knows no display and no network; whoever wants to draw sets ``RunWriter.watcher``. Its own changes are made and
emitted under one lock. Steps begin and end without it, as that would cost a fifth of their time: every write that
threads may contend for is one operation of a built-in type.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count
from operator import attrgetter
from threading import get_ident
from typing import NoReturn

from tracker import clock, context, process
from tracker.bus import event_bus
from tracker.errors import OperationCancelled, TrackerError
from tracker.fault import Fault, Faults
from tracker.ids import new_id, new_run
from tracker.log_lines import LogLines, lines_of
from tracker.model import END_OF, ENDED, Error, Event, EventType, RunPart, Status, StepState, StepStatus, Worker
from tracker.open_steps import OpenSteps, await_end
from tracker.outcome import MESSAGE_LIMIT, STEP_OUTCOME, describe, outcome
from tracker.place import failure
from tracker.plan import Plan
from tracker.redact import line, safe_labels
from tracker.step import Step
from tracker.watcher import Watcher

# Bound once: looking up an enum's member costs several times as much as a plain name.
_START, _RUNNING = EventType.STEP_START, StepStatus.RUNNING
_DONE, _CUT_OFF = StepStatus.COMPLETE, StepStatus.CANCELLED
_COMPLETE, _OPEN = Status.COMPLETE, Status.RUNNING


class RunWriter:
    """One execution of an operation, from inside the process that executes it.

    ``steps`` declares the plan; without one the number of steps is unknown until a clean end. ``adoptable``
    is for whoever runs jobs: the first ``StepTracker`` block inside such a run fills it instead of starting a
    child. That runner may also set ``classify``, which gives the outcome of exceptions only it understands.
    ``around`` is the run this one was started in, ``above`` the titles of all those, outermost first, with the steps
    that were open there. A run that ``resumes`` goes on with the results that earlier attempts of its operation kept.
    One that is ``brief`` need not be kept if nothing happens in it.
    Whoever learns that the operation is to end sets ``cancelled_by``, from any thread; from then on no step begins.
    """

    # Not set in every run: an object of more than 30 attributes is slower in all of them (CPython's shared keys).
    classify: Callable[[BaseException], Status | None] | None = None
    around: RunWriter | None = None
    above: Sequence[str] = ()
    brief: bool = False
    has_children: bool = False
    cancelled_by: str | None = None
    duration: float | None = None
    error: Error | None = None
    next_at: float | None = None
    resumes: bool = False
    warned: int = 0
    _told = False

    def __init__(
        self,
        *,
        operation: str | None = None,
        name: str,
        title: str,
        parent: str = "",
        labels: Mapping[str, str] | None = None,
        created: float | None = None,
        worker: Worker | None = None,
        steps: Sequence[str] = (),
        release: str = "",
        app: str = "",
        emits: bool = True,
        adoptable: bool = False,
    ) -> None:
        self.operation, self.run = operation or new_id(), new_run()
        self.name, self.title, self.parent = line(name), line(title), parent
        self.labels = safe_labels(labels) if labels else {}
        self.release, self.app = line(release), line(app)
        self.worker = worker or Worker(process.host(), os.getpid(), "")
        self.created = clock.now() if created is None else created
        self.emits = emits
        self.adoptable = adoptable
        self.watcher: Watcher | None = None
        self.steps: dict[int, Step] = {}
        """By index, from 1."""
        self.status = _OPEN
        self.started, self._mark = self.created, clock.elapsed()
        self.ended: float | None = None
        self.lines = LogLines()
        self._plan: Plan | None = None
        self._numbers = count(1)
        self._ending: dict[int, int] = {}
        """Which thread is about to end which step."""
        self.open = OpenSteps()
        self.faults = Faults()
        self._lock = threading.RLock()
        self._declare(steps)
        process.writes(self)

    @property
    def total(self) -> int | None:
        """The number of steps: of the plan, or of all there were after a clean end; ``None`` while unknown."""
        return len(self.steps) if self._plan is not None or self.status is _COMPLETE else None

    def part(self) -> RunPart:
        """A frozen copy of everything but the steps."""
        return RunPart(
            self.run, self.name, self.title, self.created, self.started, self.status, self.total, self.ended,
            self.duration, self.worker, self.parent, self.labels, self.error, self.next_at, self.release, self.app,
            self.warned,
        )  # fmt: skip

    def states(self) -> list[StepState]:
        """Frozen copies of all steps; may be called from any thread and never waits."""
        return [step.state() for step in self.in_order()]

    def in_order(self) -> list[Step]:
        """All steps by index; may be called from any thread."""
        # Those of threads that begin at the same moment may have been put in the other way round.
        return sorted(self.steps.values(), key=attrgetter("index"))

    # --- the operation ---

    def start(self, started: float | None = None, mark: float | None = None) -> None:
        """The run begins, now or at a moment of both clocks: emits ``operation.start``."""
        with self._lock:
            self.started, self._mark = started or clock.now(), mark or clock.elapsed()
            self._emit_head(EventType.OPERATION_START)
        self._show()

    def claim(self) -> bool:
        """Whether the caller may fill this run: only the first who asks, and only if it is adoptable."""
        with self._lock:
            won, self.adoptable = self.adoptable and self.ended is None, False
        return won

    def adopt(self, title: str, steps: Sequence[str] = (), labels: Mapping[str, str] | None = None) -> None:
        """Take over what a ``StepTracker`` block says of its operation: emits ``operation.update``."""
        with self._lock:
            self.fill(title, steps, labels)
            self._emit_head(EventType.OPERATION_UPDATE)
        self._show()

    def fill(self, title: str, steps: Sequence[str] = (), labels: Mapping[str, str] | None = None) -> None:
        """As ``adopt``, for a run that has not begun: its start will tell."""
        self.title, self.adoptable = line(title), False
        if labels:
            self.labels = safe_labels({**self.labels, **labels})
        self._declare(steps)

    def end(self, status: Status, error: BaseException | Error | None = None, next_at: float | None = None) -> None:
        """The run's one outcome; ends open steps likewise and emits ``operation.complete``. Later calls do nothing.

        ``Status.QUEUED`` (with ``next_at``, UTC seconds) says that the work will be run again by a new run;
        the event is ``operation.update`` then.
        """
        with self._lock:
            if self._told:
                return
            if self.ended is None:
                self.close_steps(status, error if isinstance(error, BaseException) else None)
                self.error = failure(self, error) if isinstance(error, BaseException) else error
                self.status, self.next_at = status, next_at
                self.duration, self.ended = clock.elapsed() - self._mark, clock.now()
            self._cut_off([*self.steps.values()], _CUT_OFF)  # Begun meanwhile; later ones see the end.
            self._emit_head(EventType.OPERATION_COMPLETE if self.status in ENDED else EventType.OPERATION_UPDATE)
            self._told = True  # Not before: whatever interrupted an earlier call, an end is told.
            self.faults.forget()
            self.lines.forget()
            self.classify = None  # It may hold the run, and Python would need its collector to let go of such a circle.
        self._show()

    def outcome(self, exc: BaseException | None) -> Status:
        """The outcome an exception stands for here (``None``: there was none)."""
        if exc is None:
            return _COMPLETE
        return (self.classify is not None and self.classify(exc)) or outcome(exc)

    def is_within(self, operation: str) -> bool:
        """Whether this run, or one around it, is of that operation."""
        return self.operation == operation or (self.around is not None and self.around.is_within(operation))

    def log(self, text: object, step: Step | None = None, *, warning: bool = False) -> None:
        """Keep log lines under ``step`` (``None``: under the operation); after the end of the run they are ignored."""
        for said in lines_of(text):
            with self._lock:
                if self.ended is None:
                    self._log(said, step, warning)

    def _log(self, text: str, step: Step | None, warning: bool) -> None:
        line = self.lines.add(text, step.index if step is not None else 0, warning)
        event = Event(EventType.STEP_LOG, self.operation, line.ts, self.run, log=line)
        if warning:
            self.warned += 1
            event.head = self.part()
            event.step = step._warn(text) if step is not None else None
        if self.emits:
            event_bus.emit(self, event)
        if self.watcher is not None:
            self.watcher.said(self, line)

    # --- its steps ---

    def begin(self, name: object, owner: object = None, warn_after: float | None = None) -> Step:
        """Start the next planned step of that name, or a new one behind all others; ``owner`` is the caller."""
        name = line(name)
        if self.ended is not None:
            raise TrackerError(f"step {name!r} cannot start: the operation {self.title!r} has ended")
        if self.cancelled_by is not None:
            self.stop()
        if self._plan is not None:
            step = self._plan.take(name) or self._unplanned(name)
            step._owner, step._started, step._mark = owner, clock.now(), clock.elapsed()
            step.status = _RUNNING
        else:  # Made as it is now, for each value that is set later costs as much as a call.
            index = next(self._numbers)
            step = self.steps[index] = Step(self, index, name, _RUNNING, clock.now(), clock.elapsed(), owner)
        if warn_after is not None:
            step.warn_after = warn_after
        self.open.add(step)
        if self.emits:
            event_bus.step(_START, step)
        else:
            step.dirty = True  # Nobody listens: advance() never asks.
        if self.watcher is not None:
            self.watcher.changed(self, step)
        if self.ended is not None:  # Meanwhile, by another thread, which may not have seen this step.
            self.finish(step, _CUT_OFF)
        return step

    def stop(self) -> NoReturn:
        """Tell the tracked code that its operation is to end; raises ``OperationCancelled``."""
        raise OperationCancelled(f"cancelled by {self.cancelled_by}" if self.cancelled_by else "cancelled")

    def finish(self, step: Step, status: StepStatus, caller: object = None, detail: str = "", error: str = "") -> bool:
        """End a running step; ``False`` if it was not running, for an outcome is final.

        ``caller`` is who calls, as an owner of steps; if it is the step's own, nothing is kept for it any more.
        """
        # Never asked for their truth: what is given may be anything, and some things refuse to tell it.
        if type(detail) is not str or detail:
            detail = line(detail) if detail is not None else ""
        if type(error) is not str or error:
            error = line(error, MESSAGE_LIMIT)
        # Of several threads one ends it, and if that one is interrupted here, it may begin anew.
        me = get_ident()
        if self._ending.setdefault(step.index, me) != me:
            return False
        if step.status is not _RUNNING:
            self._ending.pop(step.index, None)
            return False
        step._duration = clock.elapsed() - step._mark
        if detail:
            step._detail = detail
        if error:
            step.error = error
        # Last, for a step seen as ended has all its values.
        step.status = status
        self._ending.pop(step.index, None)
        self.open.remove(step, caller)
        if self.lines.held:
            self.lines.forget(step.index)
        if self.emits:
            event_bus.step(END_OF[status], step)
        if self.watcher is not None:
            self.watcher.changed(self, step)
        return True

    def leave(self, step: Step, exc: BaseException | None) -> None:
        """A step's block was left: the outcome follows the exception, unless it was given before."""
        if exc is None and self.open.innermost(step._owner) is step:
            self.finish(step, _DONE, context.caller())
            return
        with self._lock:
            inner = self.open.innermost(step._owner) if step.status is _RUNNING else step
            while inner is not None and inner is not step and not inner._scoped:
                self._close(inner, exc, self.outcome(exc))
                inner = self.open.innermost(step._owner)
            self._close(step, exc, self.outcome(exc))

    def close_steps(self, status: Status, exc: BaseException | None = None, owner: object = None) -> None:
        """End what still runs. The innermost step of ``owner`` gets the exception; others were only cut off."""
        with self._lock:
            mine = self.open.innermost(owner)
            if mine is not None and status is not _COMPLETE:
                self._close(mine, exc, status)
            done = _DONE if status is _COMPLETE else _CUT_OFF
            # Not only those known as open: an interrupt may have come while a step began or ended.
            self._cut_off([*self.steps.values()][::-1], done)

    def _cut_off(self, steps: Iterable[Step], status: StepStatus) -> None:
        for step in steps:
            if step.status is _RUNNING and not self.finish(step, status):
                await_end(step)

    def _close(self, step: Step, exc: BaseException | None, status: Status) -> None:
        if step.status is not _RUNNING:
            return
        if exc is not None:
            trail, others = self.open.trail(step._owner, step), (held for held in self.open.all() if held is not step)
            fault = Fault(exc, step, trail, self.lines.last(step.index), others)
            self.faults.add(fault, cancelled=status is Status.CANCELLED)
        message = describe(exc) if exc is not None and status is Status.ERROR else ""
        self.finish(step, STEP_OUTCOME[status], error=message)

    def _declare(self, names: Sequence[str]) -> None:
        if names:
            self._plan = self._plan or Plan()
            self._plan.declare([self._append(line(name)) for name in names])

    def _unplanned(self, name: str) -> Step:
        with self._lock:
            step = self._append(name)
            self._emit_head(EventType.OPERATION_UPDATE)  # The plan has grown, and with it the total that people see.
        return step

    def _append(self, name: str) -> Step:
        index = next(self._numbers)
        step = self.steps[index] = Step(self, index, name)
        return step

    def _emit_head(self, type: EventType) -> None:
        if self.emits:
            event_bus.emit(self, Event(type, self.operation, clock.now(), self.run, head=self.part()))

    def _show(self) -> None:
        if self.watcher is not None:
            self.watcher.changed(self, None)

    def _forked(self) -> None:
        """A forked child inherits the block, but not the right to write this run; blocks it opens become children."""
        self._lock = threading.RLock()
        self._ending = {}
        self.emits = self.adoptable = False
        self.watcher = self.cancelled_by = None
