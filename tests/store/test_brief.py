"""Operations that are counted and not kept: once, whatever is repeated, late or killed on the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.store.making import NOW, ended, head, queued, started
from tracker.archive import Archive
from tracker.history import History
from tracker.history.archiving import Archiving
from tracker.model import Event, Status
from tracker.store import Passed, QueueItem, RunBlob, Store

DAY = int(NOW // 86_400)


def brief(id: str, run: str = "r1", seq: int = 1) -> RunBlob:
    """The only word of a run that was over soon."""
    part = head(run, Status.COMPLETE)
    return RunBlob(id, run, [Event("operation.complete", id, NOW, run, seq, head=part)], "", NOW, part, brief="job")


def counted(store: Store) -> int:
    """How many executions of the job wait to be archived."""
    return sum(count for (_, name), count in store.brief.waiting().items() if name == "job")


def test_what_passes_leaves_nothing_but_its_number(store: Store) -> None:
    """Also if it was known as queued, or as running."""
    store.append([queued("a"), brief("a"), started("b", "r2"), brief("b", "r2", 2)])
    assert counted(store) == 2
    assert [store.operation(id) for id in ("a", "b")] == [None, None]
    assert store.operations().items == []


def test_it_is_counted_once_however_often_it_is_told(store: Store) -> None:
    """The answer to the first time may have been lost."""
    for _ in range(3):
        store.append([queued("a"), brief("a")])
    for _ in range(3):
        store.append([Passed("token", DAY, {"job": 5})])
    assert counted(store) == 6


def test_who_says_that_it_is_queued_after_it_was_over_says_nothing_new(store: Store) -> None:
    """Its sender's word may take longer than the task."""
    store.append([brief("a")])
    (answer,) = store.append([queued("a")])
    assert answer.kind == "duplicate"
    assert store.operation("a") is None


@pytest.mark.parametrize(
    "before",
    [[queued("child", parent="a")], [started("a", "r0"), ended("a", Status.ERROR, "r0")]],
    ids=["a child", "an earlier attempt"],
)
def test_what_there_is_more_of_is_kept(store: Store, before: list[RunBlob | QueueItem]) -> None:
    """Whoever looks for that finds it."""
    store.append([*before, brief("a")])
    found = store.operation("a")
    assert found is not None
    assert found.run is not None
    assert found.run.status is Status.COMPLETE
    assert counted(store) == 0


def test_numbers_move_to_the_archive_once_though_it_is_killed_in_between(store: Store, tmp_path: Path) -> None:
    """A second recorder finds what the first has taken and does not know whether that was written."""
    archive = Archive(f"sqlite:///{tmp_path / 'archive.sqlite3'}", store.keys.namespace)
    store.append([Passed("one", DAY, {"job": 5, "other": 1})])
    taken = store.brief.take()
    assert taken is not None
    archive.count(*taken)
    store.append([Passed("two", DAY, {"job": 2})])
    for _ in range(2):
        Archiving(store, archive, 0).turn()
    assert archive.outcomes("job") == {DAY: {Status.COMPLETE: 7, Status.ERROR: 0, Status.CANCELLED: 0, Status.LOST: 0}}
    assert counted(store) == 0
    assert History(store, archive).stats("other").outcomes[DAY][Status.COMPLETE] == 1
    archive.close()
