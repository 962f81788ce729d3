"""Plain lines: one per transition and log line, and now and then one for a step that takes long."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, TextIO

from tracker import clock
from tracker.display.screen import Screen, picture
from tracker.model import LogLine, Operation
from tracker.render import texts
from tracker.render.symbols import EMOJI, fitting
from tracker.run import RunWriter
from tracker.step import Step

if TYPE_CHECKING:
    from rich.console import Console

HEARTBEAT = 30.0
"""Seconds after which a step that said nothing is said to be still running, and again after as many."""

LOOK_EVERY = 1.0
"""Seconds between two looks at how long steps have been running."""


class Lines(Screen):
    """Nothing is ever drawn over."""

    def __init__(self, console: Console | None) -> None:
        super().__init__(console)
        self._stream: TextIO = sys.stderr
        self._encoding = (console.encoding if console else getattr(self._stream, "encoding", None)) or "utf-8"
        self._symbols = fitting(self._encoding, EMOJI)
        self._heard: dict[Step, float] = {}
        self._warned: set[Step] = set()
        self._prompting = 0
        self._stop = threading.Event()

    def prompting(self) -> AbstractContextManager[None]:
        """No heartbeat appears behind the question."""

        @contextmanager
        def silence() -> Iterator[None]:
            self._prompting += 1
            try:
                yield
            finally:
                self._prompting -= 1

        return silence()

    def _opened(self, run: RunWriter) -> None:
        if len(self._runs) == 1:
            threading.Thread(target=self._watch, name="tracker-heartbeat", daemon=True).start()
        self._say(run, run.title)

    def _changed(self, run: RunWriter, step: Step | None) -> None:
        if step is None:
            return
        state = step.state()
        if state.duration is None:
            self._heard[step] = clock.elapsed()
        else:
            self._heard.pop(step, None)
            self._warned.discard(step)
        self._say(run, self._named(run, texts.transition(state, run.total, self._symbols)))

    def _said(self, run: RunWriter, line: LogLine) -> None:
        if line.step and (step := run.steps[line.step]) in self._heard:
            self._heard[step] = clock.elapsed()
        word = "warning: " if line.level else ""
        self._say(run, f"  {self._symbols.margin} {word}{line.text}")

    def _closed(self, run: RunWriter) -> None:
        operation = picture(run)
        if self._depth(run):
            mark, taken = self._symbols.mark(operation.status), texts.seconds(operation.duration)
            self._say(run, f"{mark} {run.title} {operation.status} {taken}")
        elif self._console is not None:
            self._panel(operation, self._console)
        else:
            self._print("\n".join([texts.headline(operation, self._symbols), *texts.summary(operation)]))

    def _stopped(self) -> None:
        self._stop.set()

    def _panel(self, operation: Operation, console: Console) -> None:
        from tracker.render.operation import summary_panel

        if self._encoding.lower().replace("-", "") == "utf8":
            console.print(summary_panel(operation, self._symbols))
        else:
            self._print("\n".join([texts.headline(operation, self._symbols), *texts.summary(operation)]))

    # --- steps that take long ---

    def _watch(self) -> None:
        while not self._stop.wait(LOOK_EVERY):
            if not self._prompting:
                self._guarded(self._beat)

    def _beat(self) -> None:
        now = clock.elapsed()
        with self._lock:
            for run, _ in self._runs:
                for step in reversed(run.open.all()):
                    if self._is_due(step, now):
                        self._heard[step] = now
                        beat = texts.heartbeat(step.state(), run.total, clock.now(), self._symbols)
                        self._say(run, self._named(run, beat))

    def _is_due(self, step: Step, now: float) -> bool:
        if step not in self._warned and texts.over_time(step.state(), clock.now()):
            self._warned.add(step)
            return True
        return now - self._heard.get(step, now) >= HEARTBEAT

    # --- writing ---

    def _named(self, run: RunWriter, text: str) -> str:
        """With the title before it, in a nested run: several of them may run at once."""
        return f"{run.title} {text}" if self._depth(run) else text

    def _say(self, run: RunWriter, text: str) -> None:
        self._print("  " * self._depth(run) + text)

    def _print(self, text: str) -> None:
        text = text.encode(self._encoding, "replace").decode(self._encoding)
        with self._lock:
            if self._console is None:
                self._stream.write(text + "\n")
                self._stream.flush()
            else:
                from rich.text import Text

                self._console.print(Text(text), soft_wrap=True)
