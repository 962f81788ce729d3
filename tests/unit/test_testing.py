"""What users get to test their own tracked code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tracker import StepTracker, clock, configure, redact, results
from tracker.config import isolated
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

def test_what_resumes(tracker_events):
    with StepTracker("Import", id="a", resume=True) as tracker:
        assert tracker.run("Read", len, "abc") == 3
    assert_steps(tracker_events, ["Read"])

def test_what_asks_to_be_drawn(tracker_events, capfd):
    with StepTracker("Import", display="plain") as tracker:
        tracker.step("Read")
    assert "Read" in capfd.readouterr().err
"""


def test_the_fixture_collects_events_and_keeps_everything_inside(tmp_path: Path) -> None:
    """A Redis that is configured and absent is not asked, and every test begins with an empty list."""
    (tmp_path / "test_it.py").write_text(SUITE)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "tracker.pytest_plugin", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TRACKER_REDIS_URL": "redis://127.0.0.1:1/0"},
    )  # fmt: skip
    assert "4 passed" in done.stdout, done.stdout


def test_collecting_events_by_itself_changes_nothing_else(tmp_path: Path) -> None:
    """What is published stays published, so that running programs can be looked at; docs and docstring say so."""
    code = (
        "from tracker import event_bus, StepTracker\n"
        "from tracker.testing import capture_events\n"
        "with capture_events(), StepTracker('Work', display='quiet'): pass\n"
        "print(event_bus.publishes)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TRACKER_REDIS_URL": "redis://127.0.0.1:1/0"}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stdout == "True\n", done.stderr


def test_what_is_configured_inside_a_test_ends_with_it() -> None:
    """A redaction of one test must not change the texts of the next; where results are read is as before, too."""
    before = redact.line("ACME"), results._loader
    with isolated():
        configure(redact=lambda text: text.replace("ACME", "customer"))
        assert redact.line("ACME") == "customer"
    assert (redact.line("ACME"), results._loader) == before


def test_a_rule_set_before_a_test_holds_in_it_and_after_it() -> None:
    """Tests see what production sees."""
    configure(redact=lambda text: text.replace("ACME", "customer"))
    try:
        with isolated():
            assert redact.line("ACME") == "customer"
            configure(redact=str)
        assert redact.line("ACME") == "customer"
    finally:
        configure(redact=str)


def test_a_fake_clock_inside_itself_gives_the_real_one_back() -> None:
    """A helper may use the clock of its test; afterwards time passes again."""
    real = clock.now, clock.elapsed
    with FakeClock(1000.0) as fake:
        with fake:
            fake.advance(1)
        fake.advance(1)
        assert clock.now() == 1002.0
    assert (clock.now, clock.elapsed) == real


def test_a_step_may_be_given_as_any_pair() -> None:
    """Lists come out of JSON and YAML, where expectations may be kept."""
    with capture_events() as events, StepTracker("Work", display="quiet") as tracker:
        tracker.step("Read").complete()
    assert_steps(events, [["Read", "complete"]])  # type: ignore[list-item]


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
