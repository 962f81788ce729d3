"""``--help`` of every command."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Run
from tracker.cli.commands import COMMANDS


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_fits_one_screen_and_shows_an_example(tracker: Run, command: str) -> None:
    """24 lines of 80 columns, the shell's next prompt included; but for the list of commands, one a line."""
    asked = tracker(*command.split(), "--help", terminal=(80, 24))
    assert asked.code() == 0
    lines = asked.text.splitlines()
    assert len(lines) <= (23 if command else len(COMMANDS) + 11)
    assert max(map(len, lines)) <= 80
    assert "Example:" in asked.text
