"""``tracker cancel``, ``resume`` and ``rerun``: what can be done to an operation."""

from __future__ import annotations

import sys

import rich_click as click

from tracker.cli import exit_codes
from tracker.cli.options import output_options, source_option
from tracker.cli.output import Output
from tracker.cli.queue import EXIT_STATUS, WAIT
from tracker.cli.source import Source
from tracker.cli.source.paging import find
from tracker.cli.watch import watch_one
from tracker.errors import TrackerError
from tracker.model import Status
from tracker.queued import Expected, told


@click.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID…")
@click.option("--terminate", is_flag=True, help="Also end the processes that run it; best effort.")
@click.option("--yes", is_flag=True, help="Do not ask before more than one is cancelled.")
@source_option
@output_options
def cancel(ids: tuple[str, ...], terminate: bool, yes: bool, source: Source, output: Output) -> int:
    """Cancel operations, with everything below them.

    What waits ends at once, what runs at its next call of the tracker.

    Example:  tracker cancel 01979f2b
    """
    from tracker.cli.entry import fail

    if len(ids) > 1 and not yes and sys.stdin.isatty():
        click.confirm(f"cancel {len(ids)} operations?", abort=True, err=True)
    code = exit_codes.COMPLETE
    for given in ids:
        try:
            id = find(source, given)
            source.cancel(id, terminate=terminate)
        except TrackerError as error:
            code = fail(str(error), exit_codes.of_error(error))
        else:
            _say_cancelled(source, id, output)
    return code


@click.command()
@click.argument("id")
@click.option("--force", is_flag=True, help="Also if the workers run another release by now.")
@WAIT
@EXIT_STATUS
@source_option
@output_options
def resume(id: str, force: bool, wait: bool, exit_status: bool, source: Source, output: Output) -> int:
    """Run an operation again, and reuse the results its steps have kept.

    Of a batch, the children that have failed, were cancelled or lost.

    Example:  tracker resume 01979f2b --wait
    """
    id = find(source, id)
    expected = source.resume(id, force=force)
    return _after(source, id, expected, output, wait=wait, exit_status=exit_status)


@click.command()
@click.argument("id")
@WAIT
@EXIT_STATUS
@source_option
@output_options
def rerun(id: str, wait: bool, exit_status: bool, source: Source, output: Output) -> int:
    """Run an operation again, from its beginning.

    Example:  tracker rerun 01979f2b --wait --exit-status
    """
    id = find(source, id)
    source.rerun(id)
    return _after(source, id, None, output, wait=wait, exit_status=exit_status)


def _say_cancelled(source: Source, id: str, output: Output) -> None:
    operation = source.operation(id)
    if output.json:
        output.object(operation)
    elif operation.status is Status.CANCELLED:
        output.line(f"cancelled {id}")
    else:
        output.line(f"asked {id} to end, with what is open below it")


def _after(source: Source, id: str, expected: Expected | None, output: Output, *, wait: bool, exit_status: bool) -> int:
    """Say what was queued, and wait for it if wanted."""
    if output.json and not wait:
        output.object(told(source.operation(id), expected))
        return exit_codes.COMPLETE
    output.say(f"queued {id} again" + (f": {expected.summary}" if expected is not None else ""))
    if not wait:
        return exit_codes.COMPLETE
    outcome = watch_one(source, id, output)
    return exit_codes.BY_STATUS[outcome.status] if exit_status else exit_codes.COMPLETE
