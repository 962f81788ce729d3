"""How a watcher's view reaches stdout: JSON lines for machines, plain lines for pipes and logs.

The live view is in ``live.py``; ``writer_for`` chooses between the three.
"""

from __future__ import annotations

from collections.abc import Callable

from tracker.cli.output import Output
from tracker.cli.subjects import FAILED, Everything, One
from tracker.clock import elapsed, now
from tracker.model import ENDED, LiveEvent, LogLine, Operation, Status, StepState, StepStatus
from tracker.render import jsonl
from tracker.render.transitions import (
    counts_line,
    error_lines,
    log_line,
    operation_line,
    progress_line,
    step_line,
    title_of,
)
from tracker.render.words import status_words

COUNTS_EVERY = 5.0
"""Seconds between two lines with a batch's counts or a step's progress, if they moved."""

SIGN_OF_LIFE = 30.0
"""Seconds of silence after which a line says that nothing has changed: silent jobs get killed."""


class JsonWriter:
    """Every change as one line, nothing else on stdout."""

    def __init__(self, output: Output, subject: One | Everything, where: str) -> None:
        self._output = output
        self._subject = subject
        self._silence = Silence(output.note, where)

    def snapshot(self, topic: str) -> None:
        for operation in self._subject.of_topic(topic):
            self._output.line(jsonl.snapshot_line(operation))

    def reset(self, reason: str) -> None:
        self._output.line(jsonl.reset_line(reason))

    def events(self, events: list[LiveEvent]) -> None:
        for event in events:
            self._output.line(jsonl.event_line(event))

    def refresh(self, stale_since: float | None) -> float:
        self._silence.note(stale_since)
        return 1.0

    def end(self) -> None:
        """Everything has been said."""


class Silence:
    """Says once that there is no answer, and once that there is again."""

    def __init__(self, say: Callable[[str], None], where: str) -> None:
        self._say = say
        self._where = where
        self._since: float | None = None

    def note(self, stale_since: float | None) -> None:
        from tracker.render.words import clock_time

        if stale_since is not None and self._since is None:
            self._say(f"no answer from {self._where} since {clock_time(stale_since)}, trying again")
        if stale_since is None and self._since is not None:
            self._say(f"{self._where} answers again")
        self._since = stale_since


class PlainWriter:
    """One line for every transition, and every few seconds one for what has only moved."""

    def __init__(self, output: Output, subject: One | Everything, where: str) -> None:
        self._output = output
        self._subject = subject
        self._silence = Silence(self._say, where)
        self._statuses: dict[str, tuple[str, str]] = {}
        self._steps: dict[tuple[str, str, int], StepStatus] = {}
        self._spoke = elapsed()
        self._moved = elapsed()
        self._last_move = ""

    def snapshot(self, topic: str) -> None:
        for operation in self._subject.of_topic(topic):
            if operation.status in ENDED and self._is_child(operation) and self._subject.is_over():
                continue
            for step in operation.steps or ():
                self._step(operation, step, now())
            self._operation(operation, now())

    def reset(self, reason: str) -> None:
        self._say(f"read anew: {reason}")

    def events(self, events: list[LiveEvent]) -> None:
        for event in events:
            if event.step is not None:
                self._step(event.operation, event.step, event.ts)
            if event.log is not None:
                self._log(event.operation, event.log)
            self._operation(event.operation, event.ts)

    def refresh(self, stale_since: float | None) -> float:
        self._silence.note(stale_since)
        if elapsed() - self._moved >= COUNTS_EVERY:
            self._moved = elapsed()
            self._say_movement()
        return 1.0

    def _operation(self, operation: Operation, moment: float) -> None:
        """A child's beginning is no news among hundreds; its outcome is."""
        known = self._statuses.get(operation.id)
        mark = (operation.run, status_words(operation))
        if known == mark or (known is None and operation.status is Status.QUEUED and self._is_child(operation)):
            return
        self._statuses[operation.id] = mark
        if operation.status in ENDED or not self._is_child(operation):
            self._say(operation_line(operation), moment)

    def _step(self, operation: Operation, step: StepState, moment: float) -> None:
        key = (operation.id, operation.run, step.index)
        if self._is_child(operation) or self._steps.get(key, StepStatus.PENDING) is step.status:
            return
        self._steps[key] = step.status
        titled = operation.title if self._subject.id is None else ""
        total, ended = operation.step.total if operation.step else None, operation.status in ENDED
        self._say(step_line(step, total, titled, ended=ended), moment)

    def _log(self, operation: Operation, log: LogLine) -> None:
        """Among all operations only warnings are news; of a child neither."""
        if self._subject.id is None and log.level:
            self._say(f"{title_of(operation)}  {log_line(log)}", log.ts)
        elif self._subject.id == operation.id:
            self._say(log_line(log), log.ts)

    def _is_child(self, operation: Operation) -> bool:
        return self._subject.id is not None and operation.id != self._subject.id

    def _say_movement(self) -> None:
        """Counts and progress when they have moved, else a sign of life now and then."""
        shown = self._subject.operations() if isinstance(self._subject, Everything) else [self._subject.operation()]
        running = [one for one in shown if one is not None and one.status is Status.RUNNING]
        lines = [counts_line(one) if one.children.total else progress_line(one) for one in running]
        movement = "\n".join(lines)
        if movement and (movement != self._last_move or elapsed() - self._spoke >= SIGN_OF_LIFE):
            self._last_move = movement
            for line in filter(None, lines):
                self._say(line)

    def end(self) -> None:
        """The failures of a batch once more, where they are found."""
        if not isinstance(self._subject, One) or (operation := self._subject.operation()) is None:
            return
        failed = [child for child in self._subject.children() if child.status in FAILED]
        for line in error_lines(operation, failed):
            self._output.line(line)

    def _say(self, text: str, moment: float | None = None) -> None:
        from tracker.render.words import clock_time

        self._spoke = elapsed()
        self._output.line(f"{clock_time(moment or now())}  {text}")
