"""Log lines as ``tracker logs`` writes them, and following an operation to its end for those that are still to come."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from tracker.cli.feed import Feed, Inbox
from tracker.cli.output import Output
from tracker.cli.source import Source
from tracker.cli.source.items import Events, Item, Snapshot, Tick
from tracker.cli.writers import Silence
from tracker.clock import now
from tracker.errors import StoreUnavailable, TrackerError
from tracker.model import ENDED, LiveEvent, LogLine, Operation, Value
from tracker.render.words import clean, iso_time

STEP = 24
"""Cells that the name of a step takes at most, and columns of a terminal from which names are told."""

NAMED = 60

PAUSE = 1.0
"""Seconds after which it is looked whether somebody still answers, although nothing was heard."""


class Logged(Value, frozen=True, omit_defaults=False):
    """A log line with what it belongs to; ``step`` is an index, 0 for none, and ``name`` that step's name."""

    operation: str
    attempt: int
    number: int
    ts: float
    step: int
    name: str
    level: str
    text: str


class LogWriter:
    """Writes lines of one operation: for people, as columns into a pipe, or as JSON, and says which are missing.

    ``step``: only those of it. ``tail``: not those from the beginning on.
    """

    def __init__(self, operation: Operation, output: Output, step: int | None = None, *, tail: bool = False) -> None:
        self._operation = operation
        self._output = output
        self._step = step
        self._console = output.console() if output.terminal else None
        self._names = {step.index: step.name for step in operation.steps or ()}
        self._tail = tail
        self._last = (0, 0)
        self.wrote = 0

    def wanted(self, lines: Iterable[LogLine]) -> list[LogLine]:
        """Those that are to be written."""
        return [line for line in lines if self._step in (None, line.step)]

    def name_step(self, index: int, name: str) -> None:
        """A step has begun that was not known before."""
        self._names.setdefault(index, name)

    def head(self) -> None:
        """On a terminal, a line that says whose lines follow."""
        if self._console is not None:
            from tracker.render.overview import row

            symbols = self._output.symbols()
            self._console.print(row(self._operation, now=now(), width=self._console.width, symbols=symbols))

    def write(self, lines: Sequence[LogLine]) -> None:
        """Write lines, in their order."""
        told = {line.attempt for line in lines} | {self._last[0] or 1}
        for line in lines:
            if self._console is not None and len(told) > 1 and line.attempt != self._last[0]:
                self._console.print(f"attempt {line.attempt}", style="dim")
            self._note_missing(line)
            self._last = _place(line)
            self._line(line)
            self.wrote += 1

    def _note_missing(self, line: LogLine) -> None:
        """Lines are numbered, so it shows which were dropped on the way, or are kept no longer."""
        attempt, number = self._last
        if self._step is not None or self._output.json or (self._tail and not attempt):
            return
        words = missing(number if attempt == line.attempt else 0, line.number)
        if words and self._console is not None:
            self._console.print(words, style="dim")
        elif words:
            self._output.note(f"{words} before {iso_time(line.ts)}")

    def _line(self, line: LogLine) -> None:
        name = self._names.get(line.step, "")
        if self._output.json:
            fields = (line.attempt, line.number, line.ts, line.step, name, line.level, line.text)
            self._output.object(Logged(self._operation.id, *fields))
        elif self._console is None:
            words = (iso_time(line.ts), self._operation.id, str(line.attempt), name, line.level, line.text)
            self._output.line("\t".join(map(clean, words)))
        else:
            self._draw(line, name)

    def _draw(self, line: LogLine, name: str) -> None:
        """A long text goes on at the terminal's next line, so that it is copied as it is."""
        from rich.text import Text

        assert self._console is not None
        step = Text(clean(name), "cyan")
        step.truncate(
            min(STEP, self._console.width // 4, max(len(name) for name in ["", *self._names.values()])),
            overflow="ellipsis",
            pad=True,
        )
        named = (step, "  ") if self._names and self._console.width >= NAMED else ()
        warning = Text("warning: " if line.level else "", "bold yellow")
        text = Text(clean(line.text), "yellow" if line.level else "")
        self._console.print(Text.assemble((moment(line.ts), "dim"), "  ", *named, warning, text), soft_wrap=True)


def missing(before: int, number: int) -> str:
    """What is said between a line and the next one that there is, by their numbers; empty if none is missing.

    >>> missing(4, 7)
    '2 lines are not kept'
    """
    gone = number - before - 1
    return "" if gone <= 0 else "1 line is not kept" if gone == 1 else f"{gone:,} lines are not kept"


def moment(ts: float) -> str:
    """The local time of UTC seconds, with the day if it is another one than today."""
    at, today = time.localtime(ts), time.localtime(now())
    return time.strftime("%H:%M:%S" if at[:3] == today[:3] else "%Y-%m-%d %H:%M:%S", at)


class Tailing:
    """Follows an operation until it has ended, and has its writer write each line once. ``known``: written before."""

    def __init__(self, source: Source, id: str, writer: LogWriter, known: Iterable[LogLine]) -> None:
        self._source = source
        self._id = id
        self._writer = writer
        self._last = max(map(_place, known), default=(0, 0))
        self._owed = self._over = False

    def run(self, silence: Silence) -> None:
        """Return once it has ended and its last lines are written."""
        inbox = Inbox[Item | TrackerError]()
        heard = now()
        with Feed(lambda stop: self._source.follow(self._id, stop), inbox.put):
            while self._owed or not self._over:
                item = inbox.next(PAUSE)
                if isinstance(item, TrackerError):
                    raise item
                if item is not None:
                    stale = isinstance(item, Tick) and item.stale
                    heard = heard if stale else now()
                    silence.note(heard if stale else None)
                    self._take(item)
                self._pay()

    def _take(self, item: Item) -> None:
        if isinstance(item, Snapshot):
            self._owed = True
            self._look([one for one in item.operations if one.id == self._id])
        elif isinstance(item, Events):
            for event in item.events:
                if event.operation.id == self._id:
                    self._event(event)

    def _event(self, event: LiveEvent) -> None:
        step = event.operation.step
        if step is not None:
            self._writer.name_step(step.index, step.name)
        if event.log is not None:
            self._line(replace(event.log, attempt=event.operation.attempt))
        self._look([event.operation])

    def _line(self, line: LogLine) -> None:
        """Lines are numbered, so one that is missing before this is noticed."""
        attempt, number = self._last
        follows = (line.attempt, line.number) in ((attempt, number + 1), (attempt + 1, 1))
        if follows and not self._owed:
            self._write([line])
        elif _place(line) > self._last:
            self._owed = True

    def _look(self, operations: Iterable[Operation]) -> None:
        for operation in operations:
            self._over = operation.status in ENDED
            self._owed = self._owed or self._over

    def _pay(self) -> None:
        """Read what was not told, as soon as somebody answers."""
        if not self._owed:
            return
        try:
            self._write(self._source.logs(self._id))
        except StoreUnavailable:
            return
        self._owed = False

    def _write(self, lines: Iterable[LogLine]) -> None:
        new = [line for line in lines if _place(line) > self._last]
        self._writer.write(self._writer.wanted(new))
        self._last = max(map(_place, new), default=self._last)


def _place(line: LogLine) -> tuple[int, int]:
    return line.attempt, line.number
