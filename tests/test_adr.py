"""The unit tests of the decision this package grew from, with only the import changed."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from tracker import StepTracker, event_bus


def test_step_tracker_basic_flow():
    """Test basic step tracker flow."""
    console = Console(file=StringIO())

    with StepTracker("Test Operation", console=console, emit_events=False) as tracker:
        tracker.step("Step 1")
        tracker.complete()

        tracker.step("Step 2")
        tracker.complete()

    assert len(tracker.steps) == 2
    assert all(s.status == "complete" for s in tracker.steps)


def test_step_tracker_error_handling():
    """Test step tracker error handling."""
    console = Console(file=StringIO())

    try:
        with StepTracker("Test Operation", console=console, emit_events=False) as tracker:
            tracker.step("Step 1")
            tracker.complete()

            tracker.step("Step 2")
            raise ValueError("Simulated error")
    except ValueError:
        pass

    # Step 2 should be marked as error
    assert tracker.steps[1].status == "error"
    assert "Simulated error" in tracker.steps[1].error


def test_step_tracker_event_emission():
    """Test that tracker emits events."""
    events_received = []

    def capture_event(event):
        events_received.append(event)

    event_bus.subscribe("operation.start", capture_event)
    event_bus.subscribe("step.start", capture_event)
    event_bus.subscribe("step.complete", capture_event)
    event_bus.subscribe("operation.complete", capture_event)

    with StepTracker("Test") as tracker:
        tracker.step("Step 1")
        tracker.complete()

    assert len(events_received) == 4
    assert events_received[0].type == "operation.start"
    assert events_received[1].type == "step.start"
    assert events_received[2].type == "step.complete"
    assert events_received[3].type == "operation.complete"
