"""The command line called from a program, as `celery -A app tracker …` does."""

from __future__ import annotations

import signal

import pytest

from tracker.cli import main

ENDING = (signal.SIGTERM, signal.SIGHUP)


def test_a_command_leaves_the_programs_signals_as_they_were(capsys: pytest.CaptureFixture[str]) -> None:
    """What would end the process unwinds a command only while one runs."""
    before = [signal.getsignal(number) for number in ENDING]
    assert main(["--version"]) == 0
    assert capsys.readouterr().out
    assert [signal.getsignal(number) for number in ENDING] == before
