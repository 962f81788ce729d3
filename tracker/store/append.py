"""What can be appended, and the one call that appends it: encodes changes for the append script."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import msgspec

from tracker.model import Event, EventType, QueuePart, RunPart, StepState, Verdict
from tracker.redact import line
from tracker.store.client import Client, NoScript
from tracker.store.encoding import encode, text
from tracker.store.keys import Keys
from tracker.store.leases import About
from tracker.store.leaving import ArchiveInfo
from tracker.store.messages import Follow, Paid, Sent, Take
from tracker.store.returning import Back, Below, Kept, QueueAgain

PARTS = ("settling", "lives", "leaving", "runs", "queueing", "batches", "judging")
"""Of the script; ``script`` holds a file for each."""

LATE_BLOB = msgspec.msgpack.Encoder().encode
"""How a replayed blob waits for the recorder, whole."""

FEED_LIMIT = 10_000
"""Entries the feed keeps; an entry is about 4 kB at most."""


def _whole(folder: Traversable) -> str:
    """The script from its files: the ground of all, what each part hands out once it is asked for, and the call."""
    text = {name: folder.joinpath(f"{name}.lua").read_text(encoding="utf-8") for name in ("ground", *PARTS, "call")}
    parts = [f"PARTS.{name} = function()\n{text[name]}end\n" for name in PARTS]
    return "".join([text["ground"], *parts, text["call"]])


# Read at import, not in the publisher's thread: a fork in the middle of an import would leave its lock held.
SCRIPT = _whole(files("tracker.store").joinpath("script"))
SCRIPT_SHA = hashlib.sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()
"""By which Redis knows the script."""

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder().decode


class RunBlob(msgspec.Struct, frozen=True):
    """Consecutive events of one run, and the state they lead to: the head if it changed, the changed steps.

    With ``rebase`` the state is the run's whole state, and takes the place of events the store never saw.
    ``results`` are kept results of steps, by key; a run that ``resumes`` leaves those of earlier runs in place.
    ``process`` is whose sign of life stands for the run. A ``replay`` comes from the spool of a process that is gone.
    With the end of a ``brief`` one the operation is counted under that name and leaves, if that run was all of it.
    """

    operation: str
    run: str
    events: Sequence[Event]
    parent: str
    created: float
    head: RunPart | None = None
    steps: Sequence[StepState] = ()
    current: StepState | None = None
    rebase: bool = False
    resumes: bool = False
    results: Sequence[tuple[str, bytes]] = ()
    process: str = ""
    replay: bool = False
    brief: str = ""

    def change(self) -> list[Any]:
        head, events = self.head, self.events
        shown = self.current and encode(self.current)
        steps: list[Any] = []
        for step in self.steps:
            steps += step.index, shown if step is self.current else encode(step)
        lines = [encode(event.log) for event in events if event.log is not None]
        results = [value for key, kept in self.results for value in (key, text(kept))]
        return [
            "run", self.operation, self.run, self.process, self.rebase, self.resumes, self.replay,
            events[0].seq, events[-1].seq, encode(events)[1:-1],
            encode(head) if head else "", head.status if head else "", self.parent, repr(self.created),
            shown or "", steps, lines, results,
            text(LATE_BLOB(self)) if self.replay else "", self.brief,
        ]  # fmt: skip


class QueueItem(msgspec.Struct, frozen=True):
    """An operation that was queued; appending the same one twice is a ``duplicate``."""

    operation: str
    part: QueuePart

    def change(self) -> list[Any]:
        part = self.part
        event = Event(EventType.OPERATION_QUEUED, self.operation, part.created, queue=part)
        score = repr(float(part.index)) if part.index else repr(part.created)
        flags = [part.parent, repr(part.created), part.batch, score]
        return ["queue", self.operation, encode(part), *flags, encode(event)]


class Passed(msgspec.Struct, frozen=True):
    """Executions that were over before anything was told of them: how many of each name, on that day (since 1970, UTC).

    Appending those of the same ``token`` twice is a ``duplicate``.
    """

    token: str
    day: int
    counts: Mapping[str, int]

    def change(self) -> list[Any]:
        counts = [value for name, count in self.counts.items() for value in (f"{self.day} {name}", count)]
        return ["passed", self.token, counts]


class VerdictItem(msgspec.Struct, frozen=True):
    """A judgement from outside; stored only while the operation is at ``run`` with the status ``expected``."""

    operation: str
    expected: str
    verdict: Verdict

    def change(self) -> list[Any]:
        verdict = self.verdict
        event = Event(EventType.OPERATION_VERDICT, self.operation, verdict.at, run=verdict.run, verdict=verdict)
        flags = [verdict.run, self.expected, verdict.status]
        return ["verdict", self.operation, *flags, encode(verdict), encode(event)]


class Cancel(msgspec.Struct, frozen=True):
    """Somebody (``by``) wants an operation to end: at once if it waits, else it is asked to at its next call.

    Asking again changes nothing. The answer's number says how many children are open, which this does not reach.
    """

    operation: str
    by: str

    def change(self) -> list[Any]:
        return ["cancel", self.operation, encode(line(self.by))]


class Seal(msgspec.Struct, frozen=True):
    """All children of a batch are stored: from now on the last one to end settles it."""

    operation: str
    total: int

    def change(self) -> list[Any]:
        return ["seal", self.operation, self.total]


class Hold(msgspec.Struct, frozen=True):
    """A recorder takes or keeps the namespace's one active place; ``ignored`` while another one has it.

    ``archive`` is where it keeps what has left Redis, so that readers know whether theirs is the same.
    """

    token: str
    seconds: float
    archive: ArchiveInfo | None = None

    def change(self) -> list[Any]:
        return ["hold", self.token, int(self.seconds * 1000), encode(self.archive) if self.archive else ""]


class Lease(msgspec.Struct, frozen=True):
    """A process is alive and executes ``runs``, each with the last seq it knows to be stored; without any it gives its
    lease back.

    The answer's number is Redis's time, in microseconds since the epoch, and its runs those of which less is stored.
    """

    process: str
    runs: Mapping[str, int]
    about: About

    def change(self) -> list[Any]:
        runs = " ".join(f"{run} {seq}" for run, seq in self.runs.items())
        return ["lease", self.process, runs, encode(self.about)]


class Silence(msgspec.Struct, frozen=True):
    """A judgement about a run whose process gives no sign of life: ``unresponsive``, or lost.

    Stored only while the process's lease still counts ``count`` (``None``: it has none) and the run counts as alive.
    """

    process: str
    count: int | None
    operation: str
    verdict: Verdict

    def change(self) -> list[Any]:
        verdict = self.verdict
        event = Event(EventType.OPERATION_VERDICT, self.operation, verdict.at, run=verdict.run, verdict=verdict)
        count = "" if self.count is None else str(self.count)
        about = [self.process, count, verdict.run, self.operation, verdict.status]
        return ["silence", *about, encode(verdict), encode(event)]


class Earlier(msgspec.Struct, frozen=True):
    """An operation has come back: its attempts here are numbered on from the ``count`` that the archive has of it.

    ``ignored`` if it was said before, or if nothing has run here.
    """

    operation: str
    count: int

    def change(self) -> list[Any]:
        return ["earlier", self.operation, str(self.count)]


class Quiet(msgspec.Struct, frozen=True):
    """A run's step has told nothing for longer than usual; ``ignored`` if it has told more than ``seq`` meanwhile."""

    operation: str
    run: str
    seq: int

    def change(self) -> list[Any]:
        return ["quiet", self.operation, self.run, str(self.seq)]


class Leave(msgspec.Struct, frozen=True):
    """An operation leaves Redis, as it was when it was archived; ``ignored`` if it has changed since.

    ``duplicate`` if it was erased meanwhile.
    """

    operation: str
    rev: int
    version: int

    def change(self) -> list[Any]:
        return ["leave", self.operation, str(self.rev), str(self.version)]


class Erase(msgspec.Struct, frozen=True):
    """An ended operation leaves for good, after all below it; ``ignored`` while it, or something below it, is open.

    What is told of it late is not stored any more, as long as that may come.
    """

    operation: str

    def change(self) -> list[Any]:
        return ["erase", self.operation]


class Trim(msgspec.Struct, frozen=True):
    """Remove some of the ended operations that are too old, or too many; the answer's number says how many."""

    def change(self) -> list[Any]:
        return ["trim"]


Told = RunBlob | QueueItem | Passed | VerdictItem | Cancel | Seal
Wanted = QueueAgain | Back | Below | Kept
Message = Take | Sent | Follow | Paid
Item = Told | Wanted | Message | Hold | Lease | Silence | Quiet | Earlier | Leave | Erase | Trim


class Answer(msgspec.Struct, frozen=True):
    """What the store did with an item.

    ``stored`` (number: the run's attempt, of what waits its rev, how many were trimmed, or the time), ``duplicate``
    (known already), ``behind`` (number: the last seq it knows; events are missing before this blob), ``late`` (a replay
    that waits for the recorder) or ``ignored`` (a verdict that came too late, a place that is taken). ``cancelled`` are
    runs that are to end, with who wants that.
    """

    kind: str
    number: int
    runs: tuple[str, ...] = ()
    cancelled: Mapping[str, str] = msgspec.field(default_factory=dict)


class Appender:
    """Appends items, all in one call of the script."""

    def __init__(self, client: Client, keys: Keys, live_days: int = 7, budget: int = 0) -> None:
        self._client = client
        self._feed = keys.feed
        self._head: list[Any] = [keys.prefix, live_days * 86400, budget, FEED_LIMIT]

    def __call__(self, items: Sequence[Item]) -> list[Answer]:
        """Store and publish; raises redis-py's errors as they are, for a caller that tells them apart."""
        command = self.command(items)
        try:
            return self.answers(self._client.execute(command))
        except NoScript:
            return self.answers(self._client.execute(["EVAL", SCRIPT, *command[2:]]))

    def command(self, items: Sequence[Item]) -> list[Any]:
        """What asks Redis to store and publish; it raises ``NoScript`` if it does not know the script."""
        return ["EVALSHA", SCRIPT_SHA, 1, self._feed, *self._head, _pack([item.change() for item in items])]

    def answers(self, told: Any) -> list[Answer]:
        """One answer per item, from what Redis told."""
        return [_answer(*row) for row in _unpack(told)]


def _answer(kind: str, number: int, runs: Sequence[str] = (), cancelled: Sequence[str] = ()) -> Answer:
    if not cancelled:
        return Answer(kind, number, tuple(runs))
    named = zip(cancelled[::2], cancelled[1::2], strict=True)
    return Answer(kind, number, tuple(runs), {run: msgspec.json.decode(by, type=str) for run, by in named})
