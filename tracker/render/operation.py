"""An operation as a Rich picture: header, a row per step, what became of its children, the last panel.

Pure functions of an ``Operation`` and the time. Data enters as ``Text`` only, never as markup.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Sequence
from itertools import takewhile

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tracker.model import Children, Operation, Status, StepState, StepStatus
from tracker.render import texts
from tracker.render.pace import pace
from tracker.render.symbols import STYLES, UNICODE, Symbols

COLUMNS = ((60, 5), (40, 3), (0, 2))
"""From which width on how many columns are shown: name and status, then the time taken, then everything."""

BAR_WIDTH = 16
"""Cells of a progress bar."""

_FRAME = 3  # lines of a panel around one line


def render_operation(
    operation: Operation, now: float, *, symbols: Symbols = UNICODE, height: int | None = None
) -> RenderableType:
    """The picture of ``operation`` at ``now`` (UTC seconds), in at most about ``height`` lines.

    Steps that do not fit are folded into one line; running and failed ones are the last to go.
    """
    parts: list[RenderableType] = [header(operation.title)]
    ended = texts.ended(operation)
    room = None if height is None else max(2, height - _FRAME - 1 - (len(texts.summary(operation)) + 3) * ended)
    if operation.steps:
        parts.append(step_rows(operation, now, symbols, room))
    if operation.children.total:
        parts.append(childrenline(operation.children, symbols))
    if ended:
        parts.append(summary_panel(operation, symbols))
    elif operation.status is not Status.RUNNING or not (operation.steps or operation.children.total):
        parts.append(status_text(operation.status, symbols))
    return Group(*parts)


def header(title: str) -> RenderableType:
    """The title in its frame."""
    return Panel(line(title, "bold cyan"), box=box.HEAVY, border_style="blue", expand=False)


def summary_panel(operation: Operation, symbols: Symbols = UNICODE) -> RenderableType:
    """How it ended, where, and why."""
    style = STYLES.get(operation.status, "")
    table = Table(box=box.HEAVY_HEAD, border_style=style, show_header=True, header_style=f"bold {style}", min_width=36)
    table.add_column(Text(texts.headline(operation, symbols)), overflow="fold")
    table.add_row(Text("\n".join(texts.summary(operation)), overflow="fold"))
    return table


def status_text(status: str, symbols: Symbols) -> Text:
    """Symbol and word."""
    return Text(f"{symbols.mark(status)} {status}", style=STYLES.get(status, ""), no_wrap=True)


def childrenline(children: Children, symbols: Symbols) -> Text:
    """``48/50 complete, 2 error`` after a bar of those that are over."""
    counted = [(name, getattr(children, name)) for name in ("queued", "running", "error", "cancelled", "lost")]
    others = "".join(f", {count} {name}" for name, count in counted if count)
    return Text(f"{bar(children.ended, children.total, symbols)} {children.complete}/{children.total} complete{others}")


def bar(current: float, total: float, symbols: Symbols) -> str:
    """A progress bar; full only when everything is done."""
    filled = int(BAR_WIDTH * min(1.0, max(0.0, current / total))) if total > 0 else 0
    return symbols.full * filled + symbols.empty * (BAR_WIDTH - filled)


class Rows:
    """Rows of cells, the telling ones first; a narrow terminal shows fewer columns instead of a stump of each."""

    def __init__(self, rows: Sequence[Sequence[Text]]) -> None:
        self._rows = rows

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        columns = next(count for width, count in COLUMNS if options.max_width >= width)
        # What stands alone in its row at the end may take the whole width.
        lines = [*takewhile(lambda row: len(row) == 1, reversed(self._rows))]
        table = Table.grid(padding=(0, 1))
        for row in self._rows[: len(self._rows) - len(lines)]:
            table.add_row(*row[:columns])
        yield table
        for row in reversed(lines):
            yield row[0]


def step_rows(operation: Operation, now: float, symbols: Symbols, room: int | None = None) -> RenderableType:
    """One row per step, at most ``room`` of them and a line that counts the others."""
    steps = operation.steps or []
    shown = steps if room is None or len(steps) <= room else most_telling(steps, room - 1)
    total, ended = texts.total_of(operation), texts.ended(operation)
    table = Rows([cells(step, total, ended, now, symbols) for step in shown])
    if len(shown) == len(steps):
        return table
    hidden = Counter(step.status for step in steps)
    hidden.subtract(step.status for step in shown)
    return Group(table, line(folded(hidden, symbols, ended), "dim"))


def most_telling(steps: Sequence[StepState], room: int) -> list[StepState]:
    """Running and failed steps first, then those around the newest begun one; in their own order."""
    here = max((step.index for step in steps if step.status is not StepStatus.PENDING), default=1)

    def weight(step: StepState) -> tuple[bool, bool, int]:
        return step.status is not StepStatus.RUNNING, step.status is not StepStatus.ERROR, abs(step.index - here)

    return sorted(heapq.nsmallest(max(1, room), steps, key=weight), key=lambda step: step.index)


def folded(hidden: Counter[StepStatus], symbols: Symbols, ended: bool) -> str:
    """``… 290 more: 200 complete, 90 pending``: the steps that are not shown."""
    counted = ", ".join(f"{count} {texts.status_word(status, ended)}" for status, count in hidden.items() if count)
    return f"{symbols.ellipsis} {hidden.total()} more: {counted}"


def cells(
    step: StepState, total: int | None, ended: bool, now: float, symbols: Symbols, depth: int = 0, said: str = ""
) -> list[Text]:
    """One row: place and name, status, time taken, progress, and what there is to say (``said``: last log line)."""
    style = STYLES.get(step.status, "")
    name = line("    " * depth)
    name.append(texts.label(step.index, total) + " ", "dim")
    name.append(step.name, "dim" if step.status is StepStatus.PENDING else "")
    return [
        name,
        Text(f"{symbols.mark(step.status)} {texts.status_word(step.status, ended)}", style=style, no_wrap=True),
        Text(texts.taken(step, now), style="yellow" if texts.over_time(step, now) else "", no_wrap=True),
        line(_progress(step, now, symbols)),
        _remark(step, said),
    ]


def _remark(step: StepState, said: str) -> Text:
    if step.error:
        return line(step.error, "red")
    if step.warning:
        return line(texts.warning(step), "yellow")
    return line(step.detail or said, "dim")


def _progress(step: StepState, now: float, symbols: Symbols) -> str:
    counted = texts.progress(step)
    if step.status is not StepStatus.RUNNING or step.current is None:
        return counted
    if step.total:
        counted = f"{bar(step.current, step.total, symbols)} {counted}"
    paced = pace(step.current, step.total, step.started, now, step.unit)
    return f"{counted} {paced}".rstrip()


def line(text: str, style: str = "") -> Text:
    """Data on one line: never markup, cut where the terminal ends."""
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")
