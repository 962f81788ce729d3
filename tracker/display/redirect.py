"""Logging while a live region is up: handlers that write to the terminal write above the region instead.

Rich takes care of ``print``; a handler keeps the stream it was made with, and would write into the picture.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from logging import StreamHandler

Streams = tuple[TextIO, TextIO]


class Redirect:
    """Remembers which handlers it has turned, and turns them back."""

    def __init__(self) -> None:
        self._turned: list[tuple[StreamHandler[TextIO], TextIO, TextIO]] = []

    def begin(self, before: Streams, now: Streams) -> None:
        """Every handler on one of the streams ``before`` writes to the one that has taken its place ``now``."""
        for handler in _handlers():
            for old, new in zip(before, now, strict=True):
                if handler.stream is old and old is not new:
                    handler.stream = new
                    self._turned.append((handler, old, new))
                    break

    def end(self) -> None:
        """Turn back those that nobody else has turned meanwhile."""
        while self._turned:
            handler, old, new = self._turned.pop()
            if handler.stream is new:
                handler.stream = old


def _handlers() -> Iterator[StreamHandler[TextIO]]:
    logging = sys.modules.get("logging")
    if logging is None:
        return
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    for logger in loggers:
        for handler in getattr(logger, "handlers", ()):
            if isinstance(handler, logging.StreamHandler):
                yield handler
