"""Drawing and leaving: what the first sketch of the tracker got wrong, by number; each docstring says what holds."""

# The blocks under test are what raises.
# ruff: noqa: PT012

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from io import StringIO
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from tests.support import wait_for
from tracker import StepTracker
from tracker.render.symbols import EMOJI, UNICODE
from tracker.testing import capture_events

ROOT = Path(__file__).parents[2]


def plain(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


def script(code: str, **environment: str) -> subprocess.Popen[str]:
    """A Python process running ``code``, with pipes."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("TRACKER_")}
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
        env=kept | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"} | environment,
    )  # fmt: skip


def test_09_output_grows_with_the_changes_and_not_with_their_square(capsys: pytest.CaptureFixture[str]) -> None:
    """Defect 9: three hundred steps are two lines each, a title and a summary."""
    with StepTracker("Many", display="plain") as tracker:
        for index in range(300):
            tracker.step(f"Step {index}")
    assert 600 <= len(plain(capsys)) <= 610


@pytest.mark.parametrize("name", ["deploy [prod]", "[/x]", "[bold]", "\x1b[31mred", "\x1b]0;title\x07x"])
def test_10_names_are_never_markup(name: str) -> None:
    """Defect 10: brackets are shown as they are, escape sequences are gone."""
    console = Console(file=StringIO(), width=100)
    with StepTracker(name, console=console) as tracker:
        tracker.step(name)
    assert isinstance(console.file, StringIO)
    text = console.file.getvalue()
    assert "\x1b" not in text
    assert tracker.steps[0].name in text
    if "\x1b" not in name:
        assert name in text


def test_11_a_closed_pipe_does_not_stop_the_work(tmp_path: Path) -> None:
    """Defect 11: `program | head` ends head only."""
    process = script(
        f"""
        import sys
        from tracker import StepTracker
        with StepTracker("Work") as tracker:
            tracker.step("One")
            sys.stdin.readline()
            tracker.step("Two")
        open({str(tmp_path / "done")!r}, "w").write(tracker.steps[-1].status)
        """
    )
    assert process.stderr is not None
    process.stderr.close()
    process.communicate()
    assert (tmp_path / "done").read_text() == "complete"


def test_12_an_encoding_without_the_symbols_gets_words_and_ascii() -> None:
    """Defect 12: cp1252 raises nothing."""
    process = script(
        """
        from tracker import StepTracker
        with StepTracker("Größe") as tracker:
            tracker.step("Läuft ✅")
        """,
        PYTHONIOENCODING="cp1252",
    )
    assert process.stderr is not None
    written = process.stderr.buffer.read().decode("cp1252")
    assert process.wait(30) == 0
    process.communicate()
    assert "[1] Läuft ? + complete" in written


def test_23_the_reason_is_in_the_last_panel(capsys: pytest.CaptureFixture[str]) -> None:
    """Defect 23: message and type of the error, with the place."""
    with (
        pytest.raises(ValueError, match="model_id"),
        StepTracker("Migrate", steps=["A", "B"], display="plain") as tracker,
    ):
        tracker.step("A")
        raise ValueError("Invalid field 'model_id'")
    lines = plain(capsys)
    assert "Failed at step 1/2: A" in lines
    assert "Error: Invalid field 'model_id' (ValueError)" in lines


def test_26_sigterm_ends_the_operation_as_cancelled_and_then_the_process() -> None:
    """Defect 26: a script says its last word; a killed worker is tests/worker's, by whom the operation becomes lost."""
    process = script("""
        import signal
        from tracker import StepTracker
        with StepTracker("Long", steps=["Wait", "Never"], display="json") as tracker:
            tracker.step("Wait")
            print("ready", flush=True)
            while True:
                signal.pause()
        """)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    _, written = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGTERM
    assert '"type":"operation.complete"' in written
    assert '"status":"cancelled"' in written.splitlines()[-1]


def test_26_a_handler_of_the_programs_own_is_left_alone() -> None:
    """Defect 26: who handles SIGTERM decides what it means."""
    process = script("""
        import signal, sys
        from tracker import StepTracker
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        with StepTracker("Long", display="json") as tracker:
            tracker.step("Wait")
            print("ready", flush=True)
            while True:
                signal.pause()
        """)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    _, written = process.communicate(timeout=30)
    assert process.returncode == 0
    assert '"status":"complete"' in written.splitlines()[-1]


def test_26_the_default_comes_back_with_the_end_of_the_block() -> None:
    """Defect 26: nothing of ours stays behind, in this process or in a forked child."""
    before = signal.getsignal(signal.SIGTERM)
    assert before is signal.SIG_DFL
    with StepTracker("Work", display="quiet"), StepTracker("Inner", display="quiet"):
        assert signal.getsignal(signal.SIGTERM) is not before
        reading, writing = os.pipe()
        pid = os.fork()
        if not pid:
            # A signal that comes before Python has settled after the fork is forgotten.
            os.write(writing, b"ready")
            signal.pause()
        assert os.read(reading, 5) == b"ready"
        os.kill(pid, signal.SIGTERM)
        assert wait_for(lambda: os.waitpid(pid, os.WNOHANG)[1]) == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is before


def test_33_symbols_are_single_code_points_of_known_width() -> None:
    """Defect 33: terminals and libraries agree on them."""
    assert all(len(mark) == 1 for mark in EMOJI.marks.values())
    assert all(cell_len(mark) == 1 for mark in UNICODE.marks.values())


def test_34_a_word_stands_beside_every_symbol(capsys: pytest.CaptureFixture[str]) -> None:
    """Defect 34: without colours and pictures the status is still there."""
    with StepTracker("Work", display="plain") as tracker:
        tracker.step("One").skip("not needed")
    assert any("skipped" in line and "\x1b" not in line for line in plain(capsys))


def test_37_events_are_out_before_anything_is_drawn() -> None:
    """Defect 37: a display that fails at once loses no event."""

    class Failing(StringIO):
        def write(self, text: str) -> int:
            raise OSError("no space left")

    with capture_events() as events, StepTracker("Work", console=Console(file=Failing())) as tracker:
        tracker.step("One")
    assert [event.type for event in events] == [
        "operation.start", "step.start", "step.complete", "operation.complete",
    ]  # fmt: skip


def test_40_secrets_are_masked_wherever_they_appear(capsys: pytest.CaptureFixture[str]) -> None:
    """Defect 40: in titles, names, details, lines and errors, in the display and in events alike."""
    secret = "redis://user:hunter2@cache"
    with (
        pytest.raises(ConnectionError),
        capture_events() as events,
        StepTracker(f"Connect {secret}", display="plain") as tracker,
        tracker.step(f"Try {secret}") as step,
    ):
        step.detail = f"token={'x' * 20}hunter2"
        step.log(secret)
        step.warn("Authorization: Bearer hunter2abc")
        raise ConnectionError(secret)
    assert "hunter2" not in repr([event.data for event in events])
    assert "hunter2" not in capsys.readouterr().err
