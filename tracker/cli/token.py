"""``tracker token``: makes a token with which somebody may use the web server."""

from __future__ import annotations

import re

import click

from tracker.cli import exit_codes
from tracker.cli.options import output_options
from tracker.cli.output import Output
from tracker.cli.verb import Verb
from tracker.errors import SettingsError
from tracker.settings import Settings
from tracker.tokens import NAME, VARIABLE, Role, add

ROLES = [role.value for role in Role]


@click.command(cls=Verb)
@click.argument("name", metavar="NAME")
@click.option("--role", type=click.Choice(ROLES), default=ROLES[0], show_default=True, help="What it allows.")
@click.option("--days", type=click.IntRange(1), metavar="N", help="How long it is good; else until its line goes.")
@output_options
def token(name: str, role: str, days: int | None, output: Output) -> int:
    """Make a token that lets NAME use the web server.

    Prints it once, and keeps what proves it in the file that TRACKER_TOKENS_FILE names. A viewer looks; an operator
    also queues, cancels, resumes and erases. To take one back, remove its line.

    Example:  tracker token ada --role operator
    """
    path = Settings.from_env().tokens_file
    if path is None:
        raise SettingsError(f"{VARIABLE} is not set; set it, here and for `tracker web`, to the file of tokens")
    if not re.fullmatch(NAME, name):
        raise click.UsageError(f"{name!r} is no name; use 1 to 64 letters, digits and . _ @ : -")
    made, holder = add(path, name, Role(role), days)
    if output.json:
        output.object({"name": name, "role": role, "token": made, "until": holder.until})
    else:
        output.note(f"the token of {name}, {role}; it is shown only now, as {path} keeps nothing but its digest:")
        output.line(made)
    return exit_codes.COMPLETE
