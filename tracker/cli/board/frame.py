"""How the board is drawn: pure functions of what panes hold, in lines that are never wider than the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len

from tracker.cli.board.panes import ListPane, OperationPane
from tracker.cli.board.tree import OperationRow, RestRow, StepRow, TreeRow
from tracker.cli.log_lines import missing
from tracker.cli.subjects import FAILED
from tracker.model import LogLine, Operation, Status, StepState, StepStatus
from tracker.render.overview import counted, no_answer, row_pieces
from tracker.render.pace import pace, pace_lines
from tracker.render.pieces import Line, Piece, fitted, padded
from tracker.render.symbols import STYLES, Symbols
from tracker.render.texts import ended, label, progress, status_word, taken
from tracker.render.words import SHOWN, clean, clock_time

WIDE = 110
"""From so many cells on a row tells the machine as well."""

HOST = 14
"""Cells for the machine."""

KEYS = (
    ("↑ ↓  j k", "move"),
    ("enter", "open the operation"),
    ("space", "show its steps and children here, or hide them"),
    ("esc", "back, and quit from where it began"),
    ("/", "filter by text: name, title, id, status, machine"),
    ("f", "narrow: all, failed, running, queued, complete"),
    ("l", "log lines of the operation"),
    ("c", "cancel, after a question"),
    ("r", "resume, after a question"),
    ("?", "this help"),
    ("q", "quit; nothing that runs is touched"),
)
"""What each key does."""


class Look(NamedTuple):
    """What a frame is drawn for: the time in UTC seconds, the terminal's columns, and the symbols it can show."""

    now: float
    width: int
    symbols: Symbols
    where: str


def help_lines(look: Look) -> list[Line]:
    """The keys."""
    return [fitted(f"  {keys:<10} {words}", look.width) for keys, words in KEYS]


def list_head(pane: ListPane, look: Look) -> list[Line]:
    """How many stand where, of which moment that is, and what is filtered."""
    counts = pane.branch.subject.counts()
    nothing = "nothing runs now" if pane.branch.is_begun else f"asking {look.where}"
    head = counted(counts, symbols=look.symbols) if counts else [(nothing, "dim")]
    if pane.branch.stale_since is None:
        head.append((f"   as of {clock_time(look.now)}", "dim"))
    filters = " ".join(filter(None, (pane.filter.words, f"/{clean(pane.filter.text)}" if pane.filter.text else "")))
    if filters:
        head.append((f"   only {filters}: {len(pane.shown())}", "bold"))
    return [fitted(head, look.width), *stale(pane.branch.stale_since, look)]


def stale(since: float | None, look: Look) -> list[Line]:
    """A line that says that what is shown may be old."""
    return [] if since is None else [no_answer(look.where, since, look.width)]


def window(rows: Sequence[TreeRow], top: int, chosen: str, room: int) -> int:
    """The first row in sight, so that the chosen one is among ``room`` rows."""
    if not chosen:
        return 0
    place = next((n for n, one in enumerate(rows) if isinstance(one, OperationRow) and one.operation.id == chosen), 0)
    top = min(max(top, place - room + 1), place)
    return max(0, min(top, len(rows) - room))


def glance(rows: Sequence[TreeRow], room: int) -> Sequence[TreeRow]:
    """What is seen before anything is chosen: many failures, which stand first, do not hide what runs."""
    others = next((n for n, one in enumerate(rows) if _is_well(one)), len(rows))
    kept = max(room // 2, room - (len(rows) - others))
    if len(rows) <= room or others <= kept or kept < 1:
        return rows
    return [*rows[: kept - 1], RestRow(others - kept + 1, 0), *rows[others:]]


def _is_well(one: TreeRow) -> bool:
    return isinstance(one, OperationRow) and one.depth == 0 and one.operation.status not in FAILED


def tree_lines(rows: Sequence[TreeRow], top: int, chosen: str, room: int, look: Look) -> list[Line]:
    """The rows in sight; what lies below them is counted."""
    if room <= 0:
        return []
    shown = rows[top : top + room]
    if top + room < len(rows):
        shown = shown[:-1]
    widest = max((_title_width(one) for one in shown), default=0)
    lines = [tree_line(one, chosen, widest, look) for one in shown]
    rest = len(rows) - top - len(shown)
    return [*lines, fitted(f"  and {rest} more", look.width, "dim")] if rest > 0 else lines


def _title_width(one: TreeRow) -> int:
    return cell_len(clean(one.operation.title or one.operation.name)) if isinstance(one, OperationRow) else 0


def tree_line(one: TreeRow, chosen: str, widest: int, look: Look) -> Line:
    """One row of a tree."""
    if isinstance(one, RestRow):
        return fitted(f"{'  ' * one.depth}    and {one.number} more", look.width, "dim")
    if isinstance(one, StepRow):
        before = ("  " * one.depth + "    ", "")
        told = step_pieces(one.step, one.operation, look)
        return fitted([before, *told], look.width, STYLES.get(status_word(one.step.status, ended(one.operation)), ""))
    return _operation_line(one, one.operation.id == chosen, widest, look)


def _operation_line(one: OperationRow, is_chosen: bool, widest: int, look: Look) -> Line:
    operation = one.operation
    mark = ("›" if look.symbols.ellipsis == "…" else ">") if is_chosen else " "
    can_open = operation.children.total > 0 or operation.step is not None
    fold = look.symbols.unfolded if one.is_open else look.symbols.folded if can_open else " "
    before = f"{mark} {'  ' * one.depth}{fold} "
    host = clean(operation.worker.host) if operation.worker is not None and look.width >= WIDE else ""
    room = max(1, look.width - len(before) - (HOST + 2 if look.width >= WIDE else 0))
    told = row_pieces(operation, now=look.now, width=room, title=min(widest, SHOWN), symbols=look.symbols)
    line: Sequence[Piece] = [(before, ""), *told]
    if host:
        line = [*padded(line, look.width - HOST), (host, "dim")]
    return fitted(line, look.width, "bold" if is_chosen else "")


def step_pieces(step: StepState, operation: Operation, look: Look) -> list[Piece]:
    """``◐ [2/4] Check encoding  running  2.1s  45/100 rows  12 rows/s, about 4.6s left``."""
    total = operation.step.total if operation.step is not None else None
    word, until = status_word(step.status, ended(operation)), None if ended(operation) else look.now
    rate = ""
    if word == StepStatus.RUNNING and step.current is not None:
        rate = pace(step.current, step.total, step.started, look.now, clean(step.unit))
    numbers = "".join([f"  {clean(words)}" for words in (taken(step, until), progress(step), rate) if words])
    said = step.error or step.warning or step.detail
    return [
        (f"{look.symbols.mark(word)} ", ""),
        (f"{label(step.index, total)} ", "dim"),
        (f"{clean(step.name)}  {word}{numbers}", ""),
        (f"  {clean(said)}" if said else "", "red" if step.error else "dim"),
    ]


def log_lines(lines: Sequence[LogLine], room: int, look: Look) -> list[Line]:
    """The last lines of a log, the newest at the bottom, and how many are missing between them."""
    if not lines:
        return [fitted("no log lines", look.width, "dim")]
    drawn: list[Line] = []
    shown = lines[-max(1, room) :]
    for line, last in zip(shown, [shown[0], *shown], strict=False):
        if last.attempt == line.attempt and (words := missing(last.number, line.number)):
            drawn.append(fitted(words, look.width, "dim"))
        before = (f"{clock_time(line.ts)} {look.symbols.margin} ", "dim")
        told = (f"warning: {clean(line.text)}", "yellow") if line.level else (clean(line.text), "")
        drawn.append(fitted([before, told], look.width))
    return drawn[-max(1, room) :]


def operation_notes(pane: OperationPane, operation: Operation, look: Look) -> list[Line]:
    """How fast it goes, and whether what is shown may be old."""
    paces = [fitted(line, look.width) for line in pace_lines(operation, look.now)]
    return [*paces, *stale(pane.branch.stale_since, look)]


def summary(operations: Sequence[Operation], look: Look) -> Line:
    """What a list stood like when it was left."""
    counts = Counter(operation.status for operation in operations)
    open_ones = counts[Status.RUNNING] + counts[Status.QUEUED]
    words = f"no longer watching; {open_ones} of these still run or wait" if open_ones else "no longer watching"
    return fitted(words, look.width, "dim")
