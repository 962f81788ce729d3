"""Makers of changes, as a run's publisher would cut them."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from tracker.model import Event, QueuePart, RunPart, Status, StepState, StepStatus
from tracker.store import About, Lease, Leave, QueueItem, RunBlob, Seal, Sent, Store

NOW = 1_800_000_000.0


def head(run: str = "r1", status: Status = Status.RUNNING, **fields: object) -> RunPart:
    """What a run says of itself; ended if its status says so."""
    ended = None if status in (Status.RUNNING, Status.QUEUED) else NOW + 1
    return RunPart(run, "job", "A title", NOW, NOW, status, ended=ended, **fields)  # type: ignore[arg-type]


def blob(
    operation: str,
    part: RunPart,
    *,
    seq: int = 1,
    type: str = "operation.start",
    parent: str = "",
    steps: Sequence[StepState] = (),
) -> RunBlob:
    """One event that carries ``part``, and the steps it changed."""
    event = Event(type, operation, NOW, part.run, seq, head=part)
    current = steps[-1] if steps else None
    return RunBlob(operation, part.run, [event], parent, NOW, part, steps, current)


def started(operation: str, run: str = "r1", parent: str = "") -> RunBlob:
    """The first blob of a run."""
    return blob(operation, head(run), parent=parent)


def ended(operation: str, status: Status = Status.COMPLETE, run: str = "r1", seq: int = 2, parent: str = "") -> RunBlob:
    """The last blob of a run."""
    return blob(operation, head(run, status), seq=seq, type="operation.complete", parent=parent)


def step_event(
    operation: str, seq: int, index: int = 1, status: StepStatus = StepStatus.RUNNING, run: str = "r1"
) -> RunBlob:
    """A blob with one step's change."""
    step = StepState(index, f"Step {index}", status)
    event = Event("step.start", operation, NOW, run, seq, step=step)
    return RunBlob(operation, run, [event], "", NOW, None, [step], step)


def whole(operation: str, seq: int, run: str = "r1") -> RunBlob:
    """What a publisher sends when the store does not know the events before: the run's whole state."""
    gap = Event("gap", operation, NOW, run, seq, head=head(run))
    return RunBlob(operation, run, [gap], "", NOW, head(run), rebase=True)


def queued(operation: str, *, parent: str = "", index: int = 0, batch: bool = False, name: str = "job") -> QueueItem:
    """An operation as its sender queues it."""
    part = QueuePart(name, NOW, title="A title", queue="q", parent=parent, index=index, batch=batch, args={"n": index})
    return QueueItem(operation, part)


def batch_of(store: Store, size: int, batch: str = "b") -> list[str]:
    """Store a sealed batch of queued children; their ids."""
    ids = [f"{batch}.{index}" for index in range(1, size + 1)]
    children = [queued(id, parent=batch, index=index) for index, id in enumerate(ids, 1)]
    store.append([queued(batch, batch=True), *children, Seal(batch, size), Sent(batch)])
    return ids


def leave(store: Store, id: str) -> Leave:
    """What an archiver says that has kept the operation as it is stored now."""
    parts = store.operation(id)
    assert parts is not None
    return Leave(id, parts.rev, parts.children.version)


def go(store: Store, id: str) -> None:
    """The operation leaves for the archive."""
    assert [answer.kind for answer in store.append([leave(store, id)])] == ["stored"]


def lose_all(store: Store, id: str) -> None:
    """The store loses this operation with everything else it holds."""
    assert store.client.redis.exists(store.keys.operation(id))
    store.client.redis.delete(*store.client.redis.keys(store.keys.prefix + "*"))


def by(process: str, blob: RunBlob) -> RunBlob:
    """The blob as a process sends it that has a lease."""
    return replace(blob, process=process)


def lease(process: str, *runs: str) -> Lease:
    """A sign of life; without runs, the last one."""
    return Lease(process, dict.fromkeys(runs, 0), About("node-1", 4711, NOW))
