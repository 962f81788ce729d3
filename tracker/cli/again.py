"""``tracker resume`` and ``tracker rerun``: new attempts of operations that have ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import click

from tracker.cli import exit_codes
from tracker.cli.asking import YES, ask
from tracker.cli.completion import OVER
from tracker.cli.options import output_options, source_option
from tracker.cli.output import Output
from tracker.cli.source import Source
from tracker.cli.source.paging import found
from tracker.cli.verb import Verb
from tracker.cli.waiting import Waiting, wait_options
from tracker.errors import CannotRunAgain, NotFound
from tracker.model import Operation
from tracker.queued import Expected, told

IDS = click.argument("ids", nargs=-1, required=True, metavar="ID…", shell_complete=OVER)

Again = Callable[[str], Expected | None]
"""Queues a new attempt; answers what is expected of it, if that is known."""


@click.command(cls=Verb)
@IDS
@click.option("--force", is_flag=True, help="Also if the workers run another release by now.")
@wait_options
@YES
@source_option
@output_options
def resume(
    ids: tuple[str, ...], force: bool, waiting: Waiting | None, yes: bool, source: Source, output: Output
) -> int:
    """Run operations again, and reuse the results their steps have kept.

    Of a batch, the children that have failed, were cancelled or lost. It asks before it queues more than one.

    Example:  tracker resume 01979f2b --wait
    """
    meant = found(source, ids)
    if not yes and _many(meant):
        ask(f"resume {_counted(meant)}?", meant, output)
    return _again(meant, lambda id: source.resume(id, force=force), source, output, waiting)


@click.command(cls=Verb)
@IDS
@wait_options
@YES
@source_option
@output_options
def rerun(ids: tuple[str, ...], waiting: Waiting | None, yes: bool, source: Source, output: Output) -> int:
    """Run operations again, from their beginning.

    It asks before it queues more than one.

    Example:  tracker rerun 01979f2b --wait --exit-status
    """
    meant = found(source, ids)
    if not yes and len(meant) > 1:
        ask(f"rerun {len(meant)} operations?", meant, output)
    return _again(meant, lambda id: source.rerun(id), source, output, waiting)


def _many(operations: Sequence[Operation]) -> bool:
    return len(operations) > 1 or any(operation.children.failed > 1 for operation in operations if operation.batch)


def _counted(operations: Sequence[Operation]) -> str:
    children = sum(operation.children.failed for operation in operations if operation.batch)
    if len(operations) == 1:
        return f"{children} children of it"
    return f"{len(operations)} operations" + (f", with {children} children of theirs" if children else "")


def _again(
    operations: Sequence[Operation], again: Again, source: Source, output: Output, waiting: Waiting | None
) -> int:
    """Queue each, say what was queued, and wait for it if wanted."""
    from tracker.cli.entry import fail

    code = exit_codes.COMPLETE
    queued = []
    for operation in operations:
        try:
            expected = again(operation.id)
        except (CannotRunAgain, NotFound) as error:
            code = fail(str(error), exit_codes.of_error(error))
            continue
        queued.append(operation.id)
        if output.json and waiting is None:
            output.object(told(source.operation(operation.id), expected))
        else:
            output.say(f"queued {operation.id} again" + (f": {expected.summary}" if expected is not None else ""))
    return code or (waiting.run(source, queued, output) if waiting is not None else exit_codes.COMPLETE)
