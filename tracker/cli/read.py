"""``tracker ls``, ``show`` and ``jobs``: what is stored, read once."""

from __future__ import annotations

import rich_click as click

from tracker.cli import exit_codes
from tracker.cli.options import output_options
from tracker.cli.output import Output
from tracker.cli.source import open_history
from tracker.model import Status


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
@output_options
def ls(status: str | None, name: str | None, limit: int, output: Output) -> int:
    """List operations, newest first.

    In a pipe: plain columns with the whole ids, separated by tabs.

    Example:  tracker ls --status error --limit 5
    """
    from tracker.cli import tables

    history = open_history()
    page = history.operations(status=status, name=name, limit=limit)
    for notice in history.notices():
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
@output_options
def show(id: str, output: Output) -> int:
    """Show one operation with its steps, error and children.

    ID is an operation's id or the beginning of one.

    Example:  tracker show 01979f2b
    """
    from tracker.cli import tables

    history = open_history()
    operation = history.operation(history.find(id))
    if output.json:
        output.object(operation)
        return exit_codes.COMPLETE
    failed = []
    if operation.children.total:
        pages = [history.children(operation.id, status=status) for status in ("error", "lost", "cancelled")]
        failed = [child for page in pages for child in page.items]
    if output.terminal:
        tables.print_operation(operation, failed, output)
    else:
        for line in tables.plain_operation(operation, failed):
            output.line(line)
    return exit_codes.COMPLETE


@click.command()
@output_options
def jobs(output: Output) -> int:
    """List the jobs that can be queued, with their arguments.

    Example:  tracker jobs
    """
    from tracker.cli import tables

    found = open_history().jobs()
    if output.json:
        for job in found:
            output.object(job)
        return exit_codes.COMPLETE
    for job in found:
        output.line(tables.job_row(job.name, job.schema, job.workers, job.description))
    if not found:
        output.note("no worker has published a job yet; start one with `tracker worker`")
    return exit_codes.COMPLETE
