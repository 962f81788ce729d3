"""The display in the tracked process: pipes, terminals, poor encodings, and failures that must not hurt the work."""

# The blocks under test are what raises.
# ruff: noqa: PT012

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import textwrap
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from tests.terminal.terminal import DROPPED
from tracker import StepTracker, TrackerError
from tracker.context import inside
from tracker.run import RunWriter

ROOT = Path(__file__).parents[2]

PROGRAM = """
from tracker import StepTracker
with StepTracker("Setting up telemetry", steps=["Install", "Configure", "Never"]) as tracker:
    tracker.step("Install")
    tracker.complete("2 packages")
    with tracker.step("Configure") as step:
        for row in step.track(range(3), unit="rows"):
            print("printed", row, flush=True)
open(%r, "w").write("done")
"""


def environment(**more: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith((*DROPPED, "FORCE_"))}
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"} | more


def python(code: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        capture_output=True, text=True, encoding="utf-8", env=environment(), timeout=60, check=False, **options,
    )  # fmt: skip


def in_terminal(code: str, rows: int = 24, columns: int = 80, **more: str) -> str:
    """What the program writes when stdin, stdout and stderr are a terminal of this size."""
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        stdin=theirs, stdout=theirs, stderr=theirs, env=environment(TERM="xterm-256color") | more,
    )  # fmt: skip
    os.close(theirs)
    written = bytearray()
    try:
        while piece := os.read(ours, 65536):
            written += piece
    except OSError:
        pass  # Linux says so when the other side is closed.
    os.close(ours)
    assert process.wait(20) == 0
    return written.decode()


def test_a_pipe_gets_one_line_per_transition_and_the_outcome(tmp_path: Path) -> None:
    """Nothing is silent in a pipe; stdout stays free for the program itself."""
    done = python(PROGRAM % str(tmp_path / "done"))
    assert done.stdout == "printed 0\nprinted 1\nprinted 2\n"
    lines = done.stderr.splitlines()
    assert lines[:2] == ["Setting up telemetry", "[1/3] Install ⏳ running…"]
    assert lines[2].startswith("[1/3] Install ✅ complete 0.")
    assert lines[2].endswith("(2 packages)")
    assert lines[4].startswith("[2/3] Configure ✅ complete")
    assert lines[4].endswith("3/3 rows")
    assert lines[5:7] == ["✅ Operation Complete", "Completed 2/3 steps"]
    assert "\x1b" not in done.stderr


@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_a_closed_pipe_does_not_stop_the_work(tmp_path: Path, closed: str) -> None:
    """`program | head` ends head, not the program's work."""
    reading, writing = os.pipe()
    os.close(reading)
    code = """
        import sys
        from rich.console import Console
        from tracker import StepTracker
        console = Console() if sys.argv[1] == "stdout" else None
        with StepTracker("Work", console=console) as tracker:
            for index in range(100):
                tracker.step(f"Step {index}")
        open(sys.argv[2], "w").write(tracker.steps[-1].status)
    """
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), closed, str(tmp_path / "done")],
        env=environment(), timeout=60, check=False, **{closed: writing},  # type: ignore[call-overload]
    )  # fmt: skip
    os.close(writing)
    assert (tmp_path / "done").read_text() == "complete"


@pytest.mark.parametrize("stream", [None, "closed"])
def test_a_missing_or_closed_stderr_is_no_problem(monkeypatch: pytest.MonkeyPatch, stream: str | None) -> None:
    """Programs without a console have none; others close it."""
    closed = StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed if stream else None)
    with StepTracker("Work") as tracker:
        tracker.step("Step")
    assert tracker.steps[0].status == "complete"


def test_an_encoding_that_cannot_hold_the_symbols_gets_ascii() -> None:
    """On cp1252 there are words and plain marks, and names lose what cannot be written."""
    raw = io.BytesIO()
    console = Console(file=io.TextIOWrapper(raw, encoding="cp1252"), width=100)
    with StepTracker("Grüße 你好", console=console) as tracker:
        tracker.step("Läuft ✅")
    console.file.flush()
    text = raw.getvalue().decode("cp1252")
    assert "Grüße ??" in text
    assert "[1] Läuft ? + complete" in text
    assert "+ Operation Complete" in text


def test_a_given_console_gets_lines_and_the_last_panel() -> None:
    """A console that is no terminal is written to line by line; the sentences of the panel are there."""
    console = Console(file=StringIO(), width=100)
    with (
        pytest.raises(ValueError, match="model_id"),
        StepTracker("Migrate", console=console, steps=["A", "B", "Transforming schema", "D", "E"]) as tracker,
    ):
        tracker.step("A")
        tracker.step("B")
        tracker.step("Transforming schema")
        raise ValueError("Invalid field 'model_id'")
    file = console.file
    assert isinstance(file, StringIO)
    for sentence in (
        "❌ Operation Failed",
        "Failed at step 3/5: Transforming schema",
        "Completed 2/5 steps",
        "model_id",
    ):
        assert sentence in file.getvalue()


def test_a_recording_console_records() -> None:
    """What is drawn goes through the console, not around it."""
    console = Console(file=StringIO(), record=True, width=80)
    with StepTracker("Work [/bold]", console=console) as tracker:
        tracker.step("[red]Step")
    text = console.export_text()
    assert "Work [/bold]" in text
    assert "[1] [red]Step ✅ complete" in text
    assert "Operation Complete" in text


def test_a_console_that_fails_is_left_alone() -> None:
    """Whatever a console raises, also SystemExit, the work goes on without display."""

    class Failing(StringIO):
        writes = 0

        def write(self, text: str) -> int:
            Failing.writes += 1
            if Failing.writes == 1:
                return len(text)
            raise BrokenPipeError

    saved = os.dup(1)
    try:
        with StepTracker("Work", console=Console(file=Failing())) as tracker:
            tracker.step("One")
            tracker.step("Two")
    finally:
        os.dup2(saved, 1)  # Rich points stdout to nowhere when a pipe is broken.
        os.close(saved)
    assert [step.status for step in tracker.steps] == ["complete", "complete"]
    assert Failing.writes == 2


def test_a_nested_tracker_is_indented_and_one_panel_tells_the_failure(capsys: pytest.CaptureFixture[str]) -> None:
    """Inner operations appear inside the outer one; there is one summary."""
    with pytest.raises(ValueError, match="deep"), StepTracker("Outer") as outer:
        outer.step("Import")
        with StepTracker("Inner") as inner:
            inner.step("Parse")
            raise ValueError("deep")
    lines = capsys.readouterr().err.splitlines()
    assert "  Inner" in lines
    assert "  Inner [1] Parse ⏳ running…" in lines
    assert [line for line in lines if line.startswith("❌")] == ["❌ Operation Failed"]
    assert [line for line in lines if line.startswith("Failed at")] == ["Failed at step 1: Import"]


def test_a_job_is_quiet_unless_asked(capsys: pytest.CaptureFixture[str]) -> None:
    """Inside a job neither the adopted block nor its children draw; display="plain" does."""
    run = RunWriter(name="job", title="job", adoptable=True, emits=True)
    with inside(run), StepTracker("Adopted") as tracker:
        tracker.step("Step")
        with StepTracker("Child") as child:
            child.step("Step")
        assert capsys.readouterr().err == ""
        with StepTracker("Loud", display="plain"):
            pass
    assert "Loud" in capsys.readouterr().err


def test_quiet_draws_nothing_and_loads_no_rich() -> None:
    """The worker's side needs no Rich; plain lines need none either."""
    done = python("""
        import sys
        from tracker import StepTracker
        for display in ("quiet", "plain"):
            with StepTracker("Work", display=display) as tracker:
                tracker.step("Step")
        print("rich" in sys.modules)
    """)
    assert done.stdout == "False\n"
    assert done.stderr.count("Operation Complete") == 1


def test_importing_the_package_loads_nothing_heavy() -> None:
    """Neither redis, celery, rich, flask, click nor asyncio is loaded by `import tracker`."""
    done = python("""
        import sys, tracker
        print([name for name in "asyncio celery click flask redis rich sqlite3".split() if name in sys.modules])
        print(tracker.__all__ == sorted(tracker.__all__), all(hasattr(tracker, name) for name in tracker.__all__))
    """)
    assert (done.stdout, done.stderr) == ("[]\nTrue True\n", "")


def test_a_terminal_gets_one_live_region_and_prints_appear_above_it(tmp_path: Path) -> None:
    """The region is redrawn in place and stays; the program's own output is not damaged."""
    written = in_terminal(PROGRAM % str(tmp_path / "done"))
    assert "printed 2" in written
    last = written[written.rindex("Setting up telemetry") :]
    for piece in ("[1/3]", "✅ complete", "2 packages", "3/3 rows", "not run", "✅ Operation Complete"):
        assert piece in last
    assert "\x1b[?25l" not in written  # The cursor is never hidden: whatever kills the program, it is there.
    assert (tmp_path / "done").exists()


def test_output_sent_to_a_file_stays_out_of_the_terminal(tmp_path: Path) -> None:
    """`program > out` in a terminal: the file gets the output, the terminal the display."""
    written = in_terminal(
        f"""
        import sys
        from tracker import StepTracker
        sys.stdout = open({str(tmp_path / "out")!r}, "w")
        with StepTracker("Work") as tracker:
            tracker.step("Step")
            print("a result")
        sys.stdout.close()
        sys.stdout = sys.__stdout__
        """
    )
    assert (tmp_path / "out").read_text() == "a result\n"
    assert "a result" not in written
    assert "Operation Complete" in written


def test_a_terminal_of_few_lines_shows_three_hundred_steps_in_bounds() -> None:
    """The region never grows beyond the terminal, so redrawing never repeats it."""
    written = in_terminal(
        """
        from tracker import StepTracker
        with StepTracker("Many", steps=[f"File {index}" for index in range(300)]) as tracker:
            for index in range(300):
                tracker.step(f"File {index}")
        """,
        rows=12,
        columns=60,
    )
    last = written[written.rindex("Many") :]
    assert " more, all complete" in last
    assert "All 300 steps completed" in last
    assert last.count("\n") <= 16


def test_trackers_side_by_side_share_the_terminal() -> None:
    """Two threads with a tracker each make one region; both outcomes stay on the screen."""
    written = in_terminal("""
        import threading
        from tracker import StepTracker
        both = threading.Barrier(2)
        def work(title):
            with StepTracker(title) as tracker:
                tracker.step("Step of " + title)
                both.wait(20)
        threads = [threading.Thread(target=work, args=(title,)) for title in ("Alpha", "Beta")]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
    """)
    assert written.count("All 1 steps") + written.count("The one step") >= 2
    assert "Exception" not in written


def test_a_dumb_terminal_gets_lines() -> None:
    """TERM=dumb cannot move a cursor."""
    code = """
        from tracker import StepTracker
        with StepTracker("Work") as tracker:
            tracker.step("Step")
    """
    assert "\x1b" not in in_terminal(code, TERM="dumb")


def test_the_file_example_shows_a_step_per_file(tmp_path: Path) -> None:
    """The example counts real files and names the one that is no text."""
    for index in range(1, 5):
        (tmp_path / f"file{index}.txt").write_text("two words\n" * index)
    paths = [str(path) for path in sorted(tmp_path.glob("*.txt"))]
    example = str(ROOT / "examples" / "process_files.py")
    done = subprocess.run(
        [sys.executable, example, *paths],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=environment(),
        check=False,
    )
    assert done.returncode == 0
    assert "[4/4] Processing file4.txt ✅ complete" in done.stderr
    assert "4 lines, 8 words, sha256" in done.stderr
    (tmp_path / "file2.txt").write_bytes(b"\xff\xfe\x00")
    failed = subprocess.run(
        [sys.executable, example, *paths],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=environment(),
        check=False,
    )
    assert failed.returncode == 1
    assert "Failed at step 2/4: Processing file2.txt" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_the_quick_start_runs_without_configuration() -> None:
    """No Redis, no settings: it works and shows itself."""
    example = str(ROOT / "examples" / "quickstart.py")
    done = subprocess.run(
        [sys.executable, example], capture_output=True, text=True, encoding="utf-8", env=environment(), check=False
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert "All 3 steps completed" in done.stderr


def test_the_docstrings_examples_are_true() -> None:
    """What the documentation shows is what happens."""
    import doctest

    import tracker.bus
    import tracker.config
    import tracker.redact
    import tracker.render.texts
    import tracker.secret_names
    import tracker.secret_shapes
    import tracker.settings
    import tracker.step
    import tracker.step_tracker
    import tracker.testing

    for module in (
        tracker.bus, tracker.config, tracker.redact, tracker.render.texts, tracker.secret_names, tracker.secret_shapes,
        tracker.settings, tracker.step, tracker.step_tracker,
        tracker.testing,
    ):  # fmt: skip
        assert doctest.testmod(module).failed == 0


def test_colours_that_are_asked_for_make_no_terminal_of_a_pipe() -> None:
    """FORCE_COLOR is about colours: in a file nothing is drawn over."""
    code = """
        from rich.console import Console
        from tracker import StepTracker
        with StepTracker("Work", console=Console()) as tracker:
            tracker.step("Step")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True, text=True, encoding="utf-8", env=environment(FORCE_COLOR="1"), check=True,
    )  # fmt: skip
    assert "[1] Step" in re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
    assert not re.search(r"\x1b\[[0-9;?]*[A-Za-ln-z]", done.stdout)


def test_live_without_a_terminal_falls_back_to_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """Asking for a live region in a pipe still tells what happens."""
    with StepTracker("Work", display="live") as tracker:
        tracker.step("Step")
    assert "[1] Step" in capsys.readouterr().err
    with pytest.raises(TrackerError):
        StepTracker("Work", display="color")
