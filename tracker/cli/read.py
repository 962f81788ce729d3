"""``tracker ls``, ``show`` and ``jobs``: what is stored, read once."""

from __future__ import annotations

import rich_click as click

from tracker.cli import exit_codes
from tracker.cli.options import output_options, source_option
from tracker.cli.output import Output
from tracker.cli.source import Source, Wanted
from tracker.cli.source.paging import find
from tracker.errors import NotFound
from tracker.model import Operation, Status


@click.command()
@click.option(
    "--status",
    type=click.Choice([status.value for status in Status]),
    metavar="STATUS",
    help="Only those with this status.",
)
@click.option("--name", metavar="NAME", help="Only those of this name, such as files.process.")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=20, show_default=True, metavar="N", help="How many at most."
)
@source_option
@output_options
def ls(status: str | None, name: str | None, limit: int, source: Source, output: Output) -> int:
    """List operations, newest first.

    In a pipe: plain columns with the whole ids, separated by tabs.

    Example:  tracker ls --status error --limit 5
    """
    from tracker.cli import tables

    page = source.operations(Wanted(status, name), limit=limit)
    for notice in source.notices():
        output.note(notice)
    if output.json:
        for operation in page.items:
            output.object(operation)
    elif output.terminal:
        tables.print_operations(page.items, more=page.next is not None, output=output)
    else:
        for operation in page.items:
            output.line(tables.plain_row(operation))
    return exit_codes.COMPLETE


@click.command()
@click.argument("id")
@click.option("--attempt", type=click.IntRange(1), metavar="N", help="As it was at its attempt N.")
@source_option
@output_options
def show(id: str, attempt: int | None, source: Source, output: Output) -> int:
    """Show one operation with its steps, error and attempts.

    ID is an operation's id or the beginning of one.

    Example:  tracker show 01979f2b --attempt 1
    """
    from tracker.cli import tables

    id = find(source, id)
    attempts = source.attempts(id)
    operation = source.operation(id) if attempt is None else _chosen(attempts, attempt, id)
    if output.json:
        output.object(operation)
        return exit_codes.COMPLETE
    failed = []
    if operation.children.total:
        pages = [source.children(operation.id, status=status) for status in ("error", "lost", "cancelled")]
        failed = [child for page in pages for child in page.items]
    if output.terminal:
        tables.print_operation(operation, attempts, failed, output)
    else:
        for line in tables.plain_operation(operation, attempts, failed):
            output.line(line)
    return exit_codes.COMPLETE


def _chosen(attempts: list[Operation], number: int, id: str) -> Operation:
    for attempt in attempts:
        if attempt.attempt == number:
            return attempt
    known = ", ".join(str(attempt.attempt) for attempt in attempts) or "none yet"
    raise NotFound(f"operation {id!r} has no attempt {number}; known: {known}")


@click.command()
@source_option
@output_options
def jobs(source: Source, output: Output) -> int:
    """List the jobs that can be queued, with their arguments.

    Example:  tracker jobs
    """
    from tracker.cli import tables

    found = source.jobs()
    if output.json:
        for job in found:
            output.object(job)
        return exit_codes.COMPLETE
    for job in found:
        output.line(tables.job_row(job.name, job.schema, job.workers, job.description))
    if not found:
        output.note("no worker has published a job yet; start one with `tracker worker`")
    return exit_codes.COMPLETE
