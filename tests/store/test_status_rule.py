"""The status rule exists twice, in Python and in the append script: here the two are held together."""

from __future__ import annotations

import itertools

import pytest

from tests.store.making import NOW, blob, head, queued
from tracker.compose import status_of
from tracker.model import Status, Verdict
from tracker.store import Store

RUNS = [None, Status.RUNNING, Status.COMPLETE, Status.ERROR, Status.CANCELLED, Status.QUEUED]
VERDICTS = [
    None,
    ("", Status.CANCELLED),
    ("r1", Status.LOST),
    ("r0", Status.LOST),
    ("r1", Status.CANCELLED),
    ("r1", Status.RUNNING),
    ("", Status.RUNNING),
]
CASES = list(itertools.product([False, True], RUNS, VERDICTS))


@pytest.mark.parametrize(("batch", "run", "verdict"), CASES)
def test_script_and_model_agree(
    store: Store, batch: bool, run: Status | None, verdict: tuple[str, Status] | None
) -> None:
    """For every combination of parts, the indexed status is what people are shown."""
    item = queued("a", batch=batch)
    part = None
    if verdict is not None:
        about, judged = verdict
        part = Verdict(judged, NOW, "test", run=about)
        fields = {"rev": 1, "verdict_status": str(judged), "verdict_run": about}
        store.client.redis.hset(store.keys.operation("a"), mapping=fields)
    store.append([item])
    last = head("r1", run) if run is not None else None
    if last is not None:
        store.append([blob("a", head("r1")), blob("a", last, seq=2)])
    stored = store.client.redis.hget(store.keys.operation("a"), "status").decode()
    assert stored == status_of(item.part, last, part)
