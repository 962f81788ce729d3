"""``celery -A yourapp tracker …``: the command line, with the settings of that app."""

from __future__ import annotations

import os
import sys

import click

ELSEWHERE = {
    "worker": "start it with `celery -A yourapp worker`",
    "up": "it runs a system of its own; use `tracker up`",
    "demo": "it runs a system of its own; use `tracker demo`",
}
"""Commands that have nothing to do with anybody's app, and what to do instead."""


@click.command(context_settings={"ignore_unknown_options": True}, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def tracker(ctx: click.Context, arguments: tuple[str, ...]) -> None:
    """See into the tasks of this app: ls, watch, show, web, doctor and more; --help lists them."""
    # Loaded when it is asked for: Celery loads this module for every command of its own.
    from tracker.celery.conf import variables
    from tracker.cli import exit_codes, main
    from tracker.cli.entry import fail
    from tracker.errors import SettingsError

    if arguments and arguments[0] in ELSEWHERE:
        sys.exit(fail(f"{arguments[0]} is not for an app; {ELSEWHERE[arguments[0]]}", exit_codes.USAGE))
    try:
        for name, value in variables(ctx.obj.app).items():
            os.environ.setdefault(name, value)
    except SettingsError as error:
        sys.exit(fail(str(error), exit_codes.of_error(error)))
    sys.exit(main(arguments))
