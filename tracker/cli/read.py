"""``tracker show`` and ``jobs``: one operation, and what can be queued, read once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from tracker.cli import exit_codes
from tracker.cli.closest import did_you_mean
from tracker.cli.completion import ANY, complete_jobs
from tracker.cli.options import output_options, source_option
from tracker.cli.output import Output
from tracker.cli.source import Source
from tracker.cli.source.paging import find
from tracker.cli.verb import Verb
from tracker.errors import NotFound, TrackerError, UnknownJob
from tracker.model import Operation, StepStatus

if TYPE_CHECKING:
    from tracker.render.usual import Usual
    from tracker.store import JobInfo


@click.command(cls=Verb)
@click.argument("id", shell_complete=ANY)
@click.option("--attempt", type=click.IntRange(1), metavar="N", help="As it was at its attempt N.")
@click.option("--logs", "with_logs", is_flag=True, help="Also what it has logged.")
@click.option("--web", is_flag=True, help="Only print where the dashboard shows it; needs a server.")
@source_option
@output_options
def show(id: str, attempt: int | None, with_logs: bool, web: bool, source: Source, output: Output) -> int:
    """Show one operation with its steps, error and attempts.

    ID is an operation's id or the beginning of one. Beside each step stands what it usually takes.

    Example:  tracker show 01979f2b --attempt 1
    """
    id = find(source, id)
    if web:
        output.line(page_of(source, id))
        return exit_codes.COMPLETE
    attempts = source.attempts(id)
    operation = source.operation(id) if attempt is None else _chosen(attempts, attempt, id)
    if output.json:
        output.object(operation)
    else:
        _print(operation, attempts, source, output)
    if with_logs:
        _print_logs(operation, attempt, source, output)
    return exit_codes.COMPLETE


def page_of(source: Source, id: str) -> str:
    """The address of an operation's page; raises ``TrackerError`` where no server is asked."""
    if "://" not in source.where:
        raise TrackerError("no server is known that shows it; name one with --server or TRACKER_SERVER")
    return f"{source.where.rstrip('/')}/operations/{id}"


def _chosen(attempts: list[Operation], number: int, id: str) -> Operation:
    for attempt in attempts:
        if attempt.attempt == number:
            return attempt
    known = ", ".join(str(attempt.attempt) for attempt in attempts) or "none yet"
    raise NotFound(f"operation {id!r} has no attempt {number}; known: {known}")


def _print(operation: Operation, attempts: Sequence[Operation], source: Source, output: Output) -> None:
    from tracker.cli import tables

    below, usual = tables.children_lines(operation, source), _usual(operation, source)
    if output.terminal:
        tables.print_operation(operation, attempts, below, usual, output)
        return
    for line in tables.plain_operation(operation, attempts, below, usual):
        output.line(line)


def _usual(operation: Operation, source: Source) -> Usual:
    """What its steps usually take; nothing is asked of one that has not begun any."""
    from tracker.render.usual import usual_of

    begun = any(step.status is not StepStatus.PENDING for step in operation.steps or ())
    return usual_of(source.summaries(operation.name, 1)) if begun and operation.name else {}


def _print_logs(operation: Operation, attempt: int | None, source: Source, output: Output) -> None:
    from tracker.cli.log_lines import LogWriter

    writer = LogWriter(operation, output)
    writer.write([line for line in source.logs(operation.id) if attempt in (None, line.attempt)])
    if not writer.wrote and not output.json:
        output.note("nothing was logged")


@click.command(cls=Verb)
@click.argument("job", required=False, shell_complete=complete_jobs)
@source_option
@output_options
def jobs(job: str | None, source: Source, output: Output) -> int:
    """List the jobs that can be queued, or show one with its arguments.

    In a pipe: job, its arguments (those in brackets may be left out), live workers and what it does.

    Example:  tracker jobs files.process
    """
    found = source.jobs()
    if job is not None:
        found = [known_job(found, job)]
    if output.json:
        for one in found:
            output.object(one)
    else:
        _print_jobs(found, output, whole=job is not None)
    if not found and not output.json:
        output.note("no worker has published a job yet; start one with `tracker worker`")
    return exit_codes.COMPLETE


def known_job(jobs: Sequence[JobInfo], name: str) -> JobInfo:
    """The job of that name; raises ``UnknownJob``, which says what may have been meant."""
    for job in jobs:
        if job.name == name:
            return job
    meant = did_you_mean(name, [job.name for job in jobs]) or " `tracker jobs` lists those there are"
    raise UnknownJob(f"no worker has published a job {name!r}.{meant}")


def _print_jobs(found: Sequence[JobInfo], output: Output, *, whole: bool) -> None:
    from tracker.cli import job_tables

    if whole:
        for job in found:
            job_tables.print_job(job, output)
    elif output.terminal:
        job_tables.print_jobs(found, output)
    else:
        for job in found:
            output.line(job_tables.plain(job))
