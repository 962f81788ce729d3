"""``tracker workers``: who waits for jobs, and who works on what."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from tracker.cli import exit_codes
from tracker.cli.options import output_options, source_option
from tracker.cli.output import Output
from tracker.cli.source import Source
from tracker.cli.verb import Verb
from tracker.render.words import clean, progress_words, span

if TYPE_CHECKING:
    from tracker.history import WorkerInfo
    from tracker.render.table import Cells

SILENT = 30.0
"""Seconds without a sign of life after which a process is called silent, as its runs are called unresponsive."""

NAMED = 3
"""Queues and jobs of a worker that are named, and operations of a process; the others are counted."""


@click.command(cls=Verb)
@source_option
@output_options
def workers(source: Source, output: Output) -> int:
    """Show who waits for jobs, and who works on what.

    In a pipe, by tabs: name, host, process id, seconds since its last sign of life, queues, jobs, release, and the ids
    of what it runs.

    Example:  tracker workers
    """
    found = sorted(source.workers(), key=lambda worker: (not is_silent(worker), worker.pid is not None))
    if output.json:
        for worker in found:
            output.object(worker)
    elif output.terminal:
        _print(found, output)
    else:
        for worker in found:
            output.line(plain(worker))
    if not found and not output.json:
        output.note("nobody waits for jobs, and nobody works; start a worker with `tracker worker`")
    return exit_codes.COMPLETE


def is_silent(worker: WorkerInfo) -> bool:
    """Whether it gives no sign of life."""
    return worker.age > SILENT


def plain(worker: WorkerInfo) -> str:
    """A worker as columns for a pipe."""
    lists = (",".join(worker.queues), ",".join(worker.jobs), worker.release, ",".join(one.id for one in worker.running))
    pid = "" if worker.pid is None else str(worker.pid)
    return "\t".join(map(clean, (worker.name, worker.host, pid, f"{worker.age:.1f}", *lists)))


def _print(found: Iterable[WorkerInfo], output: Output) -> None:
    from tracker.render.table import Column

    columns = (
        Column("state", 9),
        Column("worker", 8, least=8),
        Column("seen", 6, right=True),
        Column("does", 7, least=30),
        Column("queues", 3, least=8),
        Column("release", 1, least=8),
    )
    output.table(columns, [_row(worker) for worker in found])


def _row(worker: WorkerInfo) -> Cells:
    from tracker.render.table import Cell

    silent = is_silent(worker)
    state = "silent" if silent else "waits" if worker.pid is None else "works" if worker.runs else "idle"
    name = worker.name if worker.pid is None else f"{worker.host}, process {worker.pid}"
    style = {"silent": "bold red", "works": "cyan"}.get(state, "")
    seen = f"{span(worker.age)} ago"
    return [
        Cell(state, style),
        Cell(name, "bold"),
        Cell(seen, "red" if silent else "dim"),
        Cell(doing(worker), "" if worker.pid is not None else "dim"),
        _some(worker.queues),
        Cell(worker.release, "dim"),
    ]


def doing(worker: WorkerInfo) -> str:
    """What it runs, each with the step it is at; of a worker that waits, its jobs."""
    if worker.pid is None:
        return _some(worker.jobs)
    told = []
    for one in worker.running:
        step = one.step
        at = f": {step.name} {progress_words(step.current, step.of, step.unit)}".rstrip() if step else ""
        told.append(f"{one.title or one.name}{at}")
    return _some(told, len(worker.runs))


def _some(words: list[str], total: int = 0) -> str:
    """The first few, and how many more there are."""
    rest = max(total, len(words)) - len(words[:NAMED])
    return ", ".join([*words[:NAMED], *([f"{rest} more"] if rest else [])])
