"""Operations as rows fitted to a terminal: the table of what runs now, and the children of one operation.

Pure functions of state; every text is cleaned and cut to its cells, so nothing wraps or moves the cursor.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text

from tracker.model import ENDED, Operation, Status
from tracker.render.symbols import STYLES, UNICODE, Symbols
from tracker.render.texts import seconds
from tracker.render.words import SHOWN, ago, clean, clock_time, progress_words, remarks

NARROW = 48
"""Below this many cells a row is a symbol and a title only."""

COUNTED = (Status.ERROR, Status.LOST, Status.CANCELLED, Status.RUNNING, Status.QUEUED, Status.COMPLETE)


def rows(
    operations: Sequence[Operation], *, now: float, width: int, height: int, symbols: Symbols = UNICODE
) -> list[Text]:
    """One line each; what does not fit ``height`` is one last line with its number."""
    room = max(1, height)
    shown = operations if len(operations) <= room else operations[: room - 1]
    widest = max((cell_len(clean(operation.title or operation.name)) for operation in shown), default=0)
    lines = [row(operation, now=now, width=width, title=widest, symbols=symbols) for operation in shown]
    rest = len(operations) - len(shown)
    return [*lines, fitted(Text(f"  and {rest} more", "dim"), width)] if rest else lines


def row(operation: Operation, *, now: float, width: int, title: int = SHOWN, symbols: Symbols = UNICODE) -> Text:
    """Status, title, where it stands, and time; titles get ``title`` cells, if that leaves enough for the rest."""
    line = status_mark(operation.status, symbols=symbols, word=width >= NARROW)
    name = Text(clean(operation.title or operation.name))
    if width < NARROW:
        return fitted(line.append(" ").append(name), width)
    time, place = took(operation, now), where(operation)
    room = width - cell_len(line.plain) - 12
    title_room = min(title, room * 3 // 5 if place.plain else room - 2)
    name.truncate(title_room, overflow="ellipsis", pad=True)
    place.truncate(max(0, room - title_room - 2), overflow="ellipsis", pad=True)
    return fitted(Text.assemble(line, " ", name, "  ", place, f"{time:>11}"), width)


def status_mark(status: Status, *, symbols: Symbols = UNICODE, word: bool = True) -> Text:
    """The symbol of a status and its word, as wide as the longest."""
    mark = symbols.mark(status)
    return Text(f"{mark} {status:<9}" if word else mark, STYLES[status])


def counted(counts: Counter[Status], *, symbols: Symbols = UNICODE) -> Text:
    """How many stand where, failures first: ``✗ 2 error  ◐ 3 running``."""
    found = [(status, counts[status]) for status in COUNTED if counts[status]]
    return Text("  ").join(
        Text(f"{symbols.mark(status)} {number} {status}", STYLES[status]) for status, number in found
    )


def no_answer(where: str, heard: float, width: int) -> Text:
    """Says that what is shown may be old."""
    return fitted(Text(f"no answer from {where} since {clock_time(heard)}, trying again", "bold yellow"), width)


def fitted(line: Text, width: int) -> Text:
    """The line cut to ``width`` cells."""
    line.truncate(max(1, width), overflow="ellipsis")
    line.no_wrap = True
    return line


def took(operation: Operation, now: float) -> str:
    """How long it took or has been running; how long it has been waiting."""
    if operation.status is Status.QUEUED:
        return ago(operation.created, now)
    if operation.duration is not None:
        return seconds(operation.duration)
    return seconds(max(0.0, now - operation.started)) if operation.started is not None else ""


def where(operation: Operation) -> Text:
    """What a row tells beside the title: remarks, then a batch's counts, an error with its step, or where it is."""
    said = Text(", ".join(remarks(operation)), "yellow")
    return Text("  ").join(text for text in (said, _place(operation)) if text.plain)


def _place(operation: Operation) -> Text:
    # What has steps of its own is told by them; those below may be no more than what runs inside one.
    if operation.children.total and (operation.batch or operation.step is None):
        return _counts_in_brief(operation)
    if operation.error is not None:
        step = f"{operation.step.name}: " if operation.step else ""
        return Text(clean(f"{step}{operation.error.type}: {operation.error.message}"), "red")
    return Text(clean(step_words(operation)), "dim" if operation.status in ENDED else "")


def _counts_in_brief(operation: Operation) -> Text:
    children = operation.children
    line = Text(f"{children.ended} of {children.total}")
    return line.append(f", {children.failed} failed", "red") if children.failed else line


def step_words(operation: Operation) -> str:
    """The step an operation is at: ``2/4 Check encoding 45 %``."""
    step = operation.step
    if step is None or operation.status is Status.COMPLETE:
        return ""
    place = f"{step.index}/{step.total}" if step.total else str(step.index)
    return f"{place} {step.name} {progress_words(step.current, step.of, step.unit)}".rstrip()
