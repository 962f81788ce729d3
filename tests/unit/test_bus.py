"""The event bus: what subscribers and the sink do wrong never reaches the work."""

from __future__ import annotations

import json
import logging
import sys
from types import ModuleType

import pytest

from tracker.bus import BusEvent, EventBus, event_bus
from tracker.config import configure, settings
from tracker.errors import SettingsError
from tracker.model import Event, EventType, Status
from tracker.run import RunWriter
from tracker.step import Step
from tracker.testing import assert_steps, capture_events


def an_event(run: RunWriter, type: str = "operation.start") -> Event:
    return Event(type, run.operation, 1763790000.123, run.run, head=run.part())


@pytest.fixture
def run() -> RunWriter:
    """A run that tells the process's bus nothing by itself."""
    return RunWriter(name="n", title="Title", emits=False)


class Broken:
    """A sink that breaks its promise."""

    def put(self, run: RunWriter, event: Event) -> None:
        raise RuntimeError("put")

    def step(self, step: Step) -> None:
        raise RuntimeError("step")

    def flush(self, timeout: float) -> bool:
        raise RuntimeError("flush")

    settle = flush


def test_a_failing_subscriber_is_logged_once_and_others_still_hear(
    run: RunWriter, caplog: pytest.LogCaptureFixture
) -> None:
    """One bad callback costs one log line."""
    bus, heard = EventBus(), list[BusEvent]()

    def fails(event: BusEvent) -> None:
        raise RuntimeError("subscriber")

    bus.subscribe("*", fails)
    bus.subscribe("operation.start", heard.append)
    with caplog.at_level(logging.ERROR, "tracker"):
        bus.emit(run, an_event(run))
        bus.emit(run, an_event(run))
    assert len(heard) == 2
    assert len(caplog.records) == 1


def test_an_interrupt_in_a_subscriber_is_not_swallowed(run: RunWriter) -> None:
    """Ctrl-C ends the program also while a callback runs."""
    bus = EventBus()

    def interrupted(event: BusEvent) -> None:
        raise KeyboardInterrupt

    bus.subscribe("*", interrupted)
    with pytest.raises(KeyboardInterrupt):
        bus.emit(run, an_event(run))


def test_unsubscribing_ends_the_calls_and_may_be_repeated(run: RunWriter) -> None:
    """The function that subscribe() returns takes back exactly this subscription."""
    bus, one, two = EventBus(), list[BusEvent](), list[BusEvent]()
    leave = bus.subscribe("*", one.append)
    bus.subscribe("*", two.append)
    leave()
    leave()
    bus.emit(run, an_event(run))
    assert (len(one), len(two)) == (0, 1)


def test_events_have_plain_types_and_a_payload_that_becomes_json(run: RunWriter) -> None:
    """No enum, no struct: what a callback gets can be sent on as it is."""
    bus, heard = EventBus(), list[BusEvent]()
    bus.subscribe("*", heard.append)
    run.end(Status.COMPLETE)
    bus.emit(run, an_event(run, EventType.OPERATION_COMPLETE))
    assert type(heard[0].type) is str
    assert f"{heard[0].type}" == "operation.complete"
    data = json.loads(json.dumps(dict(heard[0].data)))
    assert data["operation"] == "Title"
    assert data["timestamp"] == "2025-11-22T05:40:00.123000+00:00"
    assert (data["success"], data["status"], data["steps"], data["error"]) == (True, "complete", 0, None)
    assert {"operation_id", "run", "duration", "total_steps"} <= data.keys()


def test_a_broken_sink_costs_one_log_line(run: RunWriter, caplog: pytest.LogCaptureFixture) -> None:
    """None of its calls may raise into the work."""
    bus = EventBus()
    bus.connect(Broken)
    with caplog.at_level(logging.ERROR, "tracker"):
        bus.emit(run, an_event(run))
        bus.emit(run, an_event(run))
        bus.step(EventType.STEP_START, run.begin("Step"))
        assert bus.flush(0.1) is False
        assert bus.settle(0.1) is False
    assert len(caplog.records) == 1


def test_a_sink_that_cannot_be_made_costs_one_log_line(run: RunWriter, caplog: pytest.LogCaptureFixture) -> None:
    """The factory is asked once, not at every event."""
    bus, asked = EventBus(), []

    def factory() -> None:
        asked.append(1)
        raise SettingsError("TRACKER_REDIS_URL has the scheme 'ftp'")

    bus.connect(factory)
    with caplog.at_level(logging.WARNING, "tracker"):
        bus.emit(run, an_event(run))
        bus.emit(run, an_event(run))
    assert (len(asked), len(caplog.records)) == (1, 1)
    bus.reconnect()
    bus.emit(run, an_event(run))
    assert len(asked) == 2


def test_the_factory_is_asked_again_after_a_fork(run: RunWriter) -> None:
    """A child has no publisher thread, so it needs a publisher of its own."""
    bus, asked = EventBus(), []
    bus.connect(lambda: asked.append(1))  # type: ignore[func-returns-value]
    bus.emit(run, an_event(run))
    bus._forget()
    bus.emit(run, an_event(run))
    assert len(asked) == 2


def test_progress_reaches_subscribers_without_a_sink(run: RunWriter) -> None:
    """Each advance is told, with the state it led to."""
    with capture_events("step.progress") as events:
        telling = RunWriter(name="n", title="t")
        step = telling.begin("Count")
        step.advance(2)
        step.advance(3)
    assert [event.data["current"] for event in events] == [2, 5]
    step.advance()
    assert step.dirty


def test_configure_refuses_a_wrong_url_and_keeps_the_settings_there_were() -> None:
    """A wrong value is an error where it is given."""
    before = settings().redis_url
    with pytest.raises(SettingsError, match="scheme"):
        configure(redis_url="ftp://somewhere")
    with pytest.raises(SettingsError, match="display"):
        configure(display="disco")
    assert settings().redis_url == before


def test_assert_steps_tells_what_it_found() -> None:
    """The message holds both lists."""
    with capture_events() as events:
        run = RunWriter(name="n", title="t")
        step = run.begin("Real")
        step.complete()
    with pytest.raises(AssertionError, match=r"(?s)Real.*Wanted"):
        assert_steps(events, ["Wanted"])


def test_a_tracker_opened_while_the_settings_are_imported_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a signal handler, in the midst of the first tracker's beginning: the module is there and empty."""
    from tracker import StepTracker

    monkeypatch.setitem(sys.modules, "tracker.settings", ModuleType("tracker.settings"))
    settings.cache_clear()
    with StepTracker("Work", display="quiet") as tracker:
        tracker.step("Step")
    assert tracker.steps[0].status == "complete"


def test_a_settings_error_does_not_reach_the_work(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A wrong TRACKER_REDIS_URL is one log line; the block runs."""
    from tracker import StepTracker

    monkeypatch.setenv("TRACKER_REDIS_URL", "ftp://somewhere")
    settings.cache_clear()
    event_bus.reconnect()
    with caplog.at_level(logging.WARNING, "tracker"), StepTracker("Work", display="quiet") as tracker:
        tracker.step("Step")
    monkeypatch.undo()
    settings.cache_clear()
    event_bus.reconnect()
    assert tracker.steps[0].status == "complete"
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_why_nothing_is_published_is_said_without_secrets(run: RunWriter, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever the factory raises ends in the log, and its text may quote an address."""

    def fails() -> None:
        raise OSError("cannot reach redis://:hunter2@cache:6379\nsecond line")

    bus = EventBus()
    bus.connect(fails)
    with caplog.at_level(logging.WARNING, "tracker"):
        bus.emit(run, an_event(run))
    assert "cannot reach redis://…@cache:6379 second line" in caplog.text
