"""``tracker watch``: an operation, or everything that runs now, until it is over or Ctrl-C."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import rich_click as click

from tracker.cli import exit_codes
from tracker.cli.options import output_options, source_option
from tracker.cli.output import Output
from tracker.cli.source import Source
from tracker.cli.source.paging import find
from tracker.errors import NotFound, TrackerError

if TYPE_CHECKING:
    from tracker.cli.subjects import Everything, One
    from tracker.model import Operation


@click.command()
@click.argument("id", required=False)
@click.option("--wait", is_flag=True, help="Wait for an operation that does not exist yet.")
@click.option("--exit-status", is_flag=True, help="Exit with the operation's outcome: 0, 1, 3 or 4.")
@click.option("--timeout", type=click.FloatRange(min=0), metavar="SECONDS", help="Stop watching then, exit 124.")
@source_option
@output_options
def watch(id: str | None, wait: bool, exit_status: bool, timeout: float | None, source: Source, output: Output) -> int:
    """Watch an operation, or without ID all that runs now.

    ID is an operation's id or the beginning of one. Ctrl-C ends the watching, never the operation.
    In a pipe: one line for each change; with --json one event a line.

    Example:  tracker watch 01979f2b --exit-status
    """
    if id is None and (wait or exit_status):
        raise click.UsageError("--wait and --exit-status need the ID of an operation")
    if id is None:
        watch_everything(source, output, timeout)
        return exit_codes.COMPLETE
    id = found(source, id, wait=wait)
    _announce(source, id, output)
    try:
        outcome = watch_one(source, id, output, timeout=timeout)
    except KeyboardInterrupt:
        output.note(f"no longer watching; it goes on. Watch it again: tracker watch {id}")
        raise
    return exit_codes.BY_STATUS[outcome.status] if exit_status else exit_codes.COMPLETE


def found(source: Source, id: str, *, wait: bool) -> str:
    """The id that ``id`` stands for; with ``wait`` an operation need not exist yet."""
    from tracker.ids import ID

    try:
        return find(source, id)
    except NotFound:
        if wait and ID.fullmatch(id):
            return id
        raise


def watch_everything(source: Source, output: Output, timeout: float | None) -> None:
    """Follow what runs now until ``timeout`` or an interruption."""
    from tracker.cli.subjects import Everything

    _watch(source, Everything(), output, timeout, lambda: None, lambda: "")


def watch_one(
    source: Source,
    id: str,
    output: Output,
    *,
    timeout: float | None = None,
    check: Callable[[], None] = lambda: None,
    hint: Callable[[Operation | None, list[Operation]], str] = lambda operation, children: "",
) -> Operation:
    """Follow operation ``id`` until it has ended, and answer it as it ended.

    ``check`` is called several times a second and may raise to end the watching; ``hint`` gives the live
    view's last line. Raises ``TimedOut``.
    """
    from tracker.cli.source.paging import all_children
    from tracker.cli.subjects import One

    subject = One(id, (lambda: all_children(source, id)) if output.json else None)
    _watch(source, subject, output, timeout, check, lambda: hint(subject.operation(), subject.children()))
    operation = subject.operation()
    if operation is None:
        raise TrackerError(f"operation {id!r} has gone")
    return operation


def _announce(source: Source, id: str, output: Output) -> None:
    from tracker.model import ENDED
    from tracker.render.transitions import title_of

    try:
        operation = source.operation(id)
    except NotFound:
        output.note(f"waiting for operation {id}")
        return
    if operation.status in ENDED:
        output.note(f"{title_of(operation)} is already over")


def _watch(
    source: Source,
    subject: One | Everything,
    output: Output,
    timeout: float | None,
    check: Callable[[], None],
    hint: Callable[[], str],
) -> None:
    from tracker.cli.watching import Watching
    from tracker.cli.writers import JsonWriter, PlainWriter

    if output.terminal:
        _watch_live(source, subject, output, timeout, check, hint)
        return
    writer = (JsonWriter if output.json else PlainWriter)(output, subject, source.where)
    Watching(lambda stop: source.follow(subject.id, stop), subject, writer, check).run(timeout)


def _watch_live(
    source: Source,
    subject: One | Everything,
    output: Output,
    timeout: float | None,
    check: Callable[[], None],
    hint: Callable[[], str],
) -> None:
    """The last frame stays on the screen, however the watching ends."""
    from tracker.cli.live import LiveWriter
    from tracker.cli.screen import Screen
    from tracker.cli.watching import Watching

    with Screen(output.console()) as screen:
        writer = LiveWriter(screen, subject, source.where, output.symbols(), hint)
        try:
            Watching(lambda stop: source.follow(subject.id, stop), subject, writer, check).run(timeout)
        finally:
            writer.draw(final=True)
