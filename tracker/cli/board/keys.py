"""Keys as names: reads the terminal in a thread and tells of each key that is pressed."""

from __future__ import annotations

import codecs
import os
import select
import sys
import threading
from collections.abc import Callable, Iterator

NAMES = {
    "\x1b[A": "up", "\x1bOA": "up", "\x1b[B": "down", "\x1bOB": "down",
    "\x1b[C": "right", "\x1bOC": "right", "\x1b[D": "left", "\x1bOD": "left",
    "\x1b[5~": "page up", "\x1b[6~": "page down",
    "\x1b[H": "home", "\x1bOH": "home", "\x1b[1~": "home",
    "\x1b[F": "end", "\x1bOF": "end", "\x1b[4~": "end",
    "\r": "enter", "\n": "enter", "\x1b": "escape", "\x7f": "backspace", "\x08": "backspace",
}  # fmt: skip
"""What terminals send for the keys that have names here (xterm's control sequences, in both cursor modes)."""

ROOM = 1024


def keys_of(text: str) -> Iterator[str]:
    """The keys in what a terminal has sent at once; a sequence that means nothing here is left out.

    >>> list(keys_of("j\\x1b[A\\x1b"))
    ['j', 'up', 'escape']
    """
    while text:
        known = next((sequence for sequence in sorted(NAMES, key=len, reverse=True) if text.startswith(sequence)), "")
        if text.startswith("\x1b") and len(known) < 2 and len(text) > 1:
            text = text[_length(text) :]
            continue
        yield NAMES.get(known, text[0])
        text = text[max(1, len(known)) :]


def _length(text: str) -> int:
    """Of an unknown sequence: up to its final character (ECMA-48, 5.4), or with the one key it changes."""
    if text[1] not in "[O":
        return 2
    return next((place for place, character in enumerate(text[2:], 3) if "@" <= character <= "~"), len(text))


class Keyboard:
    """Tells ``press`` of each key on stdin, from a thread; a context manager for a terminal that is in cbreak mode."""

    def __init__(self, press: Callable[[str], None]) -> None:
        self._press = press
        self._wake, self._woken = os.pipe()
        self._thread = threading.Thread(target=self._read, name="keyboard", daemon=True)

    def __enter__(self) -> Keyboard:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        os.write(self._woken, b".")
        self._thread.join()
        os.close(self._wake)
        os.close(self._woken)

    def _read(self) -> None:
        decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        stdin = sys.stdin.fileno()
        while True:
            ready, _, _ = select.select([stdin, self._wake], [], [])
            if self._wake in ready:
                return
            try:
                data = os.read(stdin, ROOM)
            except OSError:  # The terminal has gone; that is told by a signal.
                return
            if not data:
                return
            for key in keys_of(decode(data)):
                self._press(key)
