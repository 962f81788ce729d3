"""An erased operation is nowhere any more, and what comes late does not bring it back."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.history.test_archiving import done, keys_left
from tests.store.making import NOW, batch_of, blob, ended, head, queued, started
from tests.support import everything_in, wait_for
from tracker.archive import Archive, Writer
from tracker.errors import ArchiveUnavailable, NotEnded, NotFound
from tracker.history import History
from tracker.history.recorder import Recorder
from tracker.model import Error, Event, EventType, LogLine, QueuePart, Status, StepState, StepStatus
from tracker.record import Record
from tracker.store import Erase, Item, KnownRequest, Leave, QueueItem, RunBlob, Seal, Store
from tracker.store.client import Holding
from tracker.store.leaving import Leaving

LONG_AGO = 1_000_000_000.0
"""Before anything is erased here."""


def early(*blobs: RunBlob) -> list[RunBlob]:
    """As a process tells them that began long ago."""
    return [replace(blob, created=LONG_AGO) for blob in blobs]


def left_of(store: Store, archive: Archive, *ids: str) -> set[str]:
    """What is still kept of operations, but for the word that they must not come back, and are to leave the feed."""
    here = {name for name in keys_left(store) if not name.startswith("barred:") and name != "erased"}
    return here | set(archive.heads(list(ids)))


@pytest.mark.parametrize("place", ["redis", "archive"])
def test_an_erased_operation_is_nowhere(
    store: Store, archive: Archive, recorder: Recorder, history: History, place: str
) -> None:
    """With its lines, attempts and results, wherever it was."""
    store.append(done("a", status=Status.ERROR))
    if place == "archive":
        recorder.turn()
    history.erase("a")
    assert left_of(store, archive, "a") == set()
    assert history.operations().items == []
    for again in (history.operation, history.erase, history.logs):
        with pytest.raises(NotFound):
            again("a")


def test_a_feed_that_cannot_be_exchanged_holds_up_nothing_else(
    store: Store, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis may have no memory for it just then."""

    def refuses() -> None:
        raise Holding("no memory", "OOM")

    monkeypatch.setattr(store.erasing, "turn", refuses)
    store.append(done("a"))
    recorder.turn()
    assert (recorder.active, store.operation("a")) == (True, None)


SECRET = "hunter2"


def everywhere(store: Store) -> str:
    """All that is in any key of the namespace."""
    return everything_in(store.client.redis, f"{store.keys.prefix}*")


def telling(id: str, parent: str = "", index: int = 0, run: str = "r1") -> list[Item]:
    """An operation that tells the secret wherever something of its own can be told."""
    part = QueuePart("job", NOW, title=SECRET, parent=parent, index=index, labels={"x": SECRET}, args={"a": SECRET})
    error = Error("E", SECRET, [SECRET], traceback=SECRET, log=[SECRET])
    fields = {"title": SECRET, "labels": {"y": SECRET}}
    begins = replace(head(run), **fields)
    ends = replace(head(run, Status.ERROR), error=error, **fields)
    step = StepState(1, "Step 1", StepStatus.ERROR, NOW, detail=SECRET, error=SECRET)
    event = Event(EventType.STEP_ERROR, id, NOW, run, 2, step=step, log=LogLine(1, NOW, SECRET, 1))
    told = [
        blob(id, begins, parent=parent),
        RunBlob(id, run, [event], parent, NOW, None, [step], step, results=[("key", SECRET.encode())]),
        blob(id, ends, seq=3, type="operation.complete", parent=parent),
    ]
    return [QueueItem(id, part), *early(*told)]


@pytest.mark.parametrize("moved", [False, True], ids=["from Redis", "from the archive"])
def test_no_key_and_no_file_holds_a_word_of_what_was_erased(
    store: Store, archive: Archive, recorder: Recorder, history: History, tmp_path: Path, moved: bool
) -> None:
    """Neither the feed, nor an answer that a repeated request would get, nor what was told late and waits."""
    batch = QueuePart("job", NOW, title=SECRET, batch=True, labels={"x": SECRET})
    late = [item for item in telling("b.1", "b", 1, "r9") if isinstance(item, RunBlob)]
    store.append(
        [QueueItem("b", batch), *telling("b.1", "b", 1), *telling("b.2", "b", 2), Seal("b", 2), *done("stays")]
    )
    store.append([started("b", "rb"), ended("b", run="rb"), *telling("below", "b.1"), *telling("alone")])
    claims = [store.answers.claim("POST", id, SECRET.encode()) for id in ("b", "alone", "stays")]
    for claim, id in zip(claims, ("b", "alone", "stays"), strict=True):
        claim.kept = KnownRequest(
            claim.kept.body, id, 202, f"/{id}", f'{{"title":"{SECRET if id != "stays" else id}"}}'
        )
        store.answers.done(claim, keep=True)
    if moved:
        wait_for(lambda: (recorder.turn(), store.operation("b") is None)[1])
    store.append([replace(item, replay=True) for item in late])
    files = [path for path in tmp_path.iterdir() if moved]
    assert SECRET in everywhere(store)
    assert not moved or any(SECRET.encode() in path.read_bytes() for path in files)
    history.erase("b")
    history.erase("alone")
    recorder.turn()
    assert SECRET not in everywhere(store)
    assert [path.name for path in tmp_path.iterdir() if SECRET.encode() in path.read_bytes()] == []
    assert history.operation("stays").status is Status.COMPLETE
    again = [store.answers.claim("POST", id, SECRET.encode()).kept for id in ("b", "alone", "stays")]
    assert [(kept.status, kept.location) for kept in again] == [(202, "/b"), (202, "/alone"), (202, "/stays")]
    assert [kept.answer for kept in again] == ['{"id":"b"}', '{"id":"alone"}', '{"title":"stays"}']


@pytest.mark.parametrize("moved", [0, 1, 2, 3])
def test_all_below_it_is_erased_with_it(
    store: Store, archive: Archive, recorder: Recorder, history: History, moved: int
) -> None:
    """However much of a batch has moved to the archive already."""
    children = batch_of(store, 3)
    for child in children:
        store.append([started(child, child, "b"), ended(child, run=child, parent="b")])
    store.append([queued("below", parent=children[0], index=1), *done("below", children[0])])
    store.append([started("b", "rb"), ended("b", run="rb")])
    archive.write(store.leaving.records(["below", *children]))
    for child in ["below", *children][:moved]:
        parts = store.operation(child)
        assert parts is not None
        store.append([Leave(child, parts.rev, parts.children.version)])
    history.erase("b")
    assert left_of(store, archive, "b", "below", *children) == set()


def test_what_is_told_late_does_not_bring_it_back(
    store: Store, archive: Archive, recorder: Recorder, history: History
) -> None:
    """Neither by the process itself, nor from the spool of one that is gone."""
    store.append(early(*done("a")))
    store.append([replace(blob, replay=True) for blob in early(started("b"))])
    history.erase("a")
    kinds = {answer.kind for answer in store.append(early(started("a", "r2"), *done("a", run="r3")))}
    assert kinds == {"duplicate"}
    (answer,) = store.append([replace(blob, replay=True) for blob in early(started("a", "r4"))])
    assert answer.kind == "duplicate"
    recorder.turn()
    assert archive.heads(["a"]) == {}
    assert store.operation("a") is None


def test_a_replay_that_waited_for_the_recorder_does_not_either(
    store: Store, archive: Archive, recorder: Recorder, history: History
) -> None:
    """It was there before the operation was erased."""
    store.append(early(*done("a")))
    store.append([replace(blob, replay=True) for blob in early(started("a", "r2"))])
    history.erase("a")
    recorder.turn()
    assert (store.operation("a"), archive.heads(["a"])) == (None, {})


def test_a_recorder_in_the_middle_of_it_does_not_either(
    store: Store, archive: Archive, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has read the operation, which is then erased, and writes what it has read; it is well even if it dies then."""
    store.append(early(*done("a"), *done("b")))
    write = Writer.write

    def erased_before(writer: Writer, records: list[Record]) -> None:
        if any(record.parts.id == "a" for record in records):
            store.append([Erase("a")])
        write(writer, records)

    monkeypatch.setattr(Writer, "write", erased_before)
    monkeypatch.setattr(archive, "erase", None)
    recorder.turn()
    assert left_of(store, archive, "a") == set()
    assert archive.heads(["a", "b"]).keys() == {"b"}


def test_a_recorder_that_has_written_it_already_takes_it_back(
    store: Store, archive: Archive, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When it hears that it has not left, for it was erased; whoever did that may have been stopped half-way."""
    store.append(early(*done("a")))

    def just_before(_: Leaving, ids: list[str]) -> list[str]:
        store.append([Erase(id) for id in ids])
        return []

    monkeypatch.setattr(Leaving, "erased", just_before)
    recorder.turn()
    assert left_of(store, archive, "a") == set()


def test_a_later_run_of_the_same_name_is_another_matter(store: Store, recorder: Recorder, history: History) -> None:
    """Whoever chooses ids may use one again."""
    store.append(early(*done("nightly")))
    history.erase("nightly")
    store.append(done("nightly", status=Status.ERROR, run="r2"))
    assert history.operation("nightly").status == "error"
    recorder.turn()
    assert history.operation("nightly").status == "error"


def test_what_is_queued_anew_under_its_id_and_never_runs_is_archived(
    store: Store, archive: Archive, recorder: Recorder, history: History
) -> None:
    """It is another one; only a run would have told that."""
    store.append(early(*done("a")))
    history.erase("a")
    store.append([queued("a")])
    assert store.cancel("a", "somebody")
    recorder.turn()
    assert store.operation("a") is None
    assert archive.heads(["a"]).keys() == {"a"}


def test_an_erased_job_that_waited_never_begins(store: Store, history: History) -> None:
    """Its message may still be on its way."""
    store.append([queued("a")])
    store.cancel("a", "ada")
    history.erase("a")
    assert store.status("a") is Status.CANCELLED


def test_what_has_not_ended_is_not_erased(store: Store, history: History) -> None:
    """Nor anything of it: neither what runs, nor what something runs below of, nor a part of what goes on."""
    store.append([started("a"), queued("q")])
    children = batch_of(store, 2)
    store.append([started(children[0], "c1", "b"), ended(children[0], run="c1", parent="b")])
    store.append([started("p", "rp"), started("below", "rb", "p"), ended("p", run="rp")])
    for id in ("a", "q", "b", children[0], "p"):
        with pytest.raises(NotEnded, match=r"end|cancel"):
            history.erase(id)
        assert history.operation(id).id == id
    assert len(history.children("b").items) == 2


def test_where_the_archive_is_another_one_nothing_is_erased(
    store: Store, recorder: Recorder, history: History, tmp_path: Path
) -> None:
    """What is in the one that counts would stay, and nobody would know."""
    recorder.turn()
    store.append([started("a"), ended("a")])
    for held in (Archive(f"sqlite:///{tmp_path}/other.sqlite3"), None):
        with pytest.raises(ArchiveUnavailable, match=r"kept in .*archive\.sqlite3 on .*; erase it there"):
            History(store, held).erase("a")
    assert history.operation("a").id == "a"
    history.erase("a")
    with pytest.raises(NotFound):
        history.operation("a")


def test_counts_of_what_a_child_belonged_to_stay(store: Store, history: History) -> None:
    """They say what happened, not what is kept."""
    children = batch_of(store, 2)
    for child in children:
        store.append([started(child, child, "b"), ended(child, run=child, parent="b")])
    store.append([started("b", "rb"), ended("b", run="rb")])
    history.erase(children[0])
    assert [child.id for child in history.children("b").items] == [children[1]]
    assert history.operation("b").children.total == 2
