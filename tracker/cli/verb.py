"""A command as ``--help`` shows it: what is its own in full, what all commands take in one line below."""

from __future__ import annotations

import rich_click as click

EVERYWHERE = ("--server", "--json", "--no-color", "--help")
"""Options that ``tracker --help`` explains once."""


class Verb(click.RichCommand):
    """A command whose help names the options of all commands in one line, so that its own fit one screen."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from rich.text import Text

        shared = [param for param in self.get_params(ctx) if set(param.opts) & set(EVERYWHERE)]
        for param in shared:
            param.hidden = True  # type: ignore[attr-defined]
        try:
            super().format_options(ctx, formatter)  # type: ignore[arg-type]
        finally:
            for param in shared:
                param.hidden = False  # type: ignore[attr-defined]
        names = ", ".join(map(_shown, shared))
        formatter.write(Text(f"Everywhere: {names} (see `tracker --help`)"))  # type: ignore[arg-type]


def _shown(param: click.Parameter) -> str:
    return " ".join([*sorted(param.opts, key=len), *([param.metavar] if param.metavar else [])])
