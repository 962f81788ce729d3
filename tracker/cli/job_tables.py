"""The shapes in which ``tracker jobs`` is printed: all jobs as a list, or one with each of its arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tracker.cli.job_options import NAME, PREFIX, options_of
from tracker.cli.output import Output
from tracker.render.words import clean

if TYPE_CHECKING:
    from click import Option

    from tracker.render.table import Cells
    from tracker.store import JobInfo


def plain(job: JobInfo) -> str:
    """Name, arguments, live workers and what it does, separated by tabs; optional arguments stand in brackets."""
    return "\t".join(map(clean, (job.name, arguments(job) or "-", live(job), plainly(job)))).rstrip()


def print_jobs(jobs: Sequence[JobInfo], output: Output) -> None:
    """A list fitted to the terminal."""
    from tracker.render.table import Cell, Column

    columns = (
        Column("job", 9, least=8),
        Column("arguments", 7, least=8),
        Column("workers", 6),
        Column("does", 5, least=14),
    )
    rows: list[Cells] = []
    for job in jobs:
        workers = Cell(live(job), "" if job.workers else "red")
        rows.append([Cell(job.name, "bold"), arguments(job), workers, Cell(plainly(job), "dim")])
    output.table(columns, rows)


def print_job(job: JobInfo, output: Output) -> None:
    """One job with each of its arguments as an option of ``tracker submit``, on a terminal and in a pipe alike."""
    required, properties = job.schema.get("required", []), job.schema.get("properties", {})
    options = options_of(job.schema)
    facts = (live(job), f"queue {job.queue}", f"release {job.release}" if job.release else "")
    needed = " ".join(
        spelt(option) for option in options if option.name and option.name.removeprefix(PREFIX) in required
    )
    width = max((len(spelt(option)) for option in options), default=0)
    lines = [
        f"{job.name}: {plainly(job)}" if job.description else job.name,
        f"  {', '.join(fact for fact in facts if fact)}",
        *(f"  {spelt(option):<{width}}  {option.help or ''}".rstrip() for option in options),
        *(f"  --arg {name}=VALUE" for name in properties if not NAME.fullmatch(name)),
        "" if properties else "  takes no arguments",
        f"  tracker submit {job.name} {needed}".rstrip(),
    ]
    for line in filter(None, lines):
        output.line(clean(line))


def spelt(option: Option) -> str:
    """``--copies INTEGER``, ``--dry-run/--no-dry-run``."""
    names = "/".join([*option.opts, *option.secondary_opts])
    return f"{names} {option.metavar}" if option.metavar else names


def plainly(job: JobInfo) -> str:
    """What it does, without the quotes of a docstring."""
    return job.description.replace("``", "")


def arguments(job: JobInfo) -> str:
    """``path [depth]``: in brackets what may be left out."""
    required = job.schema.get("required", [])
    return " ".join(name if name in required else f"[{name}]" for name in job.schema.get("properties", {}))


def live(job: JobInfo) -> str:
    """How many workers run it."""
    return f"{job.workers} worker{'s' if job.workers > 1 else ''}" if job.workers else "no live worker"
