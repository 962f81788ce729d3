"""``--help`` of every command."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Run
from tracker.cli.commands import COMMANDS, GROUPS


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_fits_one_screen_and_shows_an_example(tracker: Run, command: str) -> None:
    """24 lines of 80 columns, the shell's next prompt included; but for the list of commands, one a line."""
    asked = tracker(*command.split(), "--help", terminal=(80, 24))
    assert asked.code() == 0
    lines = asked.text.splitlines()
    assert len(lines) <= (23 if command else len(COMMANDS) + 2 * len(GROUPS) + 15)
    assert max(map(len, lines)) <= 80
    assert "Example:" in asked.text


def test_a_mistyped_word_says_which_was_meant(tracker: Run) -> None:
    """Commands and options alike, in one line that names the help."""
    command, option = tracker("wacht"), tracker("ls", "--limt", "3")
    assert (command.code(), option.code()) == (2, 2)
    assert command.err == "tracker: There is no command 'wacht'. Did you mean watch or batch? See `tracker --help`\n"
    assert "--limit" in option.err
    assert option.err.endswith("See `tracker ls --help`\n")


def test_alone_it_lists_the_commands_by_what_they_are_for(tracker: Run) -> None:
    """So that somebody new finds the first two."""
    alone = tracker(terminal=(80, 60))
    alone.code()
    lines = [line.rstrip() for line in alone.text.splitlines()]
    assert [line for line in lines if line.rstrip(":") in GROUPS] == [f"{name}:" for name in GROUPS]
    assert all(any(line.startswith(f"  {name} ") for line in lines) for name in COMMANDS)
