"""``tracker erase``: remove operations that have ended, everywhere and for good."""

from __future__ import annotations

from contextlib import suppress

import click

from tracker.cli import exit_codes
from tracker.cli.again import IDS
from tracker.cli.asking import YES, ask
from tracker.cli.options import output_options, source_option
from tracker.cli.output import Output
from tracker.cli.source import Source
from tracker.cli.source.paging import found
from tracker.cli.verb import Verb
from tracker.errors import ArchiveUnavailable, NotEnded, NotFound


@click.command(cls=Verb)
@IDS
@YES
@source_option
@output_options
def erase(ids: tuple[str, ...], yes: bool, source: Source, output: Output) -> int:
    """Erase operations that have ended, with all below them.

    From Redis and from the archive, with arguments, results and log lines. Nothing brings them back, so it always
    asks before.

    Example:  tracker erase 01979f2b
    """
    meant = found(source, ids)
    if not yes:
        below = sum(operation.children.total for operation in meant)
        what = f"{len(meant)} operations" if len(meant) > 1 else "1 operation"
        ask(f"erase {what}{f' and {below} below' if below else ''} for good?", meant, output)
    return max([_erase(source, operation.id, output) for operation in meant])


def _erase(source: Source, id: str, output: Output) -> int:
    from tracker.cli.entry import fail

    try:
        with suppress(NotFound):  # It was there a moment ago: somebody else has erased it.
            source.erase(id)
    except (ArchiveUnavailable, NotEnded) as error:
        return fail(str(error), exit_codes.of_error(error))
    if output.json:
        output.object({"erased": id})
    else:
        output.line(f"erased {id}")
    return exit_codes.COMPLETE
