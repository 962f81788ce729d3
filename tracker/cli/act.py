"""``tracker cancel``: ask operations to end."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from tracker.cli import exit_codes
from tracker.cli.asking import YES, ask
from tracker.cli.completion import OPEN
from tracker.cli.filters import Filter, few_filter_options
from tracker.cli.options import output_options, source_option
from tracker.cli.output import Output
from tracker.cli.source import Source
from tracker.cli.source.paging import find
from tracker.cli.verb import Verb
from tracker.errors import AlreadyEnded, NotFound, StoreUnavailable, TrackerError
from tracker.model import ENDED, Operation, Status


@click.command(cls=Verb)
@click.argument("ids", nargs=-1, metavar="ID…", shell_complete=OPEN)
@few_filter_options
@click.option("--terminate", is_flag=True, help="Also end the processes that run it; best effort.")
@YES
@source_option
@output_options
def cancel(ids: tuple[str, ...], filter: Filter, terminate: bool, yes: bool, source: Source, output: Output) -> int:
    """Cancel operations, with everything below them.

    Those named, or all open ones that the filters find. What waits ends at once, what runs at its next call of the
    tracker. It asks before it cancels more than one, and before --terminate.

    Example:  tracker cancel --name files.process --status queued
    """
    meant, code = _meant(source, ids, filter)
    if not yes and (len(meant) > 1 or (terminate and meant and sys.stdin.isatty())):
        ask(_question(len(meant), terminate), meant, output)
    for operation in meant:
        code = _cancel(source, operation.id, terminate, output) or code
    if not ids and not meant:
        output.note("no open operations that fit")
    return code


def _question(count: int, terminate: bool) -> str:
    what, it = (f"{count} operations", "them") if count > 1 else ("1 operation", "it")
    return f"cancel {what}{f' and end the processes that run {it}' if terminate else ''}?"


def _meant(source: Source, ids: Sequence[str], filter: Filter) -> tuple[list[Operation], int]:
    """What is to be cancelled, and the exit code of what could not be found."""
    from tracker.cli.entry import fail

    if bool(ids) is not filter.is_empty:
        raise click.UsageError("say which operations: either ID…, or --status, --name or --label")
    if not ids:
        return list(_of_open_ones(filter).read(source)), exit_codes.COMPLETE
    found: dict[str, Operation] = {}
    code = exit_codes.COMPLETE
    for given in ids:
        try:
            id = find(source, given)
            found[id] = source.operation(id)
        except StoreUnavailable:
            raise
        except TrackerError as error:
            code = fail(str(error), exit_codes.of_error(error))
    return list(found.values()), code


def _of_open_ones(filter: Filter) -> Filter:
    if ended := ENDED & set(filter.statuses):
        raise click.UsageError(f"what is {min(ended)} has ended; only queued and running operations can be cancelled")
    return filter._replace(statuses=filter.statuses or (Status.QUEUED.value, Status.RUNNING.value))


def _cancel(source: Source, id: str, terminate: bool, output: Output) -> int:
    from tracker.cli.entry import fail

    try:
        source.cancel(id, terminate=terminate)
        operation = source.operation(id)
    except (AlreadyEnded, NotFound) as error:
        return fail(str(error), exit_codes.of_error(error))
    if output.json:
        output.object(operation)
    elif operation.status is Status.CANCELLED:
        output.line(f"cancelled {id}")
    else:
        output.line(f"asked {id} to end, with what is open below it")
    return exit_codes.COMPLETE
