"""Resuming: what a step returned is kept, and a later attempt takes it instead of running the step again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress

import pytest

from tests.publish.test_publisher import operation
from tests.support import frozen, wait_for
from tracker import StepTracker, TrackerError, event_bus, results
from tracker.config import settings
from tracker.embedded import Server
from tracker.publish import Publisher
from tracker.store import Answer, Item, Store

Ran = list[object]


@pytest.fixture
def kept(publisher: Publisher, store: Store) -> object:
    """Kept results are read from the store that the publisher writes to."""
    from tracker import _kept_results

    results.connect(lambda: store.results)
    yield
    results.connect(_kept_results)


pytestmark = pytest.mark.usefixtures("kept")


def double(ran: Ran) -> Callable[[object], dict[str, object]]:
    def work(value: object) -> dict[str, object]:
        ran.append(value)
        return {"value": value}

    return work


def attempt(ran: Ran, *values: object, resume: bool = True, fails: bool = False) -> StepTracker:
    """One step per value; ``fails``: and then an error."""
    work = double(ran)
    try:
        with StepTracker("Nightly", id="nightly", resume=resume, display="quiet") as tracker:
            for value in values:
                assert tracker.run("Double", work, value) == {"value": value}
            if fails:
                raise RuntimeError("half way")
    except RuntimeError:
        pass
    assert event_bus.flush(10)
    return tracker


def test_a_later_attempt_takes_what_was_kept_and_runs_the_rest(store: Store) -> None:
    """The second attempt runs only what the first had not done, and shows which steps it has reused."""
    ran: Ran = []
    attempt(ran, "a", "b", resume=False, fails=True)
    tracker = attempt(ran, "a", "b", "c")
    assert ran == ["a", "b", "c"]
    assert [step.reused for step in tracker.steps] == [True, True, False]
    found = operation(store, "nightly")
    assert found is not None
    assert (found.attempt, found.status) == (2, "complete")
    assert [step.reused for step in found.steps or []] == [True, True, False]


def test_results_live_through_attempt_after_attempt() -> None:
    """Each failing attempt leaves what the ones before it have kept."""
    ran: Ran = []
    for _ in range(3):
        attempt(ran, "a", fails=True)
    assert ran == ["a"]


def test_an_attempt_right_after_a_failed_one_finds_its_results(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the same process nobody has to flush, however slow the store is."""
    append, ran = publisher._store.append, list[object]()

    def slow(items: Sequence[Item]) -> list[Answer]:
        wait_for(lambda: publisher._asked)
        return append(items)

    monkeypatch.setattr(publisher._store, "append", slow)
    monkeypatch.setattr(results, "FLUSH_WAIT", 20.0)
    work = double(ran)
    with suppress(RuntimeError), StepTracker("Nightly", id="nightly", display="quiet") as tracker:
        tracker.run("Double", work, "a")
        raise RuntimeError("half way")
    with StepTracker("Nightly", id="nightly", resume=True, display="quiet") as tracker:
        tracker.run("Double", work, "a")
    assert ran == ["a"]


@pytest.mark.parametrize(
    "held", [b"nonsense", b'""\n{"half', b"\xff\n\xff", b'""\n' + b"[" * 50_000], ids=["word", "half", "bytes", "deep"]
)
def test_a_kept_result_that_cannot_be_read_is_told_and_the_step_runs(store: Store, held: bytes) -> None:
    """Whatever has happened to it, the work gets a result of its own."""
    ran: Ran = []
    attempt(ran, "a")
    key = store.keys.results("nightly")
    (field,) = store.client.redis.hkeys(key)
    store.client.redis.hset(key, field, held)
    tracker = attempt(ran, "a")
    assert (ran, tracker.steps[0].reused) == (["a", "a"], False)
    assert "unreadable" in store.logs("nightly")[-1].text


def test_a_function_that_ends_its_step_itself_keeps_nothing_and_a_line_says_so(store: Store) -> None:
    """Its outcome is already told when the result is there."""
    ran: Ran = []
    for _ in range(2):
        with StepTracker("Nightly", id="nightly", resume=True, display="quiet") as tracker:
            tracker.run("Skip", lambda: (ran.append(1), tracker.skip("nothing to do"))[1])
        assert event_bus.flush(10)
    assert ran == [1, 1]
    assert store.results("nightly") == {}
    assert ["is not kept" in line.text for line in store.logs("nightly")] == [True, True]


def test_the_same_call_twice_keeps_two_results(store: Store) -> None:
    """Calls are told apart by name, arguments and how often the pair came before."""
    ran: Ran = []
    attempt(ran, "a", "a", resume=False, fails=True)
    attempt(ran, "a", "a", "a")
    assert ran == ["a", "a", "a"]


def test_an_attempt_that_does_not_resume_forgets_what_was_kept() -> None:
    """Starting over means that a still later attempt cannot fall back on older results."""
    ran: Ran = []
    attempt(ran, "a", "b", resume=False)
    attempt(ran, "a", resume=False)
    attempt(ran, "a", "b")
    assert ran == ["a", "b", "a", "b"]


@pytest.mark.parametrize("what", ["arguments", "release"])
def test_a_step_that_runs_again_says_why(store: Store, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """Other arguments, or other code, make the kept result worthless; a log line tells."""
    ran: Ran = []
    attempt(ran, "a", resume=False)
    if what == "release":
        monkeypatch.setenv("TRACKER_RELEASE", "2.0")
        settings.cache_clear()
    attempt(ran, "other" if what == "arguments" else "a")
    settings.cache_clear()
    assert len(ran) == 2
    (said,) = [line.text for line in store.logs("nightly")]
    assert said.startswith("runs again: its")
    assert what in said


def test_arguments_that_cannot_be_compared_run_again() -> None:
    """An object without a text of its own is never taken for the same; paths and dates are."""
    from datetime import date
    from pathlib import Path

    ran: Ran = []

    def work(*values: object) -> None:
        ran.append(values)

    for _ in range(2):
        with StepTracker("Nightly", id="nightly", resume=True, display="quiet") as tracker:
            tracker.run("Object", work, object())
            tracker.run("Path", work, Path("a"), date(2026, 11, 22))
        event_bus.flush(10)
    first = [values[0] for values in ran if isinstance(values, tuple)]
    assert [isinstance(value, Path) for value in first] == [False, True, False]


def test_results_come_back_when_the_store_was_emptied_meanwhile_only_if_not_yet_stored(store: Store) -> None:
    """A flushed Redis has lost them; then the steps run again, and nothing else breaks."""
    ran: Ran = []
    attempt(ran, "a", resume=False)
    store.client.redis.flushall()
    attempt(ran, "a")
    assert ran == ["a", "a"]


def test_a_store_that_does_not_answer_makes_every_step_run(
    server: Server, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """The work comes first: it runs whole, and the operation carries a warning."""
    ran: Ran = []
    attempt(ran, "a", resume=False)
    with (
        frozen(server.pid),
        caplog.at_level(logging.WARNING, "tracker"),
        StepTracker("Nightly", id="nightly", resume=True, display="quiet") as tracker,
    ):
        tracker.run("Double", double(ran), "a")
    assert event_bus.flush(10)
    assert ran == ["a", "a"]
    assert "every step runs" in caplog.text
    found = operation(store, "nightly")
    assert found is not None
    assert found.warned == 1


def test_without_a_setting_resuming_is_refused() -> None:
    """The message names what to set."""
    from tracker import _kept_results

    results.connect(_kept_results)
    with pytest.raises(TrackerError, match="TRACKER_REDIS_URL"):
        StepTracker("Nightly", id="nightly", resume=True).__enter__()
