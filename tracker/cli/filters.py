"""The options by which ``ls``, ``export`` and ``cancel`` choose operations, and reading those that are meant."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import merge
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from tracker.cli.completion import complete_names
from tracker.cli.options import pairs, with_options
from tracker.cli.source import Source, Wanted
from tracker.cli.source.paging import PAGE
from tracker.cli.when import When
from tracker.model import Operation, Status

if TYPE_CHECKING:
    from tracker.history import Search

SEARCHED = ("worker", "step", "error", "release", "text", "since", "until")
"""Options that are called as the fields of a ``Search``."""

Command = TypeVar("Command", bound=Callable[..., Any])

STATUS = click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice([status.value for status in Status]),
    metavar="STATUS",
    help="Of this status; may be given several times.",
)
NAME = click.option("--name", metavar="NAME", shell_complete=complete_names, help="Of this name, as files.process.")
LABEL = click.option("--label", metavar="K=V", help="With this label.")
OTHERS = (
    click.option("--worker", default="", metavar="HOST", help="Run on this host."),
    click.option("--step", default="", metavar="STEP", help="At this step, or ended there."),
    click.option("--error", default="", metavar="TEXT", help="With this in its error, as ValueError."),
    click.option("--release", default="", metavar="RELEASE", help="Run by this release."),
    click.option("-s", "--search", "text", default="", metavar="TEXT", help="With this in id, name or title."),
    click.option("--since", type=When(), metavar="WHEN", help="Made since 2h, 3d, today or 2026-11-28."),
    click.option("--until", type=When(), metavar="WHEN", help="Made until then."),
)


class Filter(NamedTuple):
    """Which operations: of any of ``statuses`` if there are any, and fitting all else."""

    statuses: tuple[str, ...] = ()
    name: str | None = None
    search: Search | None = None

    @property
    def is_empty(self) -> bool:
        """Whether every operation is meant."""
        return self == Filter()

    def read(self, source: Source, at_once: int = PAGE) -> Iterator[Operation]:
        """The operations, newest first, read ``at_once`` by ``at_once`` as far as they are asked for."""
        lists = [self._of_status(source, status, at_once) for status in dict.fromkeys(self.statuses or (None,))]
        seen = None
        for operation in merge(*lists, key=lambda one: (one.created, one.id), reverse=True):
            # One whose status changes while both lists are read stands in both.
            if operation.id != seen:
                yield operation
            seen = operation.id

    def _of_status(self, source: Source, status: str | None, at_once: int) -> Iterator[Operation]:
        wanted = Wanted(status, self.name, self.search)
        page = source.operations(wanted, None, at_once)
        yield from page.items
        while page.next is not None:
            page = source.operations(wanted, page.next, at_once)
            yield from page.items


def filter_options(command: Command) -> Command:
    """Add all filters, handed to the command as one ``filter`` argument."""
    return with_options(command, (STATUS, NAME, LABEL, *OTHERS), _gather)


def few_filter_options(command: Command) -> Command:
    """The same with the most common ones only."""
    return with_options(command, (STATUS, NAME, LABEL), _gather)


def _gather(values: dict[str, Any]) -> None:
    others = {key: values.pop(key) for key in SEARCHED if key in values}
    search = _search(values.pop("label"), others)
    values["filter"] = Filter(values.pop("statuses"), values.pop("name"), search)


def _search(label: str | None, others: dict[str, Any]) -> Search | None:
    from tracker.history import Search

    ((key, value),) = pairs([label], "--label").items() if label is not None else [("", "")]
    search = Search(label=(key, value) if key else None, **others)
    return search if search != Search() else None
