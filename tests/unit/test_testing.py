"""What users get to test their own tracked code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tracker import StepTracker, clock
from tracker.testing import FakeClock, assert_steps, capture_events

ROOT = Path(__file__).parents[2]

SUITE = """
import pytest
from tracker import StepTracker, event_bus
from tracker.testing import assert_steps

def test_steps(tracker_events, capfd):
    with StepTracker("Import") as tracker:
        tracker.step("Read")
    assert_steps(tracker_events, ["Read"])
    assert capfd.readouterr().err == ""
    assert not event_bus.publishes

def test_alone(tracker_events):
    assert tracker_events == []
"""


def test_the_fixture_collects_events_and_keeps_everything_inside(tmp_path: Path) -> None:
    """A Redis that is configured and absent is not asked, and every test begins with an empty list."""
    (tmp_path / "test_it.py").write_text(SUITE)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "tracker.pytest_plugin", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TRACKER_REDIS_URL": "redis://127.0.0.1:1/0"},
    )  # fmt: skip
    assert "2 passed" in done.stdout, done.stdout


def test_the_fake_clock_moves_only_when_told_to() -> None:
    """Both clocks, and the real ones are back afterwards."""
    real = clock.now, clock.elapsed
    with FakeClock(1000.0) as fake, StepTracker("Work", display="quiet") as tracker:
        step = tracker.step("Wait")
        fake.advance(2.5)
        step.complete()
        assert clock.now() == 1002.5
    assert step.duration == 2.5
    assert (clock.now, clock.elapsed) == real


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        (["Read"], "step 2 differs: it ended as 'Check' skipped, expected nothing"),
        (["Read", "Check"], "step 2 differs: it ended as 'Check' skipped, expected 'Check' complete"),
        (["Read", ("Check", "skipped"), "Write"], "step 3 differs: it did not end, expected 'Write' complete"),
    ],
)
def test_a_difference_is_told_where_it_is(expected: list[str | tuple[str, str]], said: str) -> None:
    """The first step that differs, then both lists."""
    with capture_events() as events, StepTracker("Work", display="quiet") as tracker:
        tracker.step("Read").complete()
        tracker.step("Check").skip()
    with pytest.raises(AssertionError) as caught:
        assert_steps(events, expected)
    assert str(caught.value).splitlines()[0] == said
