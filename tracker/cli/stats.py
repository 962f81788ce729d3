"""``tracker stats``: how finished runs ended and how long they took, by name, by step and by day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import click

from tracker.cli import exit_codes
from tracker.cli.closest import did_you_mean
from tracker.cli.completion import complete_names
from tracker.cli.options import output_options, source_option
from tracker.cli.output import Output
from tracker.cli.source import Source
from tracker.cli.verb import Verb
from tracker.errors import NotFound
from tracker.render.texts import fine_seconds
from tracker.render.words import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.history import Summary
    from tracker.render.table import Cell, Cells, Column

DAYS = 30

MOST = 366
"""Most days that are told one by one."""


class Outcomes(Protocol):
    """How many runs ended how."""

    @property
    def complete(self) -> int: ...
    @property
    def error(self) -> int: ...
    @property
    def cancelled(self) -> int: ...
    @property
    def lost(self) -> int: ...


@click.command(cls=Verb)
@click.argument("name", required=False, shell_complete=complete_names)
@click.option(
    "--days", type=click.IntRange(1, MOST), default=DAYS, metavar="N", help=f"Of how many days; {DAYS} if not given."
)
@source_option
@output_options
def stats(name: str | None, days: int, source: Source, output: Output) -> int:
    """Show how often runs succeed and how long they take.

    With NAME also for each of its steps and for each day; durations are those within which half (P50) and 95 % of the
    successful ones ended. In a pipe: name, runs, complete, error, cancelled, lost, p50 and p95 in seconds.

    Example:  tracker stats files.process --days 7
    """
    found = source.summaries(name, days)
    if name is not None and not any(count_of(summary) for summary in found):
        known = [summary.name for summary in source.summaries(None, 1)]
        raise NotFound(f"no run of {name!r} is archived.{did_you_mean(name, known)}")
    if output.json:
        for summary in found:
            output.object(summary)
    elif output.terminal:
        _print(found, name, days, output)
    else:
        for summary in found:
            output.line(plain(summary))
    if not found and not output.json:
        output.note("no finished run is archived yet; a recorder archives them soon after their end")
    return exit_codes.COMPLETE


def count_of(outcomes: Outcomes) -> int:
    """How many runs there were."""
    return outcomes.complete + outcomes.error + outcomes.cancelled + outcomes.lost


def plain(summary: Summary) -> str:
    """A name as columns for a pipe."""
    took = summary.took
    counts = (count_of(summary), summary.complete, summary.error, summary.cancelled, summary.lost)
    durations = (took.p50, took.p95) if took is not None else ()
    return "\t".join([clean(summary.name), *map(str, counts), *(f"{value:.3f}" for value in durations)])


def _print(found: Sequence[Summary], name: str | None, days: int, output: Output) -> None:
    from tracker.render.table import Cell, Column

    columns = [
        Column("name", 9, least=8),
        *_outcome_columns(),
        Column("p50", 5, right=True),
        Column("p95", 4, right=True),
    ]
    rows: list[Cells] = []
    for one in found:
        took = (one.took.p50, one.took.p95) if one.took is not None else (None, None)
        rows.append([Cell(one.name, "bold"), *_outcomes(one), *_spread(*took)])
    _table(columns, rows, output)
    for summary in found if name is not None else ():
        _print_steps(summary, output)
        _print_failures(summary, output)
        _print_days(summary, output)
    if found:
        output.note(f"outcomes of all that is archived, durations of the last {days} days")


def _print_steps(summary: Summary, output: Output) -> None:
    from tracker.render.table import Column

    columns = [Column("step", 9, least=8), Column("runs", 3, right=True)]
    columns += [Column(title, weight, right=True) for title, weight in (("p50", 8), ("p90", 4), ("p95", 5), ("p99", 2))]
    rows = [[step.name, str(step.count), *_spread(step.p50, step.p90, step.p95, step.p99)] for step in summary.steps]
    _table(columns, rows, output)


def _print_failures(summary: Summary, output: Output) -> None:
    from tracker.render.table import Cell, Column

    rows: list[Cells] = [
        [failure.name or "before any step", Cell(str(failure.count), "red")] for failure in summary.failures
    ]
    _table([Column("failed at", 9, least=8), Column("runs", 8, right=True)], rows, output)


def _print_days(summary: Summary, output: Output) -> None:
    from tracker.render.table import Column

    columns = [Column("day", 9), *_outcome_columns(), Column("p50", 5, right=True), Column("p95", 4, right=True)]
    rows = [[day.day, *_outcomes(day), *_spread(day.p50, day.p95)] for day in reversed(summary.days)]
    _table(columns, rows, output)


def _outcome_columns() -> list[Column]:
    from tracker.render.table import Column

    titles = (("runs", 6), ("success", 8), ("error", 7), ("cancelled", 2), ("lost", 3))
    return [Column(title, weight, right=True) for title, weight in titles]


def _outcomes(outcomes: Outcomes) -> list[Cell | str]:
    """Counts as cells; of failures only those that there were."""
    from tracker.render.table import Cell

    runs = count_of(outcomes)
    # Rounded down, so that 100 means all.
    success = f"{100 * outcomes.complete // runs} %" if runs else ""
    failures = ((outcomes.error, "red"), (outcomes.cancelled, "yellow"), (outcomes.lost, "red"))
    told = [Cell(f"{number:,}" if number else "", style) for number, style in failures]
    return [f"{runs:,}", Cell(success, "green" if runs == outcomes.complete else ""), *told]


def _spread(*durations: float | None) -> list[str]:
    return [fine_seconds(value) for value in durations]


def _table(columns: Sequence[Column], rows: Sequence[Cells], output: Output) -> None:
    output.table(columns, rows)
    if rows:
        output.line()
