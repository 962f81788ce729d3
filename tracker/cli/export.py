"""``tracker export``: all operations that the filters find, as a table or as JSON lines, however many they are."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tracker.cli import exit_codes
from tracker.cli.filters import Filter, filter_options
from tracker.cli.options import output_options, source_option
from tracker.cli.output import Output
from tracker.cli.source import Source, Wanted
from tracker.cli.source.paging import PAGE
from tracker.cli.verb import Verb
from tracker.errors import TrackerError
from tracker.render.words import clean

if TYPE_CHECKING:
    from tracker.history import OperationPage
    from tracker.history.export import Format

LINES = (".jsonl", ".ndjson", ".json")
"""How names of files end that hold JSON lines."""


@click.command(cls=Verb)
@click.option("--format", type=click.Choice(["csv", "jsonl"]), metavar="FORMAT", help="csv (if not said) or jsonl.")
@click.option("-o", "--output", "path", type=click.Path(path_type=Path), metavar="FILE", help="Where to; else stdout.")
@filter_options
@source_option
@output_options
def export(format: Format | None, path: Path | None, filter: Filter, source: Source, output: Output) -> int:
    """Write all operations that the filters find, newest first.

    FILE is there once it is whole; an export that breaks off leaves none, and ends with exit code 1.

    Example:  tracker export --since 7d -o week.csv
    """
    chosen: Format = format or ("jsonl" if output.json or (path and path.suffix in LINES) else "csv")
    chunks = pieces(source, filter, chosen)
    # A header, and what is read first: what is wrong from the beginning is no export that broke off.
    first = list(islice(chunks, 2))
    with _whole(path) if path is not None else _stdout() as write:
        try:
            for chunk in chain(first, chunks):
                write(chunk)
        except TrackerError as error:
            raise TrackerError(f"the export broke off: {error}") from error
    if path is not None:
        output.note(f"wrote {path}, {path.stat().st_size:,} bytes")
    return exit_codes.COMPLETE


def pieces(source: Source, filter: Filter, format: Format) -> Iterator[bytes]:
    """The file, a page at a time."""
    if len(filter.statuses) <= 1:
        status = next(iter(filter.statuses), None)
        return iter(source.export(Wanted(status, filter.name, filter.search), format))
    from tracker.history.export import file

    return file(_paged(filter, source), format)


def _paged(filter: Filter, source: Source) -> Callable[[str | None], OperationPage]:
    """Several lists as one, in pages."""
    from tracker.history import OperationPage

    operations = filter.read(source)

    def read(page: str | None) -> OperationPage:
        some = list(islice(operations, PAGE))
        return OperationPage(some, "more" if len(some) == PAGE else None)

    return read


@contextmanager
def _stdout() -> Iterator[Callable[[bytes], object]]:
    """As it is into a pipe; on a terminal without anything that could move its cursor."""
    sys.stdout.flush()
    yield _harmlessly if sys.stdout.isatty() else sys.stdout.buffer.write
    sys.stdout.buffer.flush()


def _harmlessly(chunk: bytes) -> None:
    for line in chunk.decode().splitlines():
        print(clean(line))


@contextmanager
def _whole(path: Path) -> Iterator[Callable[[bytes], object]]:
    """Writes beside ``path``, and gives what was written that name when all of it is on the disk."""
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as stream:
            yield stream.write
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
    except OSError as error:
        raise TrackerError(f"{path} was not written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            part.unlink()
