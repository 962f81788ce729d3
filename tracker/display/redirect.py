"""What a program writes to the terminal while a live region is up: it goes above the region.

Python's own streams are replaced, and those that logging handlers and the console that is drawn on have kept.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TextIO, cast

from tracker.display.terminal import Above, Terminal, terminal_of

if TYPE_CHECKING:
    from logging import StreamHandler

    from rich.console import Console


class Redirect:
    """Remembers what it has turned to the region, and turns it back."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._streams: list[Above] = []
        self._back: list[Callable[[], None]] = []

    def begin(self, console: Console) -> None:
        """Everything on this terminal that is known to write."""
        # First Python's own: a handler or console that asks for these anew each time needs nothing more.
        for owner, name in ((sys, "stdout"), (sys, "stderr")):
            self._turn(owner, name)
        for handler in _handlers():
            self._turn(handler, "stream")
        self._turn(console, "file")

    def end(self) -> None:
        """Turn back those that nobody else has turned meanwhile."""
        while self._back:
            self._back.pop()()
        # A block of contextlib.redirect_stdout may have brought one back.
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if isinstance(stream, Above) and stream.terminal is self._terminal:
                setattr(sys, name, stream.real)
        self._streams.clear()

    def _turn(self, owner: object, name: str) -> None:
        old = getattr(owner, name)
        new = self._above(old)
        if new is old:
            return
        setattr(owner, name, new)

        def back() -> None:
            if getattr(owner, name) is new:
                setattr(owner, name, old)

        self._back.append(back)

    def _above(self, stream: TextIO | Above) -> TextIO | Above:
        if isinstance(stream, Above) or terminal_of(stream) is not self._terminal:
            return stream
        known = next((above for above in self._streams if above.real is stream), None)
        if known is None:
            stream.flush()
            known = Above(stream, self._terminal)
            self._streams.append(known)
        return known


def real_file(console: Console | None) -> TextIO:
    """The stream that is drawn on, itself."""
    file = console.file if console is not None else sys.stderr
    return file.real if isinstance(file, Above) else cast(TextIO, file)


def _handlers() -> Iterator[StreamHandler[TextIO]]:
    logging = sys.modules.get("logging")
    if logging is None:
        return
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    for logger in loggers:
        for handler in getattr(logger, "handlers", ()):
            if isinstance(handler, logging.StreamHandler):
                yield handler
