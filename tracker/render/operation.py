"""An operation as a Rich picture: header, a row per step, what became of its children, the last panel.

Pure functions of an ``Operation`` and the time. Data enters as ``Text`` only, never as markup.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Sequence
from types import MappingProxyType

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tracker.model import Children, Operation, Status, StepState, StepStatus
from tracker.render import texts
from tracker.render.pace import pace
from tracker.render.rows import Row, Rows, bar, line
from tracker.render.symbols import STYLES, UNICODE, Symbols
from tracker.render.usual import Took, Usual, is_slow, usually
from tracker.render.words import remarks

UNTITLED = "(no title)"
"""What stands in the frame of an operation that was given nothing to show."""

_FRAME = 3  # lines of a panel around one line


def render_operation(
    operation: Operation,
    now: float,
    *,
    symbols: Symbols = UNICODE,
    height: int | None = None,
    framed: bool = True,
    usual: Usual = MappingProxyType({}),
) -> RenderableType:
    """The picture of ``operation`` at ``now`` (UTC seconds), in at most about ``height`` lines.

    Steps that do not fit are folded into one line; running and failed ones are the last to go. What is ``usual`` for a
    step, by its name, stands beside what it took.
    """
    title = operation.title.strip() or UNTITLED
    parts: list[RenderableType] = [header(title) if framed else line(title, "bold cyan")]
    ended = texts.ended(operation)
    below = len(texts.summary(operation)) + 3 if ended else bool(remarks(operation))
    room = None if height is None else max(2, height - (_FRAME if framed else 1) - 1 - below)
    if operation.steps:
        parts.append(step_rows(operation, now, symbols, room, usual))
    if operation.children.total:
        parts.append(childrenline(operation.children, symbols) if framed else line(children_words(operation.children)))
    if ended:
        parts.append(summary_panel(operation, symbols))
    elif operation.status is not Status.RUNNING or below or not (operation.steps or operation.children.total):
        parts.append(status_line(operation, symbols))
    return Group(*parts)


def header(title: str) -> RenderableType:
    """The title in its frame."""
    return Panel(line(title.strip() or UNTITLED, "bold cyan"), box=box.HEAVY, border_style="blue", expand=False)


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


def status_line(operation: Operation, symbols: Symbols) -> Text:
    """Symbol and word, and the remarks after it: ``◐ running, unresponsive``."""
    line = status_text(operation.status, symbols)
    return line.append("".join(f", {said}" for said in remarks(operation)), "yellow")


def childrenline(children: Children, symbols: Symbols) -> Text:
    """``48/50 complete, 2 error`` after a bar of those that are over."""
    return Text(f"{bar(children.ended, children.total, symbols)} {children_words(children)}")


def children_words(children: Children) -> str:
    """``48/50 complete, 2 error``."""
    counted = [(name, getattr(children, name)) for name in ("queued", "running", "error", "cancelled", "lost")]
    others = "".join(f", {count} {name}" for name, count in counted if count)
    return f"{children.complete}/{children.total} complete{others}"


def step_rows(
    operation: Operation,
    now: float,
    symbols: Symbols,
    room: int | None = None,
    usual: Usual = MappingProxyType({}),
) -> RenderableType:
    """One row per step, at most ``room`` of them and a line that counts the others."""
    steps = operation.steps or []
    shown = steps if room is None or len(steps) <= room else most_telling(steps, room - 1)
    total, ended = texts.total_of(operation), texts.ended(operation)
    rows: list[Row | Text] = [step_row(step, total, ended, now, symbols, took=usual.get(step.name)) for step in shown]
    hidden = Counter(step.status for step in steps)
    hidden.subtract(step.status for step in shown)
    if len(shown) < len(steps):
        rows.append(line(folded(hidden, symbols, ended), "dim"))
    return Rows(rows, symbols)


def most_telling(steps: Sequence[StepState], room: int) -> list[StepState]:
    """The first ``room`` of ``by_weight``, in the order of the steps."""
    return sorted(by_weight(steps)[: max(1, room)], key=lambda step: step.index)


def by_weight(steps: Sequence[StepState], busy: Container[int] = (), failed: Container[int] = ()) -> list[StepState]:
    """The most telling first: what runs, what runs longest before all; then failed steps, then the newest begun ones.

    ``busy`` and ``failed`` are indices of steps that count as running and as failed for what is nested in them.
    """
    here = max((step.index for step in steps if step.status is not StepStatus.PENDING), default=1)

    def weight(step: StepState) -> tuple[bool, bool, float]:
        runs = step.status is StepStatus.RUNNING or step.index in busy
        fails = step.status is StepStatus.ERROR or step.index in failed
        return not runs, not fails, (step.started or 0.0) if runs else abs(step.index - here)

    return sorted(steps, key=weight)


def folded(hidden: Counter[StepStatus], symbols: Symbols, ended: bool) -> str:
    """``… 290 more: 200 complete, 90 pending``, ``… 90 more, all complete``: the steps that are not shown."""
    counted = [(count, texts.status_word(status, ended)) for status, count in hidden.items() if count]
    more = f"{symbols.ellipsis} {hidden.total()} more"
    if len(counted) == 1:
        return f"{more}, {'all ' * (hidden.total() > 1)}{counted[0][1]}"
    return f"{more}: {', '.join(f'{count} {word}' for count, word in counted)}"


def step_row(
    step: StepState,
    total: int | None,
    ended: bool,
    now: float,
    symbols: Symbols,
    depth: int = 0,
    said: str = "",
    took: Took | None = None,
) -> Row:
    """Place and name, status, time taken, progress, and what there is to say (``said``: last log line).

    ``took`` is what such steps take otherwise.
    """
    until = None if ended else now
    taken = texts.taken(step, until)
    usual = usually(took, texts.passed(step, until)) if taken else ""
    slow = texts.over_time(step, until) or is_slow(texts.passed(step, until), took)
    name = line("    " * depth)
    name.append(texts.label(step.index, total) + " ", "dim")
    name.append(step.name, "dim" if step.status is StepStatus.PENDING else "")
    row = Row(
        name,
        status_text(texts.status_word(step.status, ended), symbols),
        line(", ".join(said for said in (taken, usual) if said), "yellow" if slow else ""),
        texts.progress(step),
        remark=_remark(step, said),
    )
    if step.status is StepStatus.RUNNING and not ended and step.current is not None:
        row.share = step.current / step.total if step.total else None
        row.pace = pace(step.current, step.total, step.started, now, step.unit)
    return row


def _remark(step: StepState, said: str) -> Text:
    if step.error:
        return line(step.error, "red")
    if step.warning:
        return line(texts.warning(step), "yellow")
    return line(step.detail or said, "dim")
