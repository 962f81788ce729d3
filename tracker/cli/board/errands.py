"""What takes a moment and must not hold up the drawing: done in a thread, and its outcome told."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tracker.cli.board.panes import OperationPane
from tracker.errors import TrackerError
from tracker.model import LogLine

Done = Callable[[], None]
"""What is to be done in the main thread with what an errand has brought."""


class Errands:
    """Runs one after another thing; ``tell`` hands over to the main thread."""

    def __init__(self, tell: Callable[[Done], None]) -> None:
        self._tell = tell

    def run(self, work: Callable[[], str], say: Callable[[str], None]) -> None:
        """Do ``work`` and ``say`` the sentence it gives, or what went wrong."""

        def errand() -> None:
            try:
                words = work()
            except TrackerError as error:
                words = str(error)
            self._tell(lambda: say(words))

        threading.Thread(target=errand, name="errand", daemon=True).start()

    def read(self, pane: OperationPane, logs: Callable[[str], list[LogLine]], say: Callable[[str], None]) -> None:
        """Read the log of an operation into its pane."""

        def errand() -> None:
            try:
                lines = logs(pane.id)
            except TrackerError as error:
                words = str(error)
                self._tell(lambda: say(words))
            else:
                self._tell(lambda: pane.take(lines))

        threading.Thread(target=errand, name="errand", daemon=True).start()
