"""What happens to an operation, in small pieces, and what a watcher has to see of it."""

from __future__ import annotations

from msgspec.structs import replace

from tests.sources.telling import Turn
from tests.store.making import blob, ended, head, queued, started, step_event
from tracker.model import Error, Status, StepStatus
from tracker.store import Item, RunBlob, Store


def steps(id: str, number: int, run: str = "r1") -> list[RunBlob]:
    """A run from its beginning to its end, with so many steps; one change each."""
    made = [started(id, run)]
    for index in range(1, number + 1):
        for status in (StepStatus.RUNNING, StepStatus.COMPLETE):
            made.append(step_event(id, len(made) + 1, index, status, run))
    return [*made, ended(id, run=run, seq=len(made) + 1)]


def steps_seen(id: str, number: int) -> list[Turn]:
    """What of that a watcher sees who was there when it waited."""
    done = [(id, str(index), status) for index in range(1, number + 1) for status in ("running", "complete")]
    return [(id, "status", "running"), *done, (id, "status", "complete")]


def child(id: str, parent: str, status: Status = Status.COMPLETE) -> list[RunBlob]:
    """A child's run with one step."""
    run = f"run-{id}"
    why = Error("ValueError", "no", step=1) if status is Status.ERROR else None
    end = blob(id, head(run, status, error=why, parent=parent), seq=4, type="operation.complete", parent=parent)
    over = StepStatus.COMPLETE if status is Status.COMPLETE else StepStatus.ERROR
    first = [
        replace(step_event(id, seq, 1, state, run), parent=parent)
        for seq, state in ((2, StepStatus.RUNNING), (3, over))
    ]
    return [blob(id, head(run, parent=parent), parent=parent), *first, end]


def child_seen(id: str, status: Status = Status.COMPLETE) -> list[Turn]:
    """What a watcher of its parent sees of it."""
    over = "complete" if status is Status.COMPLETE else "error"
    return [(id, "status", "running"), (id, "1", "running"), (id, "1", over), (id, "status", str(status))]


def waits(store: Store, id: str) -> None:
    """An operation that nothing has happened to yet."""
    store.append([queued(id)])


def one_by_one(store: Store, items: list[RunBlob]) -> None:
    """Each change in an entry of its own."""
    for item in items:
        kinds = [answer.kind for answer in store.append(list[Item]([item]))]
        assert kinds == ["stored"]
