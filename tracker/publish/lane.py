"""One run on its way to the store: what waits, what is under way, and what the store must learn whole."""

from __future__ import annotations

from tracker.clock import now
from tracker.model import STEP_ENDED, Event, EventType, RunPart, Status, StepState, StepStatus
from tracker.run import RunWriter
from tracker.step import Step
from tracker.store import RunBlob

BLOB_EVENTS = 64
"""Most events in one blob."""

WAITING_LIMIT = 512
"""Events that may wait per run; beyond it they are dropped for one rebase with the run's whole state."""

TELLS_PLAN = (EventType.OPERATION_START, EventType.OPERATION_UPDATE)
"""Events that may have declared steps."""


class Lane:
    """Cuts the events of one run into blobs.

    Numbers are given when a blob is cut, so merging progress makes no hole. A blob once sent stays as it
    is until the store has answered: sending it again is then recognised as the same.
    """

    def __init__(self, run: RunWriter) -> None:
        self.run = run
        self.frozen: RunBlob | None = None
        self._waiting: list[Event | Step] = []
        self._seq = 0
        self._rebase = False
        self._current: StepState | None = None
        self._ended = False

    def add(self, item: Event | Step) -> None:
        """Take an event, or a step whose progress is to be told."""
        self._waiting.append(item)
        if len(self._waiting) > WAITING_LIMIT:
            self.rebase()

    def rebase(self) -> None:
        """Forget what waits: the next blob carries the run's whole state."""
        for item in self._waiting:
            if not isinstance(item, Event):
                item.dirty = False
        self._waiting.clear()
        self._rebase = True

    @property
    def empty(self) -> bool:
        """Nothing waits and nothing is under way."""
        return not (self._waiting or self.frozen or self._rebase)

    @property
    def done(self) -> bool:
        """The run has ended and the store knows all of it."""
        return self._ended and self.empty

    def cut(self) -> RunBlob | None:
        """The next blob to send: the one not answered yet, else a new one, else ``None``."""
        if self.frozen is None:
            self.frozen = self._whole() if self._rebase else self._next()
        return self.frozen

    def stored(self) -> None:
        """The store has the frozen blob."""
        self.frozen = None

    def behind(self, known: int) -> None:
        """The store lacks events before the frozen blob (it knows ``known``): tell it everything."""
        self.frozen = None
        self._seq = max(self._seq, known)
        self.rebase()

    def _next(self) -> RunBlob | None:
        events: list[Event] = []
        while self._waiting and not events:
            taken, self._waiting = self._waiting[:BLOB_EVENTS], self._waiting[BLOB_EVENTS:]
            events = [event for event in map(self._event, taken) if event is not None]
        if not events:
            return None
        pending = self._tell_plan(events)
        steps = pending | {event.step.index: event.step for event in events if event.step is not None}
        heads = [event.head for event in events if event.head is not None]
        return self._blob(events, heads[-1] if heads else None, list(steps.values()))

    def _tell_plan(self, events: list[Event]) -> dict[int, StepState]:
        """The declared steps that have not begun, told with an event that may have declared some."""
        telling = [event for event in events if event.type in TELLS_PLAN]
        if not telling:
            return {}
        pending = [state for state in self.run.states() if state.status is StepStatus.PENDING]
        telling[-1].pending = pending
        return {state.index: state for state in pending}

    def _whole(self) -> RunBlob:
        self._rebase = False
        states, head = self.run.states(), self.run.part()
        gap = Event(EventType.GAP, self.run.operation, now(), run=self.run.run, head=head)
        self._number(gap)
        return self._blob([gap], head, states, rebase=True)

    def _blob(
        self, events: list[Event], head: RunPart | None, steps: list[StepState], *, rebase: bool = False
    ) -> RunBlob:
        self._ended = self._ended or (head is not None and head.status is not Status.RUNNING)
        for step in steps:
            self._note_current(step)
        run = self.run
        return RunBlob(
            run.operation, run.run, events, run.parent, run.created, head, steps, self._current, rebase=rebase
        )

    def _event(self, item: Event | Step) -> Event | None:
        """Number an event; progress that its step's outcome has overtaken is left out."""
        if isinstance(item, Event):
            return self._number(item)
        item.dirty = False
        state = item.state()
        if state.status in STEP_ENDED:
            return None
        event = Event(EventType.STEP_PROGRESS, self.run.operation, now(), run=self.run.run, step=state)
        return self._number(event)

    def _number(self, event: Event) -> Event:
        self._seq += 1
        event.seq = self._seq
        return event

    def _note_current(self, step: StepState) -> None:
        """Keep the step a list shows: the failed one if there is one, else the newest that has begun."""
        if step.status is StepStatus.PENDING:
            return
        if self._current is None or _rank(step) >= _rank(self._current):
            self._current = step


def _rank(step: StepState) -> tuple[bool, int]:
    return step.status is StepStatus.ERROR, step.index
