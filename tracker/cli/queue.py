"""``tracker submit`` and ``tracker batch``: queue work, and wait for it if wanted."""

from __future__ import annotations

from typing import Any

import click

from tracker.cli import exit_codes
from tracker.cli.completion import complete_jobs
from tracker.cli.items import arguments, given, json_object
from tracker.cli.job_options import JobCommand, arguments_in, typed
from tracker.cli.options import output_options, pairs, source_option
from tracker.cli.output import Output
from tracker.cli.read import known_job
from tracker.cli.source import Source
from tracker.cli.verb import Verb
from tracker.cli.waiting import Waiting, wait_options
from tracker.errors import UnknownJob
from tracker.queued import OnComplete
from tracker.settings import Settings

LABEL = click.option("--label", "labels", multiple=True, metavar="K=V", help="A label; may be given several times.")
QUIET = click.option("-q", "--quiet", is_flag=True, help="Print the id only.")


@click.command(cls=JobCommand)
@click.argument("job", shell_complete=complete_jobs)
@click.option("--arg", "values", multiple=True, metavar="KEY=VALUE", help="An argument; may be given several times.")
@click.option("--args", "json_args", metavar="JSON", help="All arguments as one JSON object.")
@LABEL
@wait_options
@QUIET
@source_option
@output_options
def submit(
    job: str,
    values: tuple[str, ...],
    json_args: str | None,
    labels: tuple[str, ...],
    waiting: Waiting | None,
    quiet: bool,
    source: Source,
    output: Output,
    **options: Any,
) -> int:
    """Queue one operation of a JOB (see `tracker jobs`).

    Its arguments are options: `tracker submit JOB --help` tells them.

    Example:  tracker submit files.process --path notes.txt --wait --exit-status
    """
    args = (json_object(json_args, "--args") if json_args else {}) | arguments_in(options)
    named = pairs(values, "--arg")
    if named:
        properties = known_job(source.jobs(), job).schema.get("properties", {})
        args |= {key: typed(text, properties.get(key, {})) for key, text in named.items()}
    with_labels = pairs(labels, "--label")
    try:
        id = source.submit(job, args, with_labels)
    except UnknownJob:
        known_job(source.jobs(), job)  # Says what may have been meant.
        raise
    return _after(source, id, output, waiting, quiet=quiet)


@click.command(cls=Verb)
@click.argument("job", shell_complete=complete_jobs)
@click.argument("items", nargs=-1, metavar="ITEM…", shell_complete=lambda ctx, param, incomplete: _files(incomplete))
@click.option("--items-from", metavar="FILE", help="One item a line, from a file or - for stdin.")
@click.option("--arg-name", metavar="NAME", help="The argument that an ITEM is.")
@click.option("--title", default="", help="What people read.")
@click.option("--on-complete", "after", metavar="JOB", help="A job to queue once all has ended.")
@click.option("--on-complete-args", "after_args", metavar="JSON", help="Its arguments as one JSON object.")
@LABEL
@wait_options
@QUIET
@source_option
@output_options
def batch(
    job: str,
    items: tuple[str, ...],
    items_from: str | None,
    arg_name: str | None,
    title: str,
    after: str | None,
    after_args: str | None,
    labels: tuple[str, ...],
    waiting: Waiting | None,
    quiet: bool,
    source: Source,
    output: Output,
) -> int:
    """Queue one operation of a JOB for each ITEM.

    An ITEM is a JSON object of arguments, the value of one argument, or a pattern of files such as 'in/*.csv'.

    Example:  tracker batch files.process *.txt --wait
    """
    found = given(items, items_from, Settings.from_env().data_root)
    if not found:
        raise click.UsageError("a batch needs at least one ITEM; give them as arguments or with --items-from")
    on_complete = _on_complete(after, after_args)
    args = arguments(found, lambda: known_job(source.jobs(), job).schema, arg_name)
    with_labels = pairs(labels, "--label")
    id = source.batch(job, args, with_labels, title, on_complete=on_complete)
    return _after(source, id, output, waiting, quiet=quiet)


def _files(incomplete: str) -> list[Any]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def _on_complete(job: str | None, args: str | None) -> OnComplete | None:
    if job is None:
        if args is not None:
            raise click.UsageError("--on-complete-args needs --on-complete")
        return None
    return OnComplete(job, json_object(args, "--on-complete-args") if args else {})


def _after(source: Source, id: str, output: Output, waiting: Waiting | None, *, quiet: bool) -> int:
    """Say what was queued, and wait for it if wanted."""
    if waiting is not None:
        if quiet:
            output.line(id)
        return waiting.run(source, [id], output)
    if output.json:
        output.object(source.operation(id))
    elif quiet or not output.terminal:
        output.line(id)
    else:
        output.line(f"queued {id}; watch it with: tracker watch {id}")
    return exit_codes.COMPLETE
