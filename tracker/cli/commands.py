"""The command ``tracker`` and the table of its sub-commands, each imported when it is called for."""

from __future__ import annotations

import importlib

import click

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
        "erase": "tracker.cli.erase:erase",
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
        "token": "tracker.cli.token:token",
        "completion": "tracker.cli.completion:completion",
    },
}
"""Every sub-command and where it is, by what it is for, in the order of ``--help``."""

COMMANDS = {name: place for group in GROUPS.values() for name, place in group.items()}


class LazyGroup(click.Group):
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

    def get_help(self, ctx: click.Context) -> str:
        from tracker.cli.help import of_group

        return of_group(self, ctx, GROUPS)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(version)s")
def tracker() -> None:
    """See into running work, step by step and live. Example: `tracker demo`"""
