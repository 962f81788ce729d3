"""``tracker logs``: what an operation has logged, and what it logs until it ends."""

from __future__ import annotations

from collections.abc import Sequence

import click

from tracker.cli import exit_codes
from tracker.cli.closest import did_you_mean
from tracker.cli.completion import ANY
from tracker.cli.log_lines import LogWriter, Tailing
from tracker.cli.options import output_options, source_option
from tracker.cli.output import Output
from tracker.cli.source import Source
from tracker.cli.source.paging import failed_children, find
from tracker.cli.verb import Verb
from tracker.cli.writers import Silence
from tracker.errors import NotFound
from tracker.model import LogLine, Operation


@click.command(cls=Verb)
@click.argument("id", shell_complete=ANY)
@click.option("--step", metavar="STEP", help="Only lines of this step: its name or number.")
@click.option("--tail", type=click.IntRange(min=0), metavar="N", help="Only the last N lines.")
@click.option("--failed", is_flag=True, help="Also those of the children that have failed.")
@click.option("-f", "--follow", is_flag=True, help="Go on until the operation has ended.")
@source_option
@output_options
def logs(
    id: str, step: str | None, tail: int | None, failed: bool, follow: bool, source: Source, output: Output
) -> int:
    """Show what an operation has logged, with the time and the step.

    In a pipe: time, id, attempt, step, level and text, separated by tabs.

    Example:  tracker logs 01979f2b --follow --tail 20
    """
    if failed and follow:
        raise click.UsageError("--failed looks back and --follow ahead; give one of them")
    operation = source.operation(find(source, id))
    chosen = step_of(operation, step) if step is not None else None
    writer = LogWriter(operation, output, chosen, tail=tail is not None)
    lines = source.logs(operation.id)
    writer.write(_last(writer.wanted(lines), tail))
    if follow:
        Tailing(source, operation.id, writer, lines).run(Silence(output.note, source.where))
    told = writer.wrote + (_failed_children(source, operation, step, tail, output) if failed else 0)
    if not told and not output.json:
        output.note("nothing was logged" + (f" under {step}" if step is not None else ""))
    return exit_codes.COMPLETE


def _failed_children(source: Source, operation: Operation, step: str | None, tail: int | None, output: Output) -> int:
    """Write the lines of the children that have failed, below a line for each; how many lines there were."""
    wrote = 0
    for child in failed_children(source, operation):
        whole = source.operation(child.id)
        try:
            chosen = step_of(whole, step) if step is not None else None
            writer = LogWriter(whole, output, chosen, tail=tail is not None)
        except NotFound:
            continue
        writer.head()
        writer.write(_last(writer.wanted(source.logs(child.id)), tail))
        wrote += writer.wrote
    return wrote


def _last(lines: Sequence[LogLine], tail: int | None) -> Sequence[LogLine]:
    return lines if tail is None else lines[max(0, len(lines) - tail) :]


def step_of(operation: Operation, text: str) -> int:
    """The index of the step of that name or number; raises ``NotFound``."""
    steps = {step.name: step.index for step in operation.steps or ()}
    found = steps.get(text, int(text) if text.isascii() and text.isdigit() else -1)
    if found not in steps.values():
        known = ", ".join(list(steps)[:10]) or "none yet"
        raise NotFound(f"{operation.id} has no step {text!r}; it has: {known}.{did_you_mean(text, steps)}")
    return found
