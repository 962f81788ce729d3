"""What is stored at the end of a trial, in the words of the checker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from tests.checker.history import Stored, StoredRun
from tests.checker.watching import everything
from tests.store.revs import feed
from tracker.archive import Archive
from tracker.compose import compose
from tracker.model import Children, RunPart, StepState
from tracker.record import Attempt, Record
from tracker.store import RunBlob, Store


def collect(store: Store, archive: Archive | None = None, ids: Iterable[str] = ()) -> list[Stored]:
    """Every operation that Redis holds, and those of ``ids`` that the archive holds, with all their runs."""
    live = store.leaving.records([parts.id for parts in everything(store)])
    kept = [_kept(archive, id) for id in ids] if archive is not None else []
    return [
        *(_stored(record, "redis") for record in live),
        *(_stored(record, "archive") for record in kept if record is not None),
    ]


def _kept(archive: Archive, id: str) -> Record | None:
    parts = archive.operation(id)
    return Record(parts, archive.attempts(id)[:-1]) if parts is not None else None


def _stored(record: Record, where: str) -> Stored:
    parts = record.parts
    runs = [_run(attempt) for attempt in record.earlier]
    if parts.run is not None:
        runs.append(_run(Attempt(parts.attempt, parts.run, list(parts.steps.values()))))
    parent = parts.run.parent if parts.run is not None else ""
    return Stored(parts.id, where, str(compose(parts).status), runs, parent, _counts(parts.children))


def _run(attempt: Attempt) -> StoredRun:
    run: RunPart = attempt.run
    steps: list[StepState] = attempt.steps
    return StoredRun(
        run.run, run.title, attempt.number, str(run.status), {step.index: str(step.status) for step in steps}
    )  # fmt: skip


def _counts(children: Children) -> dict[str, int]:
    counts: dict[str, int] = msgspec.to_builtins(children) if children.total else {}
    counts.pop("version", None)
    return counts


def late(store: Store) -> list[RunBlob]:
    """The replayed blobs that wait for the recorder, oldest first."""
    entries = store.client.redis.lrange(store.keys.prefix + "late", 0, -1)
    return [msgspec.msgpack.decode(entry, type=RunBlob) for entry in entries]


def take_late(store: Store) -> set[str]:
    """Put what waits for the recorder in its place, as if its process still told it; the kinds of the answers."""
    blobs = [replace(blob, replay=False) for blob in late(store)]
    store.client.redis.delete(store.keys.prefix + "late")
    return {store.append([blob])[0].kind for blob in blobs}


def told_twice(store: Store) -> list[tuple[str, int]]:
    """Run and seq of every event that the feed holds more than once."""
    times = Counter((event.run, event.seq) for change in feed(store) for event in change.events if event.seq)
    return [event for event, number in times.items() if number > 1]
