"""Text and numbers as people read them: cleaned of control characters, ages, progress.

Pure functions; nothing here knows a terminal.
"""

from __future__ import annotations

import re
import time
import unicodedata
from datetime import UTC, datetime

from msgspec.structs import replace

from tracker.model import Operation, Status
from tracker.render.texts import number

ACTIVE = re.compile("[\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
"""What is not escaped in JSON as it is usually written, and means something to a terminal."""

SHOWN = 2_000
"""Longest text that is ever cleaned for display, in characters."""


def clean(text: str) -> str:
    """``text`` on one line, without anything that could move a cursor, ring, or turn the writing direction.

    >>> clean("a\\x1b[31mb\\nc")
    'a�[31mb c'
    """
    text = text[:SHOWN]
    return text if text.isprintable() else "".join(map(_harmless, text))


def cleaned(operation: Operation) -> Operation:
    """A copy of ``operation`` whose every text that is drawn is clean."""
    steps = operation.steps and [
        replace(
            step,
            name=clean(step.name),
            detail=clean(step.detail),
            error=clean(step.error),
            unit=clean(step.unit),
            warning=clean(step.warning),
        )
        for step in operation.steps
    ]
    error = operation.error and replace(
        operation.error,
        type=clean(operation.error.type),
        message=clean(operation.error.message),
        path=[clean(part) for part in operation.error.path],
        log=[clean(line) for line in operation.error.log],
    )
    title, flags = clean(operation.title or operation.name), [clean(flag) for flag in operation.flags]
    return replace(operation, title=title, flags=flags, steps=steps, error=error)


def remarks(operation: Operation) -> list[str]:
    """What is said of an operation beside its status: flags, when it may begin, and that somebody wants it to end."""
    flags = [clean(flag) for flag in operation.flags]
    if operation.next_at is not None:
        return [*flags, f"due {due(operation.next_at)}"]
    if operation.cancel is None or operation.status is not Status.RUNNING:
        return flags
    return [*flags, f"cancel requested by {clean(operation.cancel.by) or 'somebody'}"]


def status_words(operation: Operation) -> str:
    """``running``, or ``running, unresponsive`` with what else is said of it."""
    return ", ".join([operation.status, *remarks(operation)])


def _harmless(character: str) -> str:
    if character in "\n\r\t\u2028\u2029":
        return " "
    return "�" if unicodedata.category(character) in ("Cc", "Cf", "Cs") else character


def ago(moment: float, now: float) -> str:
    """How long before ``now``, both UTC seconds; clocks that differ a little never give a future.

    >>> [ago(100.0 - value, 100.0) for value in (-3, 4, 90, 7300, 200000)]
    ['now', '4 s ago', '1 min ago', '2 h ago', '2 d ago']
    """
    passed = now - moment
    return "now" if passed < 1 else f"{span(passed)} ago"


def span(seconds: float) -> str:
    """A time in its largest whole unit.

    >>> span(7300)
    '2 h'
    """
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"


def due(moment: float) -> str:
    """The local time of day of UTC seconds, with the date if that is another one than today's.

    >>> due(1e300)
    'at no time there is'
    """
    try:
        date, told = time.strftime("%Y-%m-%d", time.localtime(moment)), clock_time(moment)
    except (OverflowError, ValueError, OSError):
        return "at no time there is"
    return told if date == time.strftime("%Y-%m-%d") else f"{date} {told}"


def clock_time(moment: float) -> str:
    """The local time of day of UTC seconds, ``hh:mm:ss``."""
    return time.strftime("%H:%M:%S", time.localtime(moment))


def escaped(json: str) -> str:
    """JSON of the same value, without anything in it that could move a cursor or turn the writing direction.

    >>> escaped('"\u202ea\x9b1A"')
    '"\\\\u202ea\\\\u009b1A"'
    """
    return ACTIVE.sub(lambda found: f"\\u{ord(found[0]):04x}", json)


def iso_time(moment: float) -> str:
    """UTC seconds in ISO 8601, to the millisecond; empty for what is no time people have a name for.

    >>> iso_time(1_800_000_000.5)
    '2027-01-15T08:00:00.500Z'
    """
    try:
        return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"
    except (OverflowError, ValueError, OSError):
        return ""


def progress_words(current: float | None, total: float | None, unit: str) -> str:
    """``45 %`` with a total, ``120 rows`` without; percent rounds down, so 100 means done."""
    if current is None:
        return ""
    return f"{int(100 * current / total)} %" if total else f"{number(current)} {unit}".rstrip()
