"""A command whose ``--help`` is drawn by ``tracker.cli.help``, which is loaded when it is asked for."""

from __future__ import annotations

import click


class Verb(click.Command):
    """A command of ours."""

    def get_help(self, ctx: click.Context) -> str:
        from tracker.cli.help import of_verb

        return of_verb(self, ctx)
