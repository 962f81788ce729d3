"""``StepTracker``: turns a block of code into an operation made of steps.

Translates calls into changes of a run and decides what leaving the block means. Does no I/O but drawing.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn, ParamSpec, Self, TypeVar, cast, overload

from msgspec.structs import replace

from tracker import clock, config, context, loops, termination
from tracker.checks import check_seconds, checked_id, checked_labels, checked_plan
from tracker.errors import TrackerError
from tracker.model import Status, StepStatus
from tracker.outcome import add_note, instance_of
from tracker.place import place_of, tell_outer
from tracker.redact import line, safe_text
from tracker.results import Results, is_async
from tracker.run import RunWriter
from tracker.step import Step
from tracker.task_end import end_task

if TYPE_CHECKING:
    from rich.console import Console

P = ParamSpec("P")
# Bound once: looking up an enum's member costs several times as much as a plain name.
_COMPLETE, _ERROR = StepStatus.COMPLETE, Status.ERROR
R = TypeVar("R")
Item = TypeVar("Item")


class StepTracker:
    """An operation and its steps. The operation's outcome follows the block; exceptions pass through unchanged.

    ``operation_name`` is the title people read; ``name`` the stable name that groups operations of a kind (the
    title if not given). ``steps`` declares a plan, which may grow; without one the total is unknown until the
    end. ``console`` (a Rich ``Console``) is drawn on instead of stderr. ``emit_events=False`` draws only.
    ``id`` gives the operation a known id of letters, digits and ``. _ : -``. ``display`` is ``auto`` (live in a
    terminal, plain lines in a pipe, quiet inside a job), ``live``, ``plain``, ``json`` or ``quiet``.

    With ``id`` and ``resume=True`` the block is a new attempt of that operation: a ``run()`` whose result an earlier
    attempt has kept, for the same name, arguments and release, returns it instead of calling the function. Not
    promised: that a step runs only once. One whose process dies before its result is stored runs again, and if
    kept results cannot be read, every step does.

    Raises ``TrackerError`` when misused; otherwise nothing that goes wrong in here reaches the work.

    >>> with StepTracker("Migrate config", steps=["Back up", "Write"], display="quiet") as tracker:
    ...     step = tracker.step("Back up")
    ...     tracker.complete("3 files")
    ...     size = tracker.run("Write", len, "v2")
    >>> [step.status.value for step in tracker.steps], size
    (['complete', 'complete'], 2)
    """

    def __init__(
        self,
        operation_name: str,
        console: Console | None = None,
        emit_events: bool = True,
        *,
        name: str | None = None,
        steps: Sequence[str] | None = None,
        id: str | None = None,
        resume: bool = False,
        labels: Mapping[str, str] | None = None,
        display: str = "auto",
    ) -> None:
        self.operation_name = safe_text(operation_name)
        self.console = console
        self.emit_events = emit_events
        self.name = name
        self.id = checked_id(id)
        self.resume = resume
        if resume and id is None:
            raise TrackerError('resume=True needs id=..., by which the earlier attempt is found, as in id="nightly-7"')
        self.labels = checked_labels(labels)
        self._display = config.checked_display(display)
        self._plan = checked_plan(steps)
        self._results: Results
        self._run: RunWriter | None = None
        self._adopted = False
        self._open: RunWriter | None = None
        self._around: StepTracker | None = None
        self._run_around: RunWriter | context.Latent | None = None
        self._last: Step | None = None
        self._ended: float | None = None

    # --- the block ---

    def __enter__(self) -> Self:
        if self._run is not None:
            raise TrackerError(f"{self._named} was entered twice; make a new StepTracker for every run")
        adoptive = self.emit_events and self.id is None
        filled = context.filled_run(self.operation_name, self._plan, self.labels) if adoptive else None
        outer = filled or context.enclosing_run()
        release = outer.release if outer is not None else config.release()
        adopted = filled or (outer if outer is not None and adoptive and outer.claim() else None)
        self._adopted = adopted is not None
        self._results = Results.of_block(adopted, self.id if self.resume else None, release)
        run = self._run = self._open = adopted or self._new_run(outer, release)
        try:
            context.enter(self, run)
            if filled is None:
                self._start(run, outer)
            if self._results.trouble:
                run.log(self._results.trouble, warning=True)
            return self
        except BaseException as exc:  # An interrupt: nobody else will leave this block.
            self.__exit__(type(exc), exc, None)
            raise

    def _new_run(self, outer: RunWriter | None, release: str) -> RunWriter:
        run = RunWriter(
            operation=self.id,
            name=self.name or self.operation_name,
            title=self.operation_name,
            parent=outer.operation if outer is not None else "",
            labels=self.labels,
            steps=self._plan,
            release=release,
            app=outer.app if outer is not None else "",
            worker=replace(outer.worker, pid=os.getpid()) if outer is not None else None,
            emits=self.emit_events,
        )
        run.resumes = self.resume
        if outer is not None:
            if outer.is_within(run.operation):
                raise TrackerError(f"{self._named} is inside an operation of the same id; give it another one, or none")
            run.around, outer.has_children = outer, True
            run.above = [*outer.above, outer.title, *outer.open.trail(context.caller())]
            run.classify = outer.classify
        return run

    def _start(self, run: RunWriter, outer: RunWriter | None) -> None:
        if self._adopted:
            run.adopt(self.operation_name, self._plan, self.labels)
            return
        run.start()
        mode = config.default_display() if self._display == "auto" else self._display
        if mode != "quiet":
            from tracker.display import attach

            run.watcher = attach(run, mode, self.console, outer)
        termination.guard(run)

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        run = self._open or self._misplaced()
        try:
            self._leave(run, instance_of(kind, exc))
        except BaseException as interrupt:  # It came in the midst of leaving, all of which may be done again.
            self._leave(run, exc or interrupt)
            raise
        if exc is not None and context.enclosing_run() is None:
            end_task(exc)

    def _leave(self, run: RunWriter, exc: BaseException | None) -> None:
        self._ended = clock.now()
        status = run.outcome(exc)
        run.close_steps(status, exc, context.caller())
        place = place_of(run, exc) if status is _ERROR else ""
        context.leave(self, run)
        outer = context.enclosing_run()
        if status is _ERROR and exc is not None and outer is not None and outer is not run:
            tell_outer(run, outer, exc)
        if not self._adopted:
            outcome = Status.CANCELLED if status is Status.QUEUED else status
            run.end(outcome, exc if outcome is not Status.COMPLETE else None)
            termination.release(run)
        self._open = None
        if status is _ERROR:
            add_note(exc, f"Failed {place} (in {run.title!r})")

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, exc, trace)

    # --- steps ---

    def step(self, name: str, *, warn_after: float | None = None) -> Step:
        """Start a step; a step of the plain form that the same thread or asyncio task had open is complete now.

        Used in ``with tracker.step(...)``, the outcome follows that block, and several may be open at once. A step
        that takes longer than ``warn_after`` seconds is shown as over time; nothing is stopped.
        """
        run = self._open or self._misplaced()
        owner = context.caller()
        if warn_after is not None:
            check_seconds(warn_after)
        previous = run.open.innermost(owner)
        if previous is not None and not previous._scoped:
            run.finish(previous, _COMPLETE, owner)
        step = self._last = run.begin(name, owner, warn_after)
        return step

    def run(self, name: str, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call ``fn(*args, **kwargs)`` as a step of that name and return what it returns.

        The result is kept for resuming, so it has to be plain JSON (``None``, bool, int, float, str, list, dict with
        str keys) of at most 64 KiB; ``TrackerError`` otherwise. A function that ends the step itself keeps nothing.
        For an ``async`` function this returns an awaitable, and the step begins when it is awaited.
        """
        if self._open is None:
            self._misplaced()
        begin = partial(self.step, name)
        if is_async(fn):
            return cast(R, self._results.call_async(begin, name, fn, args, kwargs))
        return cast(R, self._results.call(begin, name, fn, args, kwargs))

    @overload
    def track(
        self,
        name: str,
        iterable: Iterable[Item],
        total: float | None = None,
        unit: str | None = None,
        *,
        warn_after: float | None = None,
    ) -> Iterator[Item]: ...

    @overload
    def track(
        self,
        name: str,
        iterable: AsyncIterable[Item],
        total: float | None = None,
        unit: str | None = None,
        *,
        warn_after: float | None = None,
    ) -> AsyncIterator[Item]: ...

    def track(
        self,
        name: str,
        iterable: Iterable[Item] | AsyncIterable[Item],
        total: float | None = None,
        unit: str | None = None,
        *,
        warn_after: float | None = None,
    ) -> Iterator[Item] | AsyncIterator[Item]:
        """A step of that name that lasts as long as the items do: ``for row in tracker.track("Import", rows)``.

        Also for ``async for``. An exception in the loop's body that leaves the block fails the step. After ``break``,
        and where the exception is caught around the loop, it stays open, as a step of the plain form.
        """
        if self._open is None:
            self._misplaced()
        begin = partial(self.step, name, warn_after=warn_after)
        if isinstance(iterable, AsyncIterable):
            return loops.async_items(begin, iterable, total, unit)
        return loops.items(begin, iterable, total, unit)

    def complete(self, detail: str = "") -> None:
        """The current step is done."""
        run = self._open or self._misplaced()
        owner = context.caller()
        step = run.open.innermost(owner) or self._stepless("complete")
        if not run.finish(step, _COMPLETE, owner, detail):
            step.complete(detail)

    def skip(self, reason: str = "") -> None:
        """The current step turned out not to be needed."""
        self._innermost("skip").skip(reason)

    def error(self, message: str) -> None:
        """The current step failed, and the work goes on."""
        self._innermost("error").fail(message)

    def advance(self, n: float = 1) -> None:
        """``n`` more of the current step are done."""
        self._innermost("advance").advance(n)

    def set_total(self, total: float | None) -> None:
        """How many there are to do in the current step; ``None`` if that is not known."""
        self._innermost("set_total").set_total(total)

    def log(self, text: object) -> None:
        """Keep a line of text under the current step, or under the operation if none is open."""
        run = self._open or self._misplaced()
        run.log(text, run.open.innermost(context.caller()))

    def warn(self, text: object) -> None:
        """Say that something is not as it should be; nothing is stopped and nothing fails."""
        run = self._open or self._misplaced()
        run.log(text, run.open.innermost(context.caller()), warning=True)

    def prompting(self) -> AbstractContextManager[None]:
        """Leave the terminal alone for the length of a block, so that the program can ask its user something."""
        run = self._open or self._misplaced()
        return run.watcher.prompting() if run.watcher is not None else nullcontext()

    # --- what people read ---

    @property
    def steps(self) -> list[Step]:
        """All steps in order; those of a plan are there from the start, as ``pending``."""
        return [] if self._run is None else self._run.in_order()

    @property
    def current_step(self) -> Step | None:
        """The step the caller has open, else the one started last."""
        open_here = None if self._run is None else self._run.open.innermost(context.caller())
        return open_here or self._last

    @property
    def operation_id(self) -> str | None:
        """The operation's id, once the block has been entered."""
        return None if self._run is None else self._run.operation

    @property
    def start_time(self) -> datetime | None:
        """When the operation began, in UTC."""
        return None if self._run is None else datetime.fromtimestamp(self._run.started, UTC)

    @property
    def end_time(self) -> datetime | None:
        """When the block was left, in UTC."""
        return None if self._ended is None else datetime.fromtimestamp(self._ended, UTC)

    @property
    def _named(self) -> str:
        return f"StepTracker({line(self.operation_name)!r})"

    def _misplaced(self) -> NoReturn:
        when = "has not been entered" if self._run is None else "has been left"
        raise TrackerError(f"{self._named} {when}; use it inside its `with` block")

    def _innermost(self, call: str) -> Step:
        run = self._open or self._misplaced()
        return run.open.innermost(context.caller()) or self._stepless(call)

    def _stepless(self, call: str) -> NoReturn:
        raise TrackerError(
            f"{self._named}.{call}(): no step is open in this thread or task; start one with step(), "
            "or use the step that `with tracker.step(...) as step` gives"
        )
