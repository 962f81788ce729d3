"""``tracker cancel``, ``resume`` and ``rerun``: what can be done to an operation."""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING

import rich_click as click

from tracker.cli import exit_codes
from tracker.cli.options import output_options
from tracker.cli.output import Output
from tracker.cli.queue import EXIT_STATUS, WAIT
from tracker.cli.source import open_both, settings
from tracker.cli.watch import watch_one
from tracker.errors import TrackerError
from tracker.model import Status

if TYPE_CHECKING:
    from tracker.celery.again import Repeating
    from tracker.celery.expected import Expected
    from tracker.history import History
    from tracker.store import Store


@click.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID…")
@click.option("--terminate", is_flag=True, help="Also end the processes that run it; best effort.")
@click.option("--yes", is_flag=True, help="Do not ask before more than one is cancelled.")
@output_options
def cancel(ids: tuple[str, ...], terminate: bool, yes: bool, output: Output) -> int:
    """Cancel operations, with everything below them.

    What waits ends at once, what runs at its next call of the tracker.

    Example:  tracker cancel 01979f2b
    """
    from tracker.celery.cancelling import Cancelling
    from tracker.cli.entry import fail

    store, history = open_both()
    if len(ids) > 1 and not yes and sys.stdin.isatty():
        click.confirm(f"cancel {len(ids)} operations?", abort=True, err=True)
    cancelling, code = Cancelling(settings(), store, history), exit_codes.COMPLETE
    for given in ids:
        try:
            id = history.find(given)
            cancelling.cancel(id, _asker(), terminate=terminate)
        except TrackerError as error:
            code = fail(str(error), exit_codes.of_error(error))
        else:
            _say_cancelled(history, id, output)
    return code


@click.command()
@click.argument("id")
@click.option("--force", is_flag=True, help="Also if the workers run another release by now.")
@WAIT
@EXIT_STATUS
@output_options
def resume(id: str, force: bool, wait: bool, exit_status: bool, output: Output) -> int:
    """Run an operation again, and reuse the results its steps have kept.

    Of a batch, the children that have failed, were cancelled or lost.

    Example:  tracker resume 01979f2b --wait
    """
    store, history, repeating = _open()
    id = history.find(id)
    expected = repeating.resume(id, _asker(), force=force)
    return _after(store, history, id, expected, output, wait=wait, exit_status=exit_status)


@click.command()
@click.argument("id")
@WAIT
@EXIT_STATUS
@output_options
def rerun(id: str, wait: bool, exit_status: bool, output: Output) -> int:
    """Run an operation again, from its beginning.

    Example:  tracker rerun 01979f2b --wait --exit-status
    """
    store, history, repeating = _open()
    id = history.find(id)
    repeating.rerun(id, _asker())
    return _after(store, history, id, None, output, wait=wait, exit_status=exit_status)


def _open() -> tuple[Store, History, Repeating]:
    from tracker.celery.again import Repeating
    from tracker.celery.queueing import Queueing

    store, history = open_both()
    return store, history, Repeating(store, history, Queueing(settings(), store))


def _asker() -> str:
    """Who asks, as others read it."""
    from tracker.process import host

    try:
        return f"{getpass.getuser()}@{host()}"
    except (KeyError, OSError):  # A user without a name, as in some containers.
        return f"somebody@{host()}"


def _say_cancelled(history: History, id: str, output: Output) -> None:
    operation = history.operation(id)
    if output.json:
        output.object(operation)
    elif operation.status is Status.CANCELLED:
        output.line(f"cancelled {id}")
    else:
        output.line(f"asked {id} to end, with what is open below it")


def _after(
    store: Store, history: History, id: str, expected: Expected | None, output: Output, *, wait: bool, exit_status: bool
) -> int:
    """Say what was queued, and wait for it if wanted."""
    from tracker.celery.expected import told

    if output.json and not wait:
        output.object(told(history.operation(id), expected))
        return exit_codes.COMPLETE
    output.say(f"queued {id} again" + (f": {expected.summary}" if expected is not None else ""))
    if not wait:
        return exit_codes.COMPLETE
    outcome = watch_one(store, history, id, output)
    return exit_codes.BY_STATUS[outcome.status] if exit_status else exit_codes.COMPLETE
