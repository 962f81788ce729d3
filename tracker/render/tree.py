"""A running operation and those nested in it as one Rich picture, in as many lines as there are.

Pure functions of values: whoever draws picks the steps worth showing, this module lays them out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping, Sequence

import msgspec
from rich.console import Group, RenderableType
from rich.text import Text

from tracker.model import Operation, Status, StepState, StepStatus
from tracker.render import texts
from tracker.render.operation import by_weight, folded, header, status_text, step_row, summary_panel
from tracker.render.rows import Row, Rows, line
from tracker.render.symbols import Symbols

FRAME = 3
"""Lines of the title in its frame."""

FAILURES = 5
"""Failed nested operations that are named under a step; the others are counted."""

Lines = list[Row | Text]


class Failure(msgspec.Struct, frozen=True):
    """A nested operation that did not complete."""

    title: str
    status: Status
    message: str


class Node(msgspec.Struct):
    """One operation of the picture: some of its steps, counts of all, and what is nested in it.

    ``at`` is the index of the step of its parent that it belongs to, 0 if it was started outside of any. ``outcomes``
    and ``failures`` say what became of nested operations by such an index, for 0 and the ``steps``; ``nested`` counts
    all there are. Those that run count as ``RUNNING``; ``below`` holds some of them.
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
    outcomes: Mapping[int, Counter[Status]] = {}
    failures: Mapping[int, Sequence[Failure]] = {}
    nested: Counter[Status] = msgspec.field(default_factory=Counter)


def draw(node: Node, now: float, symbols: Symbols, height: int, whole: Operation | None = None) -> RenderableType:
    """The picture, in at most about ``height`` lines; ``whole`` is the operation once it has ended."""
    below = [] if whole is None else [summary_panel(whole, symbols)]
    room = height - FRAME - 1 - (len(texts.summary(whole)) + 3 if whole is not None else 0)
    rows = _Level(node, 0, now, symbols, max(2, room)).lines()
    return Group(header(node.title), Rows(rows, symbols), *below)


class _Level:
    """The rows of one operation, ``room`` of them at most: steps in their order, each with what is nested in it."""

    def __init__(self, node: Node, depth: int, now: float, symbols: Symbols, room: int) -> None:
        self._node, self._depth, self._now, self._symbols, self._room = node, depth, now, symbols, room
        self._folds = _size(node) - 1 > room
        self._busy = Counter(inner.at for inner in node.below)
        self._failed = {at for at, counts in node.outcomes.items() if _failures(counts)}
        self._named = max(2, room // 2 // max(1, len(self._failed))) if self._folds else FAILURES + 1
        below = max(room // 2, room - node.counts.total() - 1) if self._folds else room
        self._shares = _shared(below, [_size(inner) for inner in node.below])

    def lines(self) -> Lines:
        """Steps by weight while they fit with all that is nested in them, then what is not shown in numbers."""
        left = self._room - (self._folds and self._room > 1)
        outside = self._inside(0)
        shown: dict[int, Lines] = {0: outside[: max(1, left - 1)]}
        cut = {0} if len(outside) > len(shown[0]) else set[int]()
        left -= len(shown[0])
        for step in by_weight(self._node.steps, self._busy, self._failed):
            rows = [self._step(step), *self._inside(step.index, step.status)]
            if left <= 0 or (len(shown) > 1 and len(rows) > left):
                break
            shown[step.index] = rows[:left]
            cut |= {step.index} if len(rows) > left else set()
            left -= len(rows)
        rows = [row for at in sorted(shown) for row in shown[at]]
        return [*rows, *self._rest(shown, cut)] if self._room > 1 else rows

    def _step(self, step: StepState) -> Row:
        said = self._node.lines.get(step.index, "")
        return step_row(step, self._node.total, self._node.ended, self._now, self._symbols, self._depth, said)

    def _inside(self, at: int, status: StepStatus = StepStatus.RUNNING) -> Lines:
        """What is nested in one step; that all went well is said of a step that is not itself complete."""
        counts = self._node.outcomes.get(at, Counter())
        rows: Lines = []
        for inner, share in zip(self._node.below, self._shares, strict=True):
            if inner.at == at:
                rows += self._nested(inner, share)
        more = counts[Status.RUNNING] - self._busy[at]
        if rows and more > 0:
            rows.append(self._branch(f"{self._symbols.ellipsis} {more} more running", "dim"))
        rows += self._failures_of(at, _failures(counts))
        if counts[Status.COMPLETE] and (rows or status is StepStatus.RUNNING):
            mark = self._symbols.mark(Status.COMPLETE)
            rows.append(self._branch(f"{mark} {counts[Status.COMPLETE]} nested complete", "dim"))
        return rows

    def _nested(self, node: Node, share: int) -> Lines:
        status = status_text(Status.RUNNING, self._symbols)
        title: Lines = [Row(self._branch(node.title, "bold"), status, line(texts.seconds(self._now - node.started)))]
        room = share - 1
        return title + (_Level(node, self._depth + 1, self._now, self._symbols, room).lines() if room > 0 else [])

    def _failures_of(self, at: int, count: int) -> Lines:
        kept = self._node.failures.get(at, ())[:FAILURES]
        kept = kept if count <= min(self._named, len(kept)) else kept[: max(1, self._named - 1)]
        rows: Lines = [self._failure(failure) for failure in kept]
        if count > len(kept):
            more = "more " if kept else ""
            rows.append(self._branch(f"{self._symbols.mark(Status.ERROR)} {count - len(kept)} {more}failed", "red"))
        return rows

    def _failure(self, failure: Failure) -> Row:
        status = status_text(failure.status, self._symbols)
        return Row(self._branch(failure.title), status, remark=line(failure.message, "red"))

    def _rest(self, shown: Container[int], cut: Container[int]) -> Lines:
        """One line for all that is not to be seen above; ``cut`` are steps that there is not enough room for."""
        node = self._node
        steps = node.counts - Counter(step.status for step in node.steps if step.index in shown)
        nested = node.nested.copy()
        for at, counts in node.outcomes.items():
            runs = counts[Status.RUNNING] if self._busy[at] else 0
            ended = Counter() if at in cut else counts - Counter({Status.RUNNING: counts[Status.RUNNING]})
            if at in shown:
                nested -= ended + Counter({Status.RUNNING: runs})
        said = ", ".join(f"{count} nested {status}" for status, count in nested.items() if count)
        if steps:
            said = folded(steps, self._symbols, node.ended) + (f" ({said})" if said else "")
        elif said:
            said = f"{self._symbols.ellipsis} {said}"
        return [line("    " * self._depth + said, "dim")] if said else []

    def _branch(self, text: str, style: str = "") -> Text:
        """What is nested hangs on a branch below its step; its own steps stand below its title."""
        whole = line("    " * self._depth + "  ")
        whole.append(self._symbols.branch, "dim")
        return whole.append(text, style)


def _failures(counts: Counter[Status]) -> int:
    return counts.total() - counts[Status.RUNNING] - counts[Status.COMPLETE]


def _size(node: Node) -> int:
    """Rows that would show all of the operation with its title."""
    running = {0, *(step.index for step in node.steps if step.status is StepStatus.RUNNING)}
    others = 0
    for at, counts in node.outcomes.items():
        failed = min(_failures(counts), FAILURES + 1)
        others += failed + (counts[Status.COMPLETE] > 0 and (at in running or failed > 0))
    return 1 + node.counts.total() + others + sum(_size(inner) for inner in node.below)


def _shared(room: int, sizes: Sequence[int]) -> list[int]:
    """``room`` divided among those who want ``sizes`` of it; what one does not need is for the others.

    >>> _shared(10, [8, 2, 8])
    [4, 2, 4]
    """
    shares = [0] * len(sizes)
    for waiting, at in zip(range(len(sizes), 0, -1), sorted(range(len(sizes)), key=sizes.__getitem__), strict=True):
        shares[at] = min(sizes[at], room // waiting)
        room -= shares[at]
    return shares
