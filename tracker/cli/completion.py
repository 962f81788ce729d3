"""``tracker completion``: what makes a shell complete commands, options, ids and jobs; and what it then offers.

Whoever presses Tab waits for some seconds at most, and sees no error: without an answer, nothing is offered.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING

import click

from tracker.cli import exit_codes
from tracker.cli.verb import Verb
from tracker.model import ENDED, Operation, Status
from tracker.render.words import clean

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from tracker.cli.source import Source

WITHIN = 3.0
"""Seconds that somebody who presses Tab waits for an answer."""

NEWEST = 50
"""Operations that are offered at most."""

Complete = Callable[[click.Context, click.Parameter, str], "list[CompletionItem]"]


@click.command(cls=Verb)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]), metavar="SHELL")
def completion(shell: str) -> int:
    """Print what makes a SHELL (bash, zsh or fish) complete.

    It then completes commands, options, the ids of operations, names and jobs.

    Example:  source <(tracker completion bash)
    """
    from click.shell_completion import get_completion_class

    from tracker.cli.commands import tracker

    made = get_completion_class(shell)
    assert made is not None
    print(made(tracker, {}, "tracker", "_TRACKER_COMPLETE").source())
    return exit_codes.COMPLETE


def complete_jobs(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The jobs that can be queued."""
    return _offered(ctx, incomplete, lambda source: [(job.name, job.description) for job in source.jobs()])


def complete_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The names of the newest operations, and of jobs."""

    def asked(source: Source) -> Iterable[tuple[str, str]]:
        jobs = {job.name: job.description for job in source.jobs()}
        return ({operation.name: "" for operation in _newest(source, ())} | jobs).items()

    return _offered(ctx, incomplete, asked)


def complete_ids(*statuses: Status) -> Complete:
    """The ids of the newest operations of those statuses; without any, of all."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return _offered(ctx, incomplete, lambda source: map(_told, _newest(source, statuses)))

    return complete


ANY = complete_ids()
OPEN = complete_ids(*(status for status in Status if status not in ENDED))
OVER = complete_ids(*(status for status in Status if status in ENDED))


def _newest(source: Source, statuses: tuple[str, ...]) -> list[Operation]:
    from tracker.cli.filters import Filter

    return list(islice(Filter(statuses).read(source, NEWEST), NEWEST))


def _told(operation: Operation) -> tuple[str, str]:
    return operation.id, f"{operation.title or operation.name} ({operation.status})"


def _offered(
    ctx: click.Context, incomplete: str, ask: Callable[[Source], Iterable[tuple[str, str]]]
) -> list[CompletionItem]:
    """Words with what they mean; in a thread, as no time limit of a connection covers all that may take time."""
    from click.shell_completion import CompletionItem

    import tracker.history  # noqa: F401  # To load it is work, and no waiting.
    from tracker.cli.source import open_source
    from tracker.errors import TrackerError

    found: list[CompletionItem] = []

    def look() -> None:
        logging.disable(logging.CRITICAL)
        try:
            words = list(ask(open_source(ctx.params.get("server"))))
        except TrackerError:
            return
        found.extend(CompletionItem(word, help=clean(help)) for word, help in words if word.startswith(incomplete))

    looking = threading.Thread(target=look, name="completion", daemon=True)
    looking.start()
    looking.join(WITHIN)
    return list(found)
