"""One JSON object a line for every change, in the form that watchers get: for programs that read a program."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import msgspec

from tracker import clock
from tracker.compose import compose
from tracker.display.screen import Screen
from tracker.model import EventType, LiveEvent, LogLine, Parts, StepState, StepStatus
from tracker.run import RunWriter
from tracker.step import Step

if TYPE_CHECKING:
    from rich.console import Console

_TYPES = {
    StepStatus.RUNNING: EventType.STEP_START,
    StepStatus.COMPLETE: EventType.STEP_COMPLETE,
    StepStatus.SKIPPED: EventType.STEP_SKIP,
}


class JsonLines(Screen):
    """Writes to the console's file, or to stderr."""

    def __init__(self, console: Console | None) -> None:
        super().__init__(console)
        self._stream = console.file if console is not None else sys.stderr

    def _opened(self, run: RunWriter) -> None:
        self._write(run, EventType.OPERATION_START)

    def _changed(self, run: RunWriter, step: Step | None) -> None:
        if step is not None:
            state = step.state()
            self._write(run, _TYPES.get(state.status, EventType.STEP_ERROR), state)
        elif run.ended is None:
            self._write(run, EventType.OPERATION_UPDATE)

    def _said(self, run: RunWriter, line: LogLine) -> None:
        self._write(run, EventType.STEP_LOG, log=line)

    def _closed(self, run: RunWriter) -> None:
        self._write(run, EventType.OPERATION_COMPLETE)

    def _stopped(self) -> None:
        """Every line is out already."""

    def _write(
        self, run: RunWriter, type: EventType, step: StepState | None = None, log: LogLine | None = None
    ) -> None:
        operation = compose(Parts(id=run.operation, attempt=1, run=run.part()), steps=False)
        event = msgspec.json.encode(LiveEvent(type, clock.now(), operation, step, log=log)).decode()
        with self._lock:
            self._stream.write(event + "\n")
            self._stream.flush()
