"""Signals at any moment while a live region is up: the program dies of them, and the terminal is usable."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from tests.terminal.terminal import ROOT

PROGRAMS = {
    "fast steps": """
        from tracker import StepTracker
        with StepTracker("Main") as tracker:
            for _ in range(1_000_000):
                with tracker.step("s") as step:
                    step.log("x")
    """,
    "fast prints": """
        from tracker import StepTracker
        with StepTracker("Main") as tracker:
            tracker.step("s")
            while True:
                print("hello world")
    """,
    "a console of its own": """
        from rich.console import Console
        from tracker import StepTracker
        console = Console()
        with StepTracker("Main", console=console) as tracker:
            tracker.step("s")
            while True:
                console.print("[red]hello[/] world")
    """,
    "prints of many threads": """
        import threading
        from tracker import StepTracker
        def work():
            while True:
                print("of a thread")
        with StepTracker("Main") as tracker:
            for _ in range(3):
                threading.Thread(target=work, daemon=True).start()
            for _ in range(100_000):
                with StepTracker("Inner") as inner, inner.step("s"):
                    print("x", end="")
    """,
}


def killed_after(code: str, number: int, many: int) -> tuple[int, bytes, float]:
    """Exit code, what was written, and seconds until death, when the signal comes once so many bytes are out.

    The terminal takes little at a time, so that the program mostly waits for it.
    """
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdin=theirs, stdout=theirs, stderr=theirs,
        start_new_session=True, env=os.environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm-256color"},
    )  # fmt: skip
    os.close(theirs)
    written, sent = bytearray(), 0.0
    try:
        while piece := os.read(ours, 512):
            written += piece
            if not sent and b"Main" in written and len(written) > many:
                sent = time.monotonic()
                process.send_signal(number)
    except OSError:
        process.wait(20)  # Linux says so when the other side is closed.
    finally:
        # Whatever went wrong: such a program would fill the memory.
        process.kill()
        os.close(ours)
    return process.wait(), bytes(written), time.monotonic() - sent


@pytest.mark.parametrize(
    ("program", "number"),
    [*((program, signal.SIGTERM) for program in PROGRAMS), ("fast prints", signal.SIGINT)],
)
def test_a_signal_at_any_moment_ends_the_program_with_its_picture(program: str, number: signal.Signals) -> None:
    """Whatever lock is held then, and by whom: nobody waits for ever, and the terminal is left as it was."""
    for many in (300, 700, 1_500, 2_500):
        code, written, taken = killed_after(PROGRAMS[program], number, many)
        assert code == -number
        assert taken < 10
        assert b"Cancelled" in written
        assert b"\x1b[?25l" not in written
        assert written.rindex(b"\x1b[?7h") > written.rindex(b"\x1b[?7l")
