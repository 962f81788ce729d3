"""What is done to operations leaves the same behind, whichever way it was asked for."""

from __future__ import annotations

import msgspec
import pytest

from tests.store.making import NOW, batch_of, ended, queued, started
from tracker.cli.source import Source, Wanted
from tracker.cli.source.direct import Direct
from tracker.cli.source.remote import Remote
from tracker.errors import (
    AlreadyEnded,
    CannotRunAgain,
    InvalidArguments,
    NotEnded,
    NotFound,
    NoWorker,
    UnknownJob,
)
from tracker.history.search import Search
from tracker.model import Status
from tracker.queued import OnComplete
from tracker.settings import Settings
from tracker.store import QueueItem, Store


def failed_job(store: Store, id: str) -> None:
    """A job's operation that has failed."""
    part = msgspec.structs.replace(queued(id, name="copy").part, args={"path": "a"}, whole=True)
    store.append([QueueItem(id, part), started(id), ended(id, Status.ERROR)])


def test_what_is_queued_is_as_it_was_asked_for(source: Source, store: Store) -> None:
    """Job, arguments, labels."""
    id = source.submit("copy", {"path": "ä b"}, {"tenant": "acme"})
    operation = source.operation(id)
    assert (operation.name, operation.status, operation.args, operation.labels) == (
        "copy", Status.QUEUED, {"path": "ä b"}, {"tenant": "acme"}
    )  # fmt: skip


def test_a_batch_is_as_it_was_asked_for(source: Source, store: Store) -> None:
    """Each item is a child, and the title is the batch's."""
    after = OnComplete("copy", {"path": "after"})
    id = source.batch("copy", [{"path": str(number)} for number in range(5)], {"k": "v"}, "Five", on_complete=after)
    batch = source.operation(id)
    assert (batch.title, batch.batch, batch.children.total, batch.labels) == ("Five", True, 5, {"k": "v"})
    page = source.children(id, limit=2)
    assert [child.args for child in page.items] == [{"path": "0"}, {"path": "1"}]
    assert [child.args for child in source.children(id, page=page.next, limit=9).items][-1] == {"path": "4"}


def test_what_waits_is_cancelled_and_what_runs_is_asked(source: Source, store: Store, id: str) -> None:
    """With everything below it."""
    children = batch_of(store, 3, id)
    store.append([started(f"{id}-runs")])
    source.cancel(id)
    source.cancel(f"{id}-runs", terminate=True)
    assert [source.operation(one).status for one in (id, *children)] == [Status.CANCELLED] * 4
    asked = source.operation(f"{id}-runs")
    assert asked.status is Status.RUNNING
    assert asked.cancel is not None


def test_what_has_failed_runs_again(source: Source, store: Store, id: str) -> None:
    """Resumed, with what is expected of that; or from its beginning."""
    failed_job(store, f"{id}-a")
    failed_job(store, f"{id}-b")
    assert source.resume(f"{id}-a", force=True).summary == "nothing can be reused, so every step runs"
    source.rerun(f"{id}-b")
    assert [source.operation(f"{id}-{one}").status for one in "ab"] == [Status.QUEUED] * 2


def test_what_has_ended_is_erased(source: Source, store: Store, id: str) -> None:
    """With all below it; what goes on is not, and what is gone cannot be erased again."""
    children = batch_of(store, 2, id)
    source.cancel(id)
    source.erase(id)
    assert [store.operation(one) for one in (id, *children)] == [None] * 3
    with pytest.raises(NotFound):
        source.erase(id)
    store.append([started(f"{id}-runs")])
    with pytest.raises(NotEnded):
        source.erase(f"{id}-runs")


def test_what_cannot_be_done_raises_the_same(source: Source, store: Store, id: str) -> None:
    """Each mistake an error of its own kind."""
    store.append([started(id), ended(id)])
    store.append([started(f"{id}-runs")])
    wrong = [
        (NotFound, lambda: source.cancel("never")),
        (AlreadyEnded, lambda: source.cancel(id)),
        (CannotRunAgain, lambda: source.rerun(f"{id}-runs")),
        (UnknownJob, lambda: source.submit("nobody.knows", {}, {})),
        (NoWorker, lambda: source.submit("idle", {"path": "x"}, {})),
        (InvalidArguments, lambda: source.batch("copy", [{"path": "a"}, {}], {})),
    ]
    found = []
    for _, act in wrong:
        try:
            act()
        except Exception as error:
            found.append(type(error))
    assert found == [kind for kind, _ in wrong]


def test_all_else_is_read_the_same(store: Store, direct: dict[str, str], remote: dict[str, str], id: str) -> None:
    """Whatever commands may ask for, in one look at both."""
    ids = batch_of(store, 3, id)
    store.append([started(ids[0], "r9", parent=id), ended(ids[0], Status.ERROR, run="r9", parent=id)])
    sources: list[Source] = [Direct(Settings.from_env(direct)), Remote(remote["TRACKER_SERVER"])]
    searches = [Search(text=id[:20]), Search(since=NOW - 1, until=NOW + 1, label=("a", "b")), Search(worker="nobody")]
    for ask in (
        lambda source: [source.failures(id), source.logs(ids[0]), source.attempts(ids[0])],
        lambda source: [[worker.name for worker in source.workers()], source.summaries(None, 30), source.notices()],
        lambda source: [source.operations(Wanted(search=search), limit=3) for search in searches],
        lambda source: source.changes(id, "0-0").items,
        lambda source: b"".join(source.export(Wanted(search=searches[0]), "csv")),
        lambda source: b"".join(source.export(Wanted(search=searches[0]), "jsonl")),
    ):
        first, second = map(ask, sources)
        assert first == second
