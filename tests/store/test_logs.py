"""Log lines and kept results beside an operation: bounded, written once, and gone with it."""

from __future__ import annotations

from tests.store.making import NOW, leave
from tracker.history import History
from tracker.model import Event, EventType, LogLine, RunPart, Status
from tracker.store import Answer, RunBlob, Store


def lines(run: str, first: int, *texts: str, resumes: bool = False, results: dict[str, bytes] | None = None) -> RunBlob:
    """A blob of log lines; the first of a run also begins it."""
    head = RunPart(run, "job", "A title", NOW, NOW) if first == 1 else None
    events = [
        Event(EventType.STEP_LOG, "a", NOW, run, seq, log=LogLine(seq, NOW, text))
        for seq, text in enumerate(texts, first)
    ]
    if head is not None:
        events[0].head = head
    return RunBlob("a", run, events, "", NOW, head, resumes=resumes, results=list((results or {}).items()))


def test_lines_of_all_attempts_are_kept_in_order(store: Store) -> None:
    """Each line says which attempt it belongs to; a blob sent twice is written once."""
    first, second = lines("r1", 1, "one", "two"), lines("r2", 1, "three")
    assert [answer.kind for answer in store.append([first, first, second])] == ["stored", "duplicate", "stored"]
    found = History(store).logs("a")
    assert [(line.attempt, line.number, line.text) for line in found] == [(1, 1, "one"), (1, 2, "two"), (2, 1, "three")]


def test_the_log_is_bounded(store: Store) -> None:
    """The last thousand lines stay."""
    store.append([lines("r1", 1, "first")])
    for start in range(2, 1200, 50):
        store.append([lines("r1", start, *(f"line {number}" for number in range(start, start + 50)))])
    found = store.logs("a")
    assert len(found) == 1000
    assert found[-1].number == 1201


def test_results_stay_for_a_run_that_resumes_and_go_with_one_that_does_not(store: Store) -> None:
    """And a duplicate changes nothing."""
    store.append([lines("r1", 1, "x", results={"key": b"1"})])
    store.append([lines("r2", 1, "x", resumes=True, results={"other": b"2"})])
    assert store.results("a") == {"key": b"1", "other": b"2"}
    store.append([lines("r3", 1, "x")])
    assert store.results("a") == {}


def test_lines_and_results_leave_with_their_operation(store: Store) -> None:
    """And not before."""
    redis, keys = store.client.redis, (store.keys.operation("a"), store.keys.log("a"), store.keys.results("a"))
    store.append([lines("r1", 1, "x", results={"key": b"1"})])
    head = RunPart("r1", "job", "A title", NOW, NOW, Status.COMPLETE, ended=NOW)
    event = Event(EventType.OPERATION_COMPLETE, "a", NOW, "r1", 2, head=head)
    store.append([RunBlob("a", "r1", [event], "", NOW, head)])
    assert redis.exists(*keys) == 3
    assert store.append([leave(store, "a")]) == [Answer("stored", 0)]
    assert redis.exists(*keys) == 0
