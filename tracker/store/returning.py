"""What is appended when an operation is to run again: the request, and what comes back from the archive for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tracker.compose import status_of
from tracker.model import ENDED, Parts, QueuePart, Status
from tracker.store.encoding import encode, text

OF_THE_SCRIPT = ("children", "recorder")
"""Who judges in the store itself, and may take that back."""


class QueueAgain(msgspec.Struct, frozen=True):
    """An operation waits for a new attempt; ``part.again`` says after which run, and under which id its message goes.

    Stored only while that run is its newest and its status is ``expected``: of two who ask at once, one is ``ignored``.
    Appending the same one twice is a ``duplicate``.
    """

    operation: str
    expected: Status
    part: QueuePart

    def change(self) -> list[Any]:
        again = self.part.again
        run, task = (again.run, again.task) if again is not None else ("", "")
        return ["again", self.operation, self.expected, run, encode(self.part), task]


class Back(msgspec.Struct, frozen=True):
    """An operation that has left for the archive comes back as it was, with all its ``steps``.

    ``attempts`` is how many the archive has of it. What ``Below`` has brought counts as its children. A ``duplicate``
    if it is here.
    """

    parts: Parts
    attempts: int

    def change(self) -> list[Any]:
        parts = self.parts
        queue, run = parts.queue, parts.run
        parent = queue.parent if queue else run.parent if run else ""
        created = queue.created if queue else run.created if run else 0.0
        score = float(queue.index) if queue and parent and queue.index else created
        fields = {"parent": parent, "created": repr(created), "attempt": self.attempts, "earlier": self.attempts}
        fields |= _queued(parts) | _ran(parts, self.attempts) | _judged(parts)
        flat = [str(held) for pair in fields.items() for held in pair]
        return ["back", parts.id, flat, parent, repr(score), parts.children.version]


def _queued(parts: Parts) -> dict[str, Any]:
    queue, total = parts.queue, parts.children.total
    if queue is None:
        return {}
    fields: dict[str, Any] = {"queue": encode(queue)}
    if queue.again is not None:
        fields["message"] = queue.again.task
    if queue.batch:
        fields |= {"batch": "1", "failed": parts.children.failed}
        if status_of(queue, parts.run, parts.verdict) in ENDED:
            fields["sealed"] = total
    return fields


def _ran(parts: Parts, attempt: int) -> dict[str, Any]:
    run = parts.run
    if run is None:
        return {}
    steps = {f"step:{run.run}:{step.index}": encode(step) for step in parts.steps.values()}
    return {"run": run.run, "run_status": run.status, "head": encode(run), f"attempt:{run.run}": attempt} | steps


def _judged(parts: Parts) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    verdict, cancel = parts.verdict, parts.cancel
    if verdict is not None:
        by = verdict.by if verdict.by in OF_THE_SCRIPT else ""
        fields |= {"verdict": encode(verdict), "verdict_status": verdict.status}
        fields |= {"verdict_run": verdict.run, "verdict_by": by}
    if cancel is not None:
        fields |= {"cancel": encode(cancel), "cancel_by": encode(cancel.by), "cancel_run": cancel.run}
    return fields


class Below(msgspec.Struct, frozen=True):
    """Children of an operation that is about to come back, each with its position and status; they stay where they are.

    For a few minutes only, if it does not come.
    """

    operation: str
    children: Sequence[tuple[str, float, Status]]

    def change(self) -> list[Any]:
        return [
            "below",
            self.operation,
            [value for id, at, status in self.children for value in (id, repr(at), status)],
        ]


class Kept(msgspec.Struct, frozen=True):
    """Results that steps of an operation have kept, by key, brought from the archive; for a few minutes only, if it is
    not queued again."""

    operation: str
    results: Mapping[str, bytes]

    def change(self) -> list[Any]:
        return ["kept", self.operation, [value for key, kept in self.results.items() for value in (key, text(kept))]]
