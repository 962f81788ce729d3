"""A running operation and those nested in it as one Rich picture, in as many lines as there are.

Pure functions of values: whoever draws picks the steps worth showing, this module lays them out.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

import msgspec
from rich.console import Group, RenderableType
from rich.text import Text

from tracker.model import Operation, Status, StepState, StepStatus
from tracker.render import texts
from tracker.render.operation import Rows, cells, folded, header, line, most_telling, summary_panel
from tracker.render.symbols import STYLES, Symbols

FRAME = 3
"""Lines of the title in its frame."""


class Failure(msgspec.Struct, frozen=True):
    """A nested operation that did not complete; ``at`` is the index of the step it was started in."""

    at: int
    title: str
    status: Status
    message: str


class Node(msgspec.Struct):
    """One operation of the picture: some of its steps, counts of all, and what is nested in it.

    ``at`` is the index of the step of its parent that it belongs to, 0 if it was started outside of any; ``complete``
    says of how many nested operations under which step nothing but their number is to be told.
    """

    title: str
    total: int | None
    started: float
    ended: bool
    steps: list[StepState]
    counts: Counter[StepStatus]
    lines: Mapping[int, str] = {}
    at: int = 0
    below: list[Node] = []
    more_below: int = 0
    complete: Mapping[int, int] = {}
    failures: Sequence[Failure] = ()


def draw(node: Node, now: float, symbols: Symbols, height: int, whole: Operation | None = None) -> RenderableType:
    """The picture, in at most about ``height`` lines; ``whole`` is the operation once it has ended."""
    below = [] if whole is None else [summary_panel(whole, symbols)]
    room = height - FRAME - 1 - (len(texts.summary(whole)) + 3 if whole is not None else 0)
    rows = Rows(list(_rows(node, 0, now, symbols, max(2, room))))
    return Group(header(node.title), rows, *below)


def _rows(node: Node, depth: int, now: float, symbols: Symbols, room: int) -> Iterator[list[Text]]:
    nested = defaultdict[int, list[list[Text]]](list)
    for inner in node.below:
        rows = list(_nested(inner, depth + 1, now, symbols, room // (2 * len(node.below))))
        nested[inner.at] += rows
    for failure in node.failures:
        nested[failure.at].append(_failed(failure, depth + 1, symbols))
    for at, count in node.complete.items():
        nested[at].append([_indented(depth + 1, f"{symbols.mark(Status.COMPLETE)} {count} nested complete", "dim")])
    if node.more_below:
        nested[node.below[-1].at].append([_indented(depth + 1, f"{symbols.ellipsis} {node.more_below} more", "dim")])
    room -= sum(map(len, nested.values()))
    steps = most_telling(node.steps, max(1, room - (node.counts.total() > max(1, room))))
    for step in steps:
        yield cells(step, node.total, node.ended, now, symbols, depth, node.lines.get(step.index, ""))
        yield from nested.pop(step.index, ())
    for rows in nested.values():
        yield from rows
    hidden = node.counts - Counter(step.status for step in steps)
    if hidden:
        yield [_indented(depth, folded(hidden, symbols, node.ended), "dim")]


def _nested(node: Node, depth: int, now: float, symbols: Symbols, room: int) -> Iterator[list[Text]]:
    title = [
        _indented(depth, node.title, "bold"),
        Text(f"{symbols.mark(Status.RUNNING)} running", style=STYLES["running"], no_wrap=True),
        Text(texts.seconds(max(0.0, now - node.started)), no_wrap=True),
    ]
    yield title
    yield from _rows(node, depth, now, symbols, max(2, room - 1))


def _failed(failure: Failure, depth: int, symbols: Symbols) -> list[Text]:
    style = STYLES.get(failure.status, "")
    status = Text(f"{symbols.mark(failure.status)} {failure.status}", style=style, no_wrap=True)
    return [_indented(depth, failure.title), status, Text(), Text(), line(failure.message, "red")]


def _indented(depth: int, text: str, style: str = "") -> Text:
    return line("    " * depth + text, style)
