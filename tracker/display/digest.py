"""What a picture needs to know of one run, kept up to date with every change at a cost that never grows.

A frame takes its few steps from here and never looks at all of them, however many there are. There is no lock: a
change may be told in the midst of another one, by a signal's handler, and must not wait.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from itertools import islice

from tracker.display.nested import Nested
from tracker.model import LogLine, StepState, StepStatus
from tracker.run import RunWriter
from tracker.step import Step

KEPT = 60
"""Failed steps, and steps that ended last, that a frame may choose from: a terminal's height and more."""


class Digest:
    """Counts of a run's steps by status, and those that may be shown."""

    def __init__(self, run: RunWriter) -> None:
        self.run = run
        self.ended: Counter[StepStatus] = Counter()
        self.last_lines: dict[int, str] = {}
        """The last log line of each open step, by index."""
        self.nested = Nested()
        """What became of the operations inside this one."""
        self._begun = 0
        self._open: dict[int, Step] = {}
        self._failed: deque[Step] = deque(maxlen=KEPT)
        self._recent: deque[Step] = deque(maxlen=KEPT)
        self._next = 1
        self._news: deque[Step] = deque()
        """Steps that have begun or ended, not looked at yet; each is in here at most twice."""

    def changed(self, step: Step) -> None:
        """``step`` has begun or ended."""
        self._news.append(step)

    def said(self, line: LogLine) -> None:
        """A line was logged."""
        if line.step and self.run.steps[line.step].status is StepStatus.RUNNING:
            self.last_lines[line.step] = line.text

    def choice(self, room: int, busy: Iterable[int] = ()) -> list[StepState]:
        """Steps worth showing in ``room`` lines, and some more: open, failed, last ended, and next.

        Those open longest, which may be stuck, come first; ``busy`` are indices of steps in which operations run.
        """
        self._catch_up()
        inside = [self.run.steps[at] for at in (*busy, *self.nested.failed(room)) if at]
        chosen = [*inside, *islice(self._open.values(), room), *islice(reversed(self._failed), room)]
        chosen += [*islice(reversed(self._recent), room), *self._coming(room)]
        return [step.state() for step in sorted({step.index: step for step in chosen}.values(), key=_index)]

    def counts(self) -> Counter[StepStatus]:
        """How many steps stand where."""
        self._catch_up()
        pending = max(0, len(self.run.steps) - self._begun)
        # An open step may have ended meanwhile.
        begun = self.ended + Counter(step.status for step in self._open.values())
        return begun + Counter({StepStatus.PENDING: pending})

    def _catch_up(self) -> None:
        while self._news:
            step = self._news.popleft()
            # Told twice: whatever came in between, it begins the first time and has ended the second time.
            if step.index in self._open:
                self._close(step)
            else:
                self._begun += 1
                self._open[step.index] = step

    def _close(self, step: Step) -> None:
        del self._open[step.index]
        self.last_lines.pop(step.index, None)
        self.ended[step.status] += 1
        (self._failed if step.status is StepStatus.ERROR else self._recent).append(step)

    def _coming(self, room: int) -> Iterator[Step]:
        steps = self.run.steps
        while self._next in steps and steps[self._next].status is not StepStatus.PENDING:
            self._next += 1
        ahead = (steps.get(index) for index in range(self._next, self._next + 2 * room))
        return islice((step for step in ahead if step is not None and step.status is StepStatus.PENDING), room)


def _index(step: Step) -> int:
    return step.index
