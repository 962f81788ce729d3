"""Operations as rows fitted to a terminal: the table of what runs now, and the children of one operation.

Pure functions of state; every text is cleaned and cut to its cells, so nothing wraps or moves the cursor.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.cells import cell_len

from tracker.model import ENDED, Operation, Status
from tracker.render.pieces import Line, Piece, cells, fitted, padded
from tracker.render.symbols import STYLES, UNICODE, Symbols
from tracker.render.texts import seconds
from tracker.render.words import SHOWN, ago, clean, clock_time, progress_words, remarks

NARROW = 48
"""Below this many cells a row is a symbol and a title only."""

TIME = 11
"""Cells for how long an operation took, with the blanks before it."""

COUNTED = (Status.ERROR, Status.LOST, Status.CANCELLED, Status.RUNNING, Status.QUEUED, Status.COMPLETE)


def rows(
    operations: Sequence[Operation], *, now: float, width: int, height: int, symbols: Symbols = UNICODE
) -> list[Line]:
    """One line each; what does not fit ``height`` is one last line with its number."""
    room = max(1, height)
    shown = operations if len(operations) <= room else operations[: room - 1]
    widest = max((cell_len(clean(operation.title or operation.name)) for operation in shown), default=0)
    lines = [row(operation, now=now, width=width, title=widest, symbols=symbols) for operation in shown]
    rest = len(operations) - len(shown)
    return [*lines, fitted(f"  and {rest} more", width, "dim")] if rest else lines


def row(operation: Operation, *, now: float, width: int, title: int = SHOWN, symbols: Symbols = UNICODE) -> Line:
    """Status, title, where it stands, and time; titles get ``title`` cells, if that leaves enough for the rest."""
    return fitted(row_pieces(operation, now=now, width=width, title=title, symbols=symbols), width)


def row_pieces(operation: Operation, *, now: float, width: int, title: int, symbols: Symbols) -> list[Piece]:
    """The same for what has more before or behind it, which cuts it then."""
    mark = status_mark(operation.status, symbols=symbols, word=width >= NARROW)
    name = [(clean(operation.title or operation.name), "")]
    if width < NARROW:
        return [mark, (" ", ""), *name]
    place = where(operation)
    room = width - cells([mark]) - TIME - 1
    title_room = min(title, room * 3 // 5 if place else room - 2)
    told = [*padded(name, title_room), ("  ", ""), *padded(place, room - title_room - 2)]
    return [mark, (" ", ""), *told, (f"{took(operation, now):>{TIME}}", "")]


def status_mark(status: Status, *, symbols: Symbols = UNICODE, word: bool = True) -> Piece:
    """The symbol of a status and its word, as wide as the longest."""
    mark = symbols.mark(status)
    return (f"{mark} {status:<9}" if word else mark, STYLES[status])


def counted(counts: Counter[Status], *, symbols: Symbols = UNICODE) -> list[Piece]:
    """How many stand where, failures first: ``✗ 2 error  ◐ 3 running``."""
    found = [
        (f"{symbols.mark(status)} {counts[status]} {status}", STYLES[status]) for status in COUNTED if counts[status]
    ]
    return [piece for place, told in enumerate(found) for piece in ((("  ", ""), told) if place else (told,))]


def no_answer(where: str, heard: float, width: int) -> Line:
    """Says that what is shown may be old."""
    return fitted(f"no answer from {where} since {clock_time(heard)}, trying again", width, "bold yellow")


def took(operation: Operation, now: float) -> str:
    """How long it took or has been running; how long it has been waiting."""
    if operation.status is Status.QUEUED:
        return ago(operation.created, now)
    if operation.duration is not None:
        return seconds(operation.duration)
    return seconds(max(0.0, now - operation.started)) if operation.started is not None else ""


def where(operation: Operation) -> list[Piece]:
    """What a row tells beside the title: remarks, then a batch's counts, an error with its step, or where it is."""
    said, place = ", ".join(remarks(operation)), _place(operation)
    return [(said, "yellow"), *([("  ", ""), *place] if place else [])] if said else place


def _place(operation: Operation) -> list[Piece]:
    # What has steps of its own is told by them; those below may be no more than what runs inside one.
    if operation.children.total and (operation.batch or operation.step is None):
        return _counts_in_brief(operation)
    if operation.error is not None:
        step = f"{operation.step.name}: " if operation.step else ""
        style = "red" if operation.status in ENDED else ""
        return [(clean(f"{step}{operation.error.type}: {operation.error.message}"), style)]
    words = clean(step_words(operation))
    return [(words, "dim" if operation.status in ENDED else "")] if words else []


def _counts_in_brief(operation: Operation) -> list[Piece]:
    children = operation.children
    failed = [(f", {children.failed} failed", "red")] if children.failed else []
    return [(f"{children.ended} of {children.total}", ""), *failed]


def step_words(operation: Operation) -> str:
    """The step an operation is at: ``2/4 Check encoding 45 %``."""
    step = operation.step
    if step is None or operation.status is Status.COMPLETE:
        return ""
    place = f"{step.index}/{step.total}" if step.total else str(step.index)
    return f"{place} {step.name} {progress_words(step.current, step.of, step.unit)}".rstrip()
