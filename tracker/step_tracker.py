"""``StepTracker``: turns a block of code into an operation made of steps.

Translates calls into changes of a run and decides what leaving the block means. Does no I/O but drawing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import CoroutineType, TracebackType
from typing import TYPE_CHECKING, NoReturn, ParamSpec, Self, TypeVar

from tracker import config, context
from tracker.display import attach
from tracker.errors import TrackerError
from tracker.model import Status, StepStatus
from tracker.outcome import add_note, instance_of
from tracker.redact import line, safe_text
from tracker.run import RunWriter
from tracker.settings import ID
from tracker.step import Step

if TYPE_CHECKING:
    from rich.console import Console

P = ParamSpec("P")
R = TypeVar("R")


class StepTracker:
    """An operation and its steps. The operation's outcome follows the block; exceptions pass through unchanged.

    ``operation_name`` is the title people read; ``name`` the stable name that groups operations of a kind (the
    title if not given). ``steps`` declares a plan, which may grow; without one the total is unknown until the
    end. ``console`` (a Rich ``Console``) is drawn on instead of stderr. ``emit_events=False`` draws only.
    ``id`` gives the operation a known id of letters, digits and ``. _ : -``. ``display`` is ``auto`` (live in a
    terminal, plain lines in a pipe, quiet inside a job), ``live``, ``plain`` or ``quiet``.

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
        if resume:
            raise TrackerError("resume=True is not available without a store; leave it out to run every step")
        self.operation_name = safe_text(operation_name)
        self.console = console
        self.emit_events = emit_events
        self.name = name
        self.id = _checked_id(id)
        self.labels = dict(labels or {})
        self._display = config.checked_display(display)
        self._plan = _checked_plan(steps)
        self._run: RunWriter | None = None
        self._adopted = False
        self._open: RunWriter | None = None
        self._last: Step | None = None
        self._ended: datetime | None = None

    # --- the block ---

    def __enter__(self) -> Self:
        if self._run is not None:
            raise TrackerError(f"{self._named} was entered twice; make a new StepTracker for every run")
        outer = context.enclosing_run()
        self._adopted = outer is not None and self.emit_events and self.id is None and outer.claim()
        if self._adopted and outer is not None:
            self._run = outer
            outer.adopt(self.operation_name, self._plan, self.labels)
        else:
            self._run = self._started(outer)
        self._open = self._run
        self._tokens = context.enter(self, self._run)
        return self

    def _started(self, outer: RunWriter | None) -> RunWriter:
        run = RunWriter(
            operation=self.id,
            name=self.name or self.operation_name,
            title=self.operation_name,
            parent=outer.operation if outer is not None else "",
            labels=self.labels,
            steps=self._plan,
            release=outer.release if outer is not None else config.release(),
            app=outer.app if outer is not None else "",
            emits=self.emit_events,
        )
        if outer is not None:
            run.above = [*outer.above, outer.title]
            run.classify, run.queue, run.host = outer.classify, outer.queue, outer.host
        run.start()
        run.watcher = attach(run, self._display, self.console, outer)
        return run

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        run, exc = self._open or self._misplaced(), instance_of(kind, exc)
        self._open = None
        self._ended = datetime.now(UTC)
        context.leave(self._tokens, self, run)
        status = run.outcome(exc)
        run.close_steps(status, exc, context.caller())
        _, place = run.place(exc)
        if not self._adopted:
            outcome = Status.CANCELLED if status is Status.QUEUED else status
            run.end(outcome, exc if outcome is not Status.COMPLETE else None)
        if status is Status.ERROR:
            add_note(exc, f"Failed {place} (in {run.title!r})")

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, exc, trace)

    # --- steps ---

    def step(self, name: str) -> Step:
        """Start a step; a step of the plain form that the same thread or asyncio task had open is complete now.

        Used in ``with tracker.step(...)``, the outcome follows that block, and several may be open at once.
        """
        run = self._open or self._misplaced()
        owner = context.caller()
        previous = run.innermost(owner)
        if previous is not None and not previous._scoped:
            run.finish(previous, StepStatus.COMPLETE)
        step = self._last = run.begin(name, owner)
        return step

    def run(self, name: str, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call ``fn(*args, **kwargs)`` as a step of that name and return what it returns."""
        with self.step(name):
            result = fn(*args, **kwargs)
            if isinstance(result, CoroutineType):
                result.close()
                raise TrackerError(f"run({name!r}, …) got a coroutine; write `with tracker.step({name!r}): await …`")
            return result

    def complete(self, detail: str = "") -> None:
        """The current step is done."""
        self._innermost("complete").complete(detail)

    def skip(self, reason: str = "") -> None:
        """The current step turned out not to be needed."""
        self._innermost("skip").skip(reason)

    def error(self, message: str) -> None:
        """The current step failed, and the work goes on."""
        self._innermost("error").fail(message)

    def advance(self, n: float = 1) -> None:
        """``n`` more of the current step are done."""
        self._innermost("advance").advance(n)

    # --- what people read ---

    @property
    def steps(self) -> list[Step]:
        """All steps in order; those of a plan are there from the start, as ``pending``."""
        return [] if self._run is None else self._run.steps.copy()

    @property
    def current_step(self) -> Step | None:
        """The step the caller has open, else the one started last."""
        open_here = None if self._run is None else self._run.innermost(context.caller())
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
        return self._ended

    @property
    def _named(self) -> str:
        return f"StepTracker({line(self.operation_name)!r})"

    def _misplaced(self) -> NoReturn:
        when = "has not been entered" if self._run is None else "has been left"
        raise TrackerError(f"{self._named} {when}; use it inside its `with` block")

    def _innermost(self, call: str) -> Step:
        run = self._open or self._misplaced()
        return run.innermost(context.caller()) or self._stepless(call)

    def _stepless(self, call: str) -> NoReturn:
        raise TrackerError(
            f"{self._named}.{call}(): no step is open in this thread or task; start one with step(), "
            "or use the step that `with tracker.step(...) as step` gives"
        )


def _checked_id(id: str | None) -> str | None:
    if id is not None and not (isinstance(id, str) and ID.fullmatch(id)):
        raise TrackerError(f"id is {line(repr(id))}; use 1 to 128 letters, digits, or any of . _ : -")
    return id


def _checked_plan(steps: Sequence[str] | None) -> list[str]:
    if isinstance(steps, str):
        raise TrackerError(f"steps is the text {line(repr(steps))}; give a list of step names")
    return list(steps or ())
