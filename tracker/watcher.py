"""Who draws a run in its own process; the run knows no more of it than this."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from tracker.model import LogLine

if TYPE_CHECKING:
    from tracker.run import RunWriter
    from tracker.step import Step


class Watcher(Protocol):
    """Draws a run in this process; called after the event is out, and must not raise."""

    def changed(self, run: RunWriter, step: Step | None) -> None:
        """``step`` began or ended, or (``None``) something else about the run changed."""

    def said(self, run: RunWriter, line: LogLine) -> None:
        """A line was logged."""

    def prompting(self) -> AbstractContextManager[None]:
        """Leave the terminal alone for the length of a block."""
