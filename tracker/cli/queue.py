"""``tracker submit`` and ``tracker batch``: queue work, and wait for it if wanted."""

from __future__ import annotations

from typing import Any

import msgspec
import rich_click as click

from tracker.cli import exit_codes
from tracker.cli.job_options import JobCommand, arguments_in, typed
from tracker.cli.options import lines_of, output_options, pairs, source_option
from tracker.cli.output import Output
from tracker.cli.source import Source
from tracker.cli.watch import watch_one
from tracker.errors import UnknownJob
from tracker.queued import OnComplete

LABEL = click.option("--label", "labels", multiple=True, metavar="K=V", help="A label; may be given several times.")
WAIT = click.option("--wait", is_flag=True, help="Watch it until it has ended.")
EXIT_STATUS = click.option("--exit-status", is_flag=True, help="With --wait: exit with 0, 1, 3 or 4.")
QUIET = click.option("-q", "--quiet", is_flag=True, help="Print the id only.")


@click.command(cls=JobCommand)
@click.argument("job")
@click.option("--arg", "values", multiple=True, metavar="KEY=VALUE", help="An argument; may be given several times.")
@click.option("--args", "json_args", metavar="JSON", help="All arguments as one JSON object.")
@LABEL
@WAIT
@EXIT_STATUS
@QUIET
@source_option
@output_options
def submit(
    job: str,
    values: tuple[str, ...],
    json_args: str | None,
    labels: tuple[str, ...],
    wait: bool,
    exit_status: bool,
    quiet: bool,
    source: Source,
    output: Output,
    **options: Any,
) -> int:
    """Queue one operation of a JOB (see `tracker jobs`).

    Its arguments are options: `tracker submit JOB --help` tells them.

    Example:  tracker submit files.process --path notes.txt --wait --exit-status
    """
    given = (_object(json_args, "--args") if json_args else {}) | arguments_in(options)
    named = pairs(values, "--arg")
    if named:
        properties = _schema(source, job).get("properties", {})
        given |= {key: typed(text, properties.get(key, {})) for key, text in named.items()}
    id = source.submit(job, given, pairs(labels, "--label"))
    return _after(source, id, output, wait=wait, exit_status=exit_status, quiet=quiet)


@click.command()
@click.argument("job")
@click.argument("items", nargs=-1, metavar="ITEM…")
@click.option("--items-from", metavar="FILE", help="One item a line, from a file or - for stdin.")
@click.option("--arg-name", metavar="NAME", help="The argument that an ITEM is.")
@click.option("--title", default="", help="What people read.")
@click.option("--on-complete", "after", metavar="JOB", help="A job to queue once all has ended.")
@click.option("--on-complete-args", "after_args", metavar="JSON", help="Its arguments as one JSON object.")
@LABEL
@WAIT
@EXIT_STATUS
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
    wait: bool,
    exit_status: bool,
    quiet: bool,
    source: Source,
    output: Output,
) -> int:
    """Queue one operation of a JOB for each ITEM.

    An ITEM is a JSON object of arguments, or else the value of one argument.

    Example:  tracker batch files.process *.txt --wait
    """
    texts = [*items, *(lines_of(items_from) if items_from else [])]
    if not texts:
        raise click.UsageError("a batch needs at least one ITEM; give them as arguments or with --items-from")
    on_complete = _on_complete(after, after_args)
    schema = {} if all(text.lstrip().startswith("{") for text in texts) else _schema(source, job)
    arguments = [item(text, schema, arg_name) for text in texts]
    id = source.batch(job, arguments, pairs(labels, "--label"), title, on_complete=on_complete)
    return _after(source, id, output, wait=wait, exit_status=exit_status, quiet=quiet)


def _on_complete(job: str | None, args: str | None) -> OnComplete | None:
    if job is None:
        if args is not None:
            raise click.UsageError("--on-complete-args needs --on-complete")
        return None
    return OnComplete(job, _object(args, "--on-complete-args") if args else {})


def item(text: str, schema: dict[str, Any], arg_name: str | None) -> dict[str, Any]:
    """The arguments one ITEM stands for.

    >>> item("notes.txt", {"required": ["path"]}, None)
    {'path': 'notes.txt'}
    """
    if text.lstrip().startswith("{"):
        return _object(text, "the item")
    name = arg_name or _only_required(schema)
    return {name: typed(text, schema.get("properties", {}).get(name, {}))}


def _only_required(schema: dict[str, Any]) -> str:
    required = schema.get("required", [])
    if len(required) != 1:
        names = ", ".join(required) or "none"
        raise click.UsageError(f"say with --arg-name which argument an ITEM is; the job requires: {names}")
    return str(required[0])


def _object(text: str, what: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise click.UsageError(f"{what} {text[:80]!r} is not a JSON object: {error}") from None


def _schema(source: Source, job: str) -> dict[str, Any]:
    found = {known.name: known.schema for known in source.jobs()}
    if job not in found:
        raise UnknownJob(f"no worker has published a job {job!r}; `tracker jobs` lists those there are")
    return found[job]


def _after(source: Source, id: str, output: Output, *, wait: bool, exit_status: bool, quiet: bool) -> int:
    """Say what was queued, and wait for it if wanted."""
    if not wait:
        _say_queued(source, id, output, quiet)
        return exit_codes.COMPLETE
    if quiet:
        output.line(id)
    outcome = watch_one(source, id, output)
    return exit_codes.BY_STATUS[outcome.status] if exit_status else exit_codes.COMPLETE


def _say_queued(source: Source, id: str, output: Output, quiet: bool) -> None:
    if output.json:
        output.object(source.operation(id))
    elif quiet or not output.terminal:
        output.line(id)
    else:
        output.line(f"queued {id}; watch it with: tracker watch {id}")
