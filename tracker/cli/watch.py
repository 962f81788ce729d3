"""``tracker watch``: an operation, or everything that runs now, until it is over or Ctrl-C."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import click

from tracker.cli import exit_codes
from tracker.cli.completion import ANY
from tracker.cli.options import output_options, source_option
from tracker.cli.output import Output
from tracker.cli.source import Source, Wanted
from tracker.cli.source.paging import find
from tracker.cli.subjects import Everything, One
from tracker.cli.verb import Verb
from tracker.errors import NotFound
from tracker.model import ENDED, Operation, Status

STATUS = click.Choice([status.value for status in Status])


@click.command(cls=Verb)
@click.argument("id", required=False, shell_complete=ANY)
@click.option("--last", is_flag=True, help="Watch the operation that was made last.")
@click.option("--wait", is_flag=True, help="Wait for an operation that does not exist yet.")
@click.option("--exit-status", is_flag=True, help="Exit with the operation's outcome: 0, 1, 3 or 4.")
@click.option("--timeout", type=click.FloatRange(min=0), metavar="SECONDS", help="Stop watching then, exit 124.")
@click.option("--compact", is_flag=True, help="Of the steps, only those that run or failed.")
@click.option("--logs", is_flag=True, help="With what it logs (in a pipe it always is).")
@click.option("--status", "statuses", type=STATUS, multiple=True, metavar="STATUS", help="Without ID: only these.")
@click.option("--after", default="", metavar="CURSOR", help="With --json: go on behind this cursor.")
@source_option
@output_options
def watch(id: str | None, last: bool, wait: bool, source: Source, output: Output, **given: Any) -> int:
    """Watch an operation, or without ID all that runs now.

    ID is an operation's id or the beginning of one. Ctrl-C ends the watching, never the operation; ? shows the keys.
    In a pipe: one line for each change; with --json one event a line.

    Example:  tracker watch 01979f2b --exit-status
    """
    view = View(**given)
    _check(id, last, wait, view, output)
    if id is None and not last:
        _watch(source, Everything(view.statuses), output, view)
        return exit_codes.COMPLETE
    id = found(source, id, wait=wait) if id is not None else newest(source)
    _announce(source, id, output)
    try:
        outcome = watch_one(source, id, output, view)
    except KeyboardInterrupt:
        output.note(f"no longer watching; it goes on. Watch it again: tracker watch {id}")
        raise
    return exit_codes.BY_STATUS[outcome.status] if view.exit_status else exit_codes.COMPLETE


@dataclass(frozen=True, slots=True)
class View:
    """How something is watched, and for how long; ``check`` may raise to end it, ``hint`` gives a last line.

    Without ``keys`` it is only looked at.
    """

    timeout: float | None = None
    compact: bool = False
    logs: bool = False
    after: str = ""
    statuses: Sequence[str] = ()
    exit_status: bool = False
    keys: bool = True
    check: Callable[[], None] = lambda: None
    hint: Callable[[Operation | None, list[Operation]], str] = lambda operation, children: ""


def _check(id: str | None, last: bool, wait: bool, view: View, output: Output) -> None:
    """Raise a usage error for options that do not go together."""
    if id is not None and last:
        raise click.UsageError("give an ID or --last, not both")
    if id is None and not last and (wait or view.exit_status or view.after):
        raise click.UsageError("--wait, --exit-status and --after need the ID of an operation")
    if (id is not None or last) and view.statuses:
        raise click.UsageError("--status narrows what is watched without an ID")
    if view.after and not output.json:
        raise click.UsageError("--after needs --json, which tells the cursors")


def found(source: Source, id: str, *, wait: bool) -> str:
    """The id that ``id`` stands for; with ``wait`` an operation need not exist yet."""
    from tracker.ids import ID

    try:
        return find(source, id)
    except NotFound:
        if wait and ID.fullmatch(id):
            return id
        raise


def newest(source: Source) -> str:
    """The id of the operation that was made last; raises ``NotFound``."""
    items = source.operations(Wanted(), limit=1).items
    if not items:
        raise NotFound("there is no operation yet; `tracker demo` makes some")
    return items[0].id


def watch_one(source: Source, id: str, output: Output, view: View = View()) -> Operation:
    """Follow operation ``id`` until it has ended, and answer it as it ended.

    Raises ``TimedOut``, and ``KeyboardInterrupt`` also if somebody has left the board.
    """
    from tracker.cli.source.paging import all_children

    subject = One(id, (lambda: all_children(source, id)) if output.json else None)
    _watch(source, subject, output, view)
    operation = subject.operation()
    if not subject.is_over() or operation is None:
        raise KeyboardInterrupt
    return operation


def _announce(source: Source, id: str, output: Output) -> None:
    from tracker.render.transitions import title_of

    try:
        operation = source.operation(id)
    except NotFound:
        output.note(f"waiting for operation {id}")
        return
    if operation.status in ENDED:
        output.note(f"{title_of(operation)} is already over")


def _watch(source: Source, subject: One | Everything, output: Output, view: View) -> None:
    from tracker.cli.source.resuming import followed
    from tracker.cli.watching import Watching
    from tracker.cli.writers import JsonWriter, PlainWriter

    if output.terminal:
        _watch_live(source, subject, output, view)
        return
    writer = JsonWriter(output, subject, source.where) if output.json else PlainWriter(output, subject, source.where)
    follow = partial(followed, source, subject.id, after=view.after)
    Watching(follow, subject, writer, view.check).run(view.timeout)


def _watch_live(source: Source, subject: One | Everything, output: Output, view: View) -> None:
    """The last frame stays on the screen, however the watching ends."""
    from tracker.cli.board.session import Session
    from tracker.cli.screen import Screen

    screen = Screen(output.console())
    session = Session(source, screen, output.symbols(), subject, view)
    with screen:
        try:
            session.run()
        finally:
            with suppress(OSError):  # The terminal may have gone.
                session.draw(final=True)
