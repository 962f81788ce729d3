"""What is wrong and stays so is told in the log once, and then not again for a minute."""

from __future__ import annotations

import logging
import math

from tracker.clock import elapsed

AGAIN_AFTER = 60.0
"""Seconds between two log lines about the same trouble."""

log = logging.getLogger("tracker")


class Complaints:
    """What one part of a process has complained of."""

    def __init__(self) -> None:
        self._said: dict[str, tuple[float, str]] = {}

    def about(self, trouble: str) -> str:
        """What was said last about a kind of trouble; empty if nothing was."""
        return self._said.get(trouble, (0.0, ""))[1]

    def say(self, trouble: str, text: str, *, exc_info: bool = False) -> None:
        """Log ``text``, unless something was said about the same ``trouble`` (a word for its kind) lately."""
        said, _ = self._said.get(trouble, (-math.inf, ""))
        if elapsed() - said >= AGAIN_AFTER:
            self._said[trouble] = elapsed(), text
            log.warning("tracker: %s", text, exc_info=exc_info)
