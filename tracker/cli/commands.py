"""The command ``tracker`` and the table of its sub-commands, each imported when it is called for."""

from __future__ import annotations

import importlib
import os
import sys

import rich_click as click
from rich_click import RichHelpConfiguration

from tracker.version import __version__

COMMANDS = {
    "watch": "tracker.cli.watch:watch",
    "ls": "tracker.cli.read:ls",
    "show": "tracker.cli.read:show",
    "jobs": "tracker.cli.read:jobs",
    "submit": "tracker.cli.queue:submit",
    "batch": "tracker.cli.queue:batch",
    "cancel": "tracker.cli.act:cancel",
    "resume": "tracker.cli.act:resume",
    "rerun": "tracker.cli.act:rerun",
    "up": "tracker.cli.up:up",
    "demo": "tracker.cli.demo:demo",
    "worker": "tracker.cli.serve:worker",
    "web": "tracker.cli.serve:web",
    "recorder": "tracker.cli.serve:recorder",
    "doctor": "tracker.cli.doctor:doctor",
}
"""Name of every sub-command, in the order of ``--help``, and where it is."""


def help_config() -> RichHelpConfiguration:
    """How ``--help`` looks: without frames, so that each fits one screen; plain where colour is not wanted."""
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb" or "--no-color" in sys.argv
    return RichHelpConfiguration(
        theme="default-slim",
        color_system=None if plain else "auto",
        show_arguments=True,
        group_arguments_options=True,
        max_width=100,
        padding_epilog=0,
    )


class LazyGroup(click.RichGroup):
    """A group whose commands are imported by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "rich_help_config": help_config()},
    epilog="Exit codes: 0 complete, 1 error, 2 usage, 3 cancelled, 4 lost, 5 no connection, 6 not allowed.",
)
@click.version_option(__version__, message="%(version)s")
def tracker() -> None:
    """See into running work, step by step and live. Example: `tracker demo`"""
