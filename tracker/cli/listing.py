"""``tracker ls``: operations as a list, newest first."""

from __future__ import annotations

from itertools import islice

import click

from tracker.cli import exit_codes
from tracker.cli.filters import Filter, filter_options
from tracker.cli.options import output_options, source_option
from tracker.cli.output import Output
from tracker.cli.source import Source
from tracker.cli.verb import Verb
from tracker.model import Operation

LIMIT = 20


@click.command(cls=Verb)
@filter_options
@click.option(
    "--limit", type=click.IntRange(min=1), default=LIMIT, metavar="N", help=f"How many; {LIMIT} if not given."
)
@click.option("-q", "--quiet", is_flag=True, help="Print ids only.")
@source_option
@output_options
def ls(filter: Filter, limit: int, quiet: bool, source: Source, output: Output) -> int:
    """List operations, newest first.

    Only those that all filters find. In a pipe: id, status, age, duration, name, title.

    Example:  tracker ls --status error --since 2h
    """
    if output.terminal and not quiet:
        _as_table(filter, limit, source, output)
        return exit_codes.COMPLETE
    _tell_notices(source, output)
    for operation in islice(filter.read(source, min(limit, 200)), limit):
        if output.json:
            output.object(operation)
        else:
            output.line(operation.id if quiet else _row(operation))
    return exit_codes.COMPLETE


def _row(operation: Operation) -> str:
    from tracker.cli import tables

    return tables.plain_row(operation)


def _as_table(filter: Filter, limit: int, source: Source, output: Output) -> None:
    from tracker.cli import tables

    found = list(islice(filter.read(source, min(limit + 1, 200)), limit + 1))
    _tell_notices(source, output)
    tables.print_operations(found[:limit], output)
    if not found:
        output.note("no operations" if filter.is_empty else "no operations that fit; `tracker ls` lists all")
    if len(found) > limit:
        output.note(f"and more; see them with --limit {limit * 5}")


def _tell_notices(source: Source, output: Output) -> None:
    for notice in source.notices():
        output.note(notice)
