"""Where no terminal is: nothing is silent, and programs can read what is written."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.support import wait_for
from tracker import StepTracker
from tracker.display import lines
from tracker.model import LiveEvent
from tracker.testing import FakeClock

ROOT = Path(__file__).parents[2]


def stderr_of(code: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)], capture_output=True, text=True,
        encoding="utf-8", env={"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_json_lines_are_the_events_that_watchers_get() -> None:
    """One object a line on stderr, stdout left to the program."""
    written = stderr_of("""
        from tracker import StepTracker
        with StepTracker("Outer", display="json") as outer, outer.step("Import") as step:
            step.log("a line")
            with StepTracker("Inner"):
                pass
    """)
    import msgspec

    events = [msgspec.json.decode(line, type=LiveEvent) for line in written]
    assert [(event.type, event.operation.title) for event in events] == [
        ("operation.start", "Outer"), ("step.start", "Outer"), ("step.log", "Outer"), ("operation.start", "Inner"),
        ("operation.complete", "Inner"), ("step.complete", "Outer"), ("operation.complete", "Outer"),
    ]  # fmt: skip
    assert events[2].log is not None
    assert events[2].log.text == "a line"
    assert events[3].operation.parent == events[0].operation.id
    assert json.loads(written[-1])["operation"]["status"] == "complete"


def test_a_long_step_says_now_and_then_that_it_is_still_running(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its progress; once more when it is over its time; not while the program asks something."""
    monkeypatch.setattr(lines, "LOOK_EVERY", 0.001)
    written = ""

    def said(text: str) -> bool:
        nonlocal written
        written += capsys.readouterr().err
        return text in written

    with (
        FakeClock() as clock,
        StepTracker("Work", steps=["Wait", "Next"], display="plain") as tracker,
        tracker.step("Wait", warn_after=10) as step,
    ):
        step.set_total(5000)
        step.advance(1200)
        clock.advance(11)
        wait_for(lambda: said("[1/2] Wait ⏳ still running 11.0s, over 10.0s 1,200/5,000"))
        clock.advance(30)
        wait_for(lambda: said("still running 41.0s"))
        with tracker.prompting():
            clock.advance(60)
            assert not said("still running 1m 41s")
        wait_for(lambda: said("still running 1m 41s"))
    assert written.count("still running") == 3


def test_lines_and_warnings_appear_under_their_step(capsys: pytest.CaptureFixture[str]) -> None:
    """Indented with nested operations."""
    with (
        StepTracker("Outer", display="plain") as outer,
        outer.step("Import"),
        StepTracker("Inner") as inner,
        inner.step("Parse") as step,
    ):
        step.log("one\ntwo")
        step.warn("odd")
    written = capsys.readouterr().err.splitlines()
    assert written[3:7] == ["  Inner [1] Parse ⏳ running…", "    │ one", "    │ two", "    │ warning: odd"]


def test_nested_runs_are_named_in_their_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """Several may run at once; the outermost one alone needs no name."""
    with StepTracker("Outer", steps=["Get"], display="plain") as outer:
        outer.step("Get")
        for number in range(2):
            with StepTracker(f"Download {number}", steps=["get"]) as inner:
                inner.step("get")
    written = re.sub(r" \d+\.\ds", "", capsys.readouterr().err).splitlines()
    for number in range(2):
        assert f"  Download {number} [1/1] get ✅ complete" in written
        assert f"  ✅ Download {number} complete" in written
    assert "[1/1] Get ✅ complete" in written


def test_a_step_that_says_something_is_not_said_to_be_running(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The heartbeat is for silent steps."""
    monkeypatch.setattr(lines, "LOOK_EVERY", 0.001)
    written: list[str] = []

    def said() -> str:
        written.append(capsys.readouterr().err)
        return "".join(written)

    with FakeClock() as clock, StepTracker("Work", display="plain") as tracker:
        step, silent = tracker.step("Talk").__enter__(), tracker.step("Silent").__enter__()
        clock.advance(29)
        step.log("a line")
        clock.advance(2)
        wait_for(lambda: "Silent ⏳ still running" in said())
        step.complete()
        silent.complete()
    assert "Talk ⏳ still running" not in said()


def test_nothing_of_the_display_stays_behind() -> None:
    """Neither a thread nor an open region: the process ends at once."""
    written = stderr_of("""
        import threading
        from tracker import StepTracker
        with StepTracker("Work", display="plain"):
            pass
        for thread in threading.enumerate():
            if thread.name.startswith("tracker"):
                thread.join(10)
                assert not thread.is_alive()
    """)
    assert written[0] == "Work"
