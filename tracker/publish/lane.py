"""One run on its way to the store: what waits, what is under way, and what the store must learn whole."""

from __future__ import annotations

from collections.abc import Sequence

from tracker import process
from tracker.brief import passes
from tracker.bus import event_of, news
from tracker.clock import now
from tracker.model import STEP_ENDED, Event, EventType, RunPart, StepState, StepStatus
from tracker.publish.ended import weigh
from tracker.run import RunWriter
from tracker.step import Step
from tracker.store import Answer, RunBlob

BLOB_EVENTS = 64
"""Most events in one blob."""

BLOB_BYTES = 8_192
"""As much as the events of a large blob take."""

BLOBS_AT_ONCE = 16
"""Most blobs of one run that are under way at the same time."""

WAITING_LIMIT = 8_192
"""Events that may wait per run; beyond it they are dropped for one rebase with the run's whole state."""

LINES_LIMIT = 2_000
"""Log lines that may wait per run; beyond it they are left out, and counted."""

# Bound once: looking up an enum's member costs several times as much as a plain name.
_BEGIN, _END, _GAP = EventType.OPERATION_START, EventType.OPERATION_COMPLETE, EventType.GAP
_PENDING, _RUNNING, _ERROR = StepStatus.PENDING, StepStatus.RUNNING, StepStatus.ERROR


class Lane:
    """Cuts the events of one run into blobs.

    Numbers are given when a blob is cut, so merging progress makes no hole. A blob once sent stays as it
    is until the store has answered: sending it again is then recognised as the same.
    """

    def __init__(self, run: RunWriter) -> None:
        self.run = run
        self.frozen: list[RunBlob] = []
        self._waiting: list[Event | Step] = []
        self._lines = 0
        self._results: dict[str, Step] = {}
        self._new_results: list[tuple[str, bytes]] = []
        self._dropped = 0
        self._declared = 0
        self._seq = 0
        self._rebase = False
        self._current: StepState | None = None
        self._begun = self._has_end = self._ended = self._given_up = False
        self._met = self._held = False
        self._spooled_seq = 0
        self.kept = 0
        """Bytes of kept results that wait."""
        self._weight = 0
        self.stored_seq = 0
        """The last seq that the store has told it has."""

    def add(self, item: Event | Step) -> None:
        """Take an event, or note that a step has changed."""
        if self._given_up or self._has_end:
            return
        if not self._begun:
            if isinstance(item, Step) or item.type != _BEGIN:
                self.rebase()  # What sends was set up in the midst of the run.
            self._begun = True
        if isinstance(item, Step):
            if item.kept is not None:
                self.kept += len(item.kept[1])
        elif item.log is not None:
            if self._lines == LINES_LIMIT:
                self._dropped += 1
                return
            self._lines += 1
        else:
            self._has_end = item.type == _END
        self._waiting.append(item)
        if len(self._waiting) > WAITING_LIMIT:
            self.rebase()

    def give_up(self) -> None:
        """Something about this run cannot be sent; nothing more is taken of it."""
        self._given_up, self._rebase, self.frozen = True, False, []
        self._waiting.clear()

    def rebase(self) -> None:
        """Forget what waits: the next blob carries the run's whole state."""
        if self._given_up:
            return
        self._dropped += self._lines
        self._lines = 0
        self._waiting.clear()
        self._rebase = self._begun = True

    def drop_lines(self) -> None:
        """Forget the log lines that wait; they are counted."""
        self._dropped += self._lines
        self._lines = 0
        self._waiting = [item for item in self._waiting if isinstance(item, Step) or item.log is None]

    def let_go(self, room: int) -> int:
        """Forget kept results that wait and find no room, the newest first; answers how much room is left.

        Whoever resumes runs those steps again.
        """
        for step in self.run.in_order():
            if step.kept is None or step.kept[0] in self._results:
                continue
            if len(step.kept[1]) <= room:
                room -= len(step.kept[1])
            else:
                self.kept -= len(step.kept[1])
                step.kept = None
        return room

    def last_word(self) -> RunBlob:
        """All that is kept of an ended run when there is no room for more: its head, and the step that lists show."""
        for step in self._known():
            self._note_current(step.state())
        head = self.run.part()
        gap = Event(_GAP, self.run.operation, now(), run=self.run.run, head=head, dropped=self._dropped)
        self._number(gap)
        return self._blob([gap], head, [], rebase=True)

    @property
    def empty(self) -> bool:
        """Nothing waits and nothing is under way."""
        return not (self._waiting or self.frozen or self._rebase)

    @property
    def lines(self) -> int:
        """How many log lines wait."""
        return self._lines

    @property
    def waiting(self) -> int:
        """How many events wait, steps that have changed among them."""
        return len(self._waiting)

    @property
    def weight(self) -> int:
        """How much memory the run takes, in steps; of one that has ended."""
        self._weight = self._weight or weigh(self.run)
        return self._weight

    @property
    def done(self) -> bool:
        """The run has ended, and nobody will ask for it again."""
        return self._ended and self.empty and not self._held

    @property
    def open(self) -> bool:
        """The run goes on, or more of it waits than what is under way."""
        if self._given_up:
            return self.run.ended is None
        return bool(not self._ended or self._waiting or self._rebase)

    def cut(self) -> list[RunBlob]:
        """The next blobs to send: those not answered yet, else new ones, if there is anything to tell."""
        if not self.frozen and self._rebase:
            self.frozen.append(self._whole())
        elif not self.frozen:
            while len(self.frozen) < BLOBS_AT_ONCE and (blob := self._next()) is not None:
                self.frozen.append(blob)
                if blob.results:  # They may be large, and Redis does nothing else during a call.
                    break
        return self.frozen

    def answered(self, answers: Sequence[Answer | None]) -> None:
        """What the store says to the frozen blobs; ``None`` to one it cannot make sense of."""
        behind = [answer.number for answer in answers if answer is not None and answer.kind == "behind"]
        if None in answers:
            self.give_up()
        elif behind:
            self.behind(behind[0])
        else:
            self.stored()

    def stored(self) -> None:
        """The store has the frozen blobs."""
        self._met, self.stored_seq = True, self._seq
        self._forget()

    def put_by(self) -> None:
        """The spool has the frozen blobs.

        If the store has had others, they are not in the spool; should it lose them meanwhile, it must be told again.
        """
        self._held, self._spooled_seq = self._met, self._seq
        self._forget()

    def drained(self) -> None:
        """The store has everything that was in the spool."""
        self._met, self._held = True, False
        self.stored_seq = max(self.stored_seq, self._spooled_seq)

    def _forget(self) -> None:
        for step in self._results.values():
            self.kept -= len(step.kept[1]) if step.kept is not None else 0
            step.kept = None
        self._results.clear()
        self.frozen = []

    def behind(self, known: int) -> None:
        """The store lacks events before the frozen blobs (it knows ``known``): tell it everything."""
        self.frozen = []
        self._results.clear()
        self._seq, self.stored_seq = max(self._seq, known), known
        self.rebase()

    def _next(self) -> RunBlob | None:
        """What waits, as much as a blob holds; at most one kept result, for those may be large."""
        events: list[Event] = []
        taken = 0
        for taken, item in enumerate(self._waiting, 1):  # noqa: B007
            if isinstance(item, Step):
                self._tell_next(item, events)
            else:
                self._tell(item, events)
            if len(events) >= BLOB_EVENTS or self._new_results:
                break
        del self._waiting[:taken]
        if self._dropped:
            events.append(Event(_GAP, self.run.operation, now(), run=self.run.run, dropped=self._dropped))
            self._dropped = 0
        if not events:
            return None
        head, steps = None, dict[int, StepState]()
        for event in events:
            self._seq += 1
            event.seq = self._seq
            head = event.head or head
            for step in event.pending:
                steps.setdefault(step.index, step)
            if event.step is not None:
                steps[event.step.index] = event.step
        return self._blob(events, head, [*steps.values()])

    def _keep(self, step: Step) -> None:
        """Send its result as well; called after its state was read, for an end is never told without the result."""
        if step.kept is not None and step.kept[0] not in self._results:
            self._results[step.kept[0]] = step
            self._new_results.append(step.kept)

    def _whole(self) -> RunBlob:
        self._rebase = False
        self._declared = len(self.run.steps)
        states, head = [], self.run.part()
        for step in self._known():
            step.dirty = False
            states.append(state := step.state())
            step.told = state.status
            self._keep(step)
        gap = Event(_GAP, self.run.operation, now(), run=self.run.run, head=head)
        gap.dropped, self._dropped = self._dropped, 0
        self._number(gap)
        return self._blob([gap], head, states, rebase=True)

    def _known(self) -> list[Step]:
        """The run's steps but those that another thread began after its end, and will cancel."""
        steps = self.run.in_order()
        if self.run.ended is None:
            return steps
        return [step for step in steps if step.status is not _RUNNING or step.told is step.status]

    def _blob(
        self, events: list[Event], head: RunPart | None, steps: list[StepState], *, rebase: bool = False
    ) -> RunBlob:
        self._ended = self._ended or (head is not None and head.ended is not None)
        for step in steps:
            self._note_current(step)
        run, results = self.run, self._new_results
        self._new_results = []
        return RunBlob(
            run.operation,
            run.run,
            events,
            run.parent,
            run.created,
            head,
            steps,
            self._current,
            rebase=rebase,
            resumes=run.resumes,
            results=results,
            process=process.token(),
            brief=head.name if head is not None and run.brief and passes(run) else "",
        )

    def _tell(self, item: Event, events: list[Event]) -> None:
        """Add an event; before the run's end, also what an interrupt kept from being noted."""
        if item.log is not None:
            self._lines -= 1
        elif item.type == _END:
            for step in self._known():
                step.dirty = False
                while self._tell_next(step, events):
                    pass
        elif self._declared < len(self.run.steps):
            item.pending = self._coming()
        if item.step is not None and (warned := self.run.steps[item.step.index]).told in STEP_ENDED:
            item.step = warned.state()  # As it was when it warned, it would run again.
        events.append(item)

    def _tell_next(self, step: Step, events: list[Event]) -> bool:
        """Add what is to be told of a step next; whether there was anything."""
        type = news(step)
        if type is None:
            return False
        events.append(event_of(type, step))
        if step.kept is not None:
            self._keep(step)
        return True

    def _coming(self) -> tuple[StepState, ...]:
        """The steps that were declared since this was asked last, but for those that have begun: they say so."""
        first, self._declared = self._declared + 1, len(self.run.steps)
        steps = [self.run.steps.get(index) for index in range(first, self._declared + 1)]
        return tuple([StepState(step.index, step.name, _PENDING) for step in steps if step and step.status is _PENDING])

    def _number(self, event: Event) -> Event:
        self._seq += 1
        event.seq = self._seq
        return event

    def _note_current(self, step: StepState) -> None:
        """Keep the step a list shows: the failed one if there is one, else the newest that has begun."""
        if step.status is not _PENDING and (self._current is None or _outranks(step, self._current)):
            self._current = step


def _outranks(step: StepState, shown: StepState) -> bool:
    failed = step.status is _ERROR
    return step.index >= shown.index if failed is (shown.status is _ERROR) else failed
