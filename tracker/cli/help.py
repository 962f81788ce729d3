"""How ``--help`` looks. Loads rich-click, which takes as long as all that many a command does; nothing else does so.

rich-click draws commands of its own kind: each is drawn by a twin that has the same parameters and texts.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Mapping
from typing import Any

import click
from rich.text import Text
from rich_click import RichCommand, RichContext, RichGroup, RichHelpConfiguration, RichHelpFormatter

EVERYWHERE = ("--server", "--json", "--no-color", "--help")
"""Options that ``tracker --help`` explains once."""

BELOW = """\
Everywhere:
  --server URL  Ask this web server instead of Redis (also: TRACKER_SERVER).
  --json        One JSON object a line, nothing else on stdout.
  --no-color    No colours (also: NO_COLOR, TERM=dumb).

Exit codes: 0 complete, 1 error, 2 usage, 3 cancelled, 4 lost, 5 no connection,
6 not allowed."""


Sections = Mapping[str, Collection[str]]
"""Names of commands, by what they are for."""


def of_verb(command: click.Command, ctx: click.Context) -> str:
    """The help of a command."""
    return _drawn(VerbTwin(**_twin(command, ctx)), ctx.command_path)


def of_group(group: click.Group, ctx: click.Context, sections: Sections) -> str:
    """The help of a group, whose commands stand in sections."""
    found = {name: group.get_command(ctx, name) for name in group.list_commands(ctx)}
    commands = {name: command for name, command in found.items() if command is not None}
    return _drawn(GroupTwin(**_twin(group, ctx), commands=commands), ctx.command_path, sections)


class VerbTwin(RichCommand):
    """Names the options of all commands in one line, so that those of this command fit one screen."""

    def format_options(self, ctx: RichContext, formatter: RichHelpFormatter) -> None:  # type: ignore[override]
        shared = [param for param in self.params if set(param.opts) & set(EVERYWHERE)]
        self.params = [param for param in self.params if param not in shared]
        super().format_options(ctx, formatter)
        names = ", ".join(map(_shown, shared))
        formatter.write(Text(f"Everywhere: {names} (see `tracker --help`)"))


class GroupTwin(RichGroup):
    """Says below what holds for all commands."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write(Text(BELOW))  # type: ignore[arg-type]


def _twin(command: click.Command, ctx: click.Context) -> dict[str, Any]:
    return {
        "name": command.name,
        "help": command.help,
        "epilog": command.epilog,
        "params": command.get_params(ctx),
        "add_help_option": False,
    }


def _drawn(twin: RichCommand, path: str, sections: Sections | None = None) -> str:
    groups = [{"name": name, "commands": list(commands)} for name, commands in (sections or {}).items()]
    return twin.get_help(RichContext(twin, info_name=path, rich_help_config=_config({path: groups})))


def _config(groups: dict[str, Any]) -> RichHelpConfiguration:
    """Without frames, so that each fits one screen; plain where colour is not wanted."""
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb" or "--no-color" in sys.argv
    return RichHelpConfiguration(
        theme="default-slim",
        color_system=None if plain else "auto",
        command_groups=groups,
        options_table_help_sections=["help", "required", "default", "deprecated"],
        max_width=100,
        padding_epilog=0,
    )


def _shown(param: click.Parameter) -> str:
    return " ".join([*sorted(param.opts, key=len), *([param.metavar] if param.metavar else [])])
