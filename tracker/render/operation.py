"""An operation as a Rich picture: header, a row per step, what became of its children, the last panel.

Pure functions of an ``Operation`` and the time. Data enters as ``Text`` only, never as markup.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tracker.model import Children, Operation, Status, StepState, StepStatus
from tracker.render import texts
from tracker.render.symbols import STYLES, UNICODE, Symbols

BAR_WIDTH = 16
"""Cells of a progress bar."""

_FRAME = 3  # lines of a panel around one line


def render_operation(
    operation: Operation, now: float, *, symbols: Symbols = UNICODE, height: int | None = None
) -> RenderableType:
    """The picture of ``operation`` at ``now`` (UTC seconds), in at most about ``height`` lines.

    Steps that do not fit are folded into one line; running and failed ones are the last to go.
    """
    parts: list[RenderableType] = [header(operation)]
    ended = texts.ended(operation)
    room = None if height is None else max(2, height - _FRAME - 1 - (len(texts.summary(operation)) + 3) * ended)
    if operation.steps:
        parts.append(step_rows(operation, now, symbols, room))
    if operation.children.total:
        parts.append(children_line(operation.children, symbols))
    if ended:
        parts.append(summary_panel(operation, symbols))
    elif operation.status is not Status.RUNNING or not (operation.steps or operation.children.total):
        parts.append(status_text(operation.status, symbols))
    return Group(*parts)


def header(operation: Operation) -> RenderableType:
    """The title in its frame."""
    return Panel(_line(operation.title, "bold cyan"), box=box.HEAVY, border_style="blue", expand=False)


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


def children_line(children: Children, symbols: Symbols) -> Text:
    """``48/50 complete, 2 error`` after a bar of those that are over."""
    counted = [(name, getattr(children, name)) for name in ("queued", "running", "error", "cancelled", "lost")]
    others = "".join(f", {count} {name}" for name, count in counted if count)
    return Text(f"{bar(children.ended, children.total, symbols)} {children.complete}/{children.total} complete{others}")


def bar(current: float, total: float, symbols: Symbols) -> str:
    """A progress bar; full only when everything is done."""
    filled = int(BAR_WIDTH * min(1.0, max(0.0, current / total))) if total > 0 else 0
    return symbols.full * filled + symbols.empty * (BAR_WIDTH - filled)


def step_rows(operation: Operation, now: float, symbols: Symbols, room: int | None = None) -> RenderableType:
    """One row per step, at most ``room`` of them and a line that counts the others."""
    steps = operation.steps or []
    shown = steps if room is None or len(steps) <= room else most_telling(steps, room - 1)
    table = Table.grid(padding=(0, 1))
    total, ended = texts.total_of(operation), texts.ended(operation)
    for step in shown:
        table.add_row(*_cells(step, total, ended, now, symbols))
    return table if len(shown) == len(steps) else Group(table, _folded(steps, shown, symbols))


def most_telling(steps: Sequence[StepState], room: int) -> list[StepState]:
    """Running and failed steps first, then those around the newest begun one; in their own order."""
    here = max((step.index for step in steps if step.status is not StepStatus.PENDING), default=1)

    def weight(step: StepState) -> tuple[bool, bool, int]:
        return step.status is not StepStatus.RUNNING, step.status is not StepStatus.ERROR, abs(step.index - here)

    return sorted(heapq.nsmallest(max(1, room), steps, key=weight), key=lambda step: step.index)


def _folded(steps: Sequence[StepState], shown: Sequence[StepState], symbols: Symbols) -> Text:
    hidden = Counter(step.status for step in steps)
    hidden.subtract(step.status for step in shown)
    counted = ", ".join(f"{count} {status}" for status, count in hidden.items() if count)
    return _line(f"{symbols.ellipsis} {len(steps) - len(shown)} more: {counted}", "dim")


def _cells(step: StepState, total: int | None, ended: bool, now: float, symbols: Symbols) -> list[Text]:
    style = STYLES.get(step.status, "")
    duration = step.duration
    if step.status is StepStatus.RUNNING and step.started is not None:
        duration = max(0.0, now - step.started)
    return [
        Text(texts.label(step.index, total), style="dim", no_wrap=True),
        _line(step.name, "dim" if step.status is StepStatus.PENDING else ""),
        Text(f"{symbols.mark(step.status)} {texts.word(step, ended)}", style=style, no_wrap=True),
        Text(texts.seconds(duration), no_wrap=True),
        _line(_progress(step, symbols)),
        _line(step.error or step.detail, "red" if step.error else "dim"),
    ]


def _progress(step: StepState, symbols: Symbols) -> str:
    counted = texts.progress(step)
    if step.status is not StepStatus.RUNNING or not step.total or step.current is None:
        return counted
    return f"{bar(step.current, step.total, symbols)} {counted}"


def _line(text: str, style: str = "") -> Text:
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")
