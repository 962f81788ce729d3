"""The command ``tracker`` and the table of its sub-commands, each imported when it is called for."""

from __future__ import annotations

import importlib
import os
import sys

import rich_click as click
from rich_click import RichHelpConfiguration

from tracker.cli.closest import did_you_mean
from tracker.version import __version__

GROUPS = {
    "Watch and look": {
        "watch": "tracker.cli.watch:watch",
        "ls": "tracker.cli.listing:ls",
        "show": "tracker.cli.read:show",
        "logs": "tracker.cli.logs:logs",
        "workers": "tracker.cli.workers:workers",
        "stats": "tracker.cli.stats:stats",
        "jobs": "tracker.cli.read:jobs",
        "export": "tracker.cli.export:export",
    },
    "Queue and act": {
        "submit": "tracker.cli.queue:submit",
        "batch": "tracker.cli.queue:batch",
        "cancel": "tracker.cli.act:cancel",
        "resume": "tracker.cli.again:resume",
        "rerun": "tracker.cli.again:rerun",
    },
    "Run": {
        "demo": "tracker.cli.demo:demo",
        "up": "tracker.cli.up:up",
        "worker": "tracker.cli.serve:worker",
        "web": "tracker.cli.serve:web",
        "recorder": "tracker.cli.serve:recorder",
    },
    "Set up and mend": {
        "doctor": "tracker.cli.doctor:doctor",
        "completion": "tracker.cli.completion:completion",
    },
}
"""Every sub-command and where it is, by what it is for, in the order of ``--help``."""

COMMANDS = {name: place for group in GROUPS.values() for name, place in group.items()}


def help_config() -> RichHelpConfiguration:
    """How ``--help`` looks: without frames, so that each fits one screen; plain where colour is not wanted."""
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb" or "--no-color" in sys.argv
    return RichHelpConfiguration(
        theme="default-slim",
        color_system=None if plain else "auto",
        command_groups={"tracker": [{"name": name, "commands": list(group)} for name, group in GROUPS.items()]},
        options_table_help_sections=["help", "required", "default", "deprecated"],
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

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise click.UsageError(f"There is no command {args[0]!r}.{did_you_mean(args[0], COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from rich.text import Text

        formatter.write(Text(BELOW))  # type: ignore[arg-type]


BELOW = """\
Everywhere:
  --server URL  Ask this web server instead of Redis (also: TRACKER_SERVER).
  --json        One JSON object a line, nothing else on stdout.
  --no-color    No colours (also: NO_COLOR, TERM=dumb).

Exit codes: 0 complete, 1 error, 2 usage, 3 cancelled, 4 lost, 5 no connection,
6 not allowed."""


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "rich_help_config": help_config()},
)
@click.version_option(__version__, message="%(version)s")
def tracker() -> None:
    """See into running work, step by step and live. Example: `tracker demo`"""
