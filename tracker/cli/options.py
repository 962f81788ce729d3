"""Options that several commands share, and how their values are read."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import rich_click as click

Command = TypeVar("Command", bound=Callable[..., Any])


def output_options(command: Command) -> Command:
    """Add ``--json`` and ``--no-color``, handed to the command as one ``output`` argument."""
    from tracker.cli.output import Output

    def gathered(*args: Any, as_json: bool, no_color: bool, **kwargs: Any) -> Any:
        return command(*args, output=Output.choose(as_json=as_json, no_color=no_color), **kwargs)

    gathered.__doc__, gathered.__name__ = command.__doc__, command.__name__
    gathered.__dict__.update(command.__dict__)
    for option in (
        click.option("--no-color", is_flag=True, help="No colours (also: NO_COLOR, TERM=dumb)."),
        click.option("--json", "as_json", is_flag=True, help="One JSON object a line, nothing else on stdout."),
    ):
        gathered = option(gathered)
    return gathered  # type: ignore[return-value]


def source_option(command: Command) -> Command:
    """Add ``--server``, handed to the command as ``source``; nothing is connected before it is asked."""
    from tracker.cli.source import open_source

    def opened(*args: Any, server: str | None, **kwargs: Any) -> Any:
        return command(*args, source=open_source(server), **kwargs)

    opened.__doc__, opened.__name__ = command.__doc__, command.__name__
    opened.__dict__.update(command.__dict__)
    option = click.option("--server", metavar="URL", help="Ask this web server instead of Redis (TRACKER_SERVER).")
    return option(opened)  # type: ignore[return-value]


def pairs(values: Iterable[str], option: str) -> dict[str, str]:
    """``("tenant=acme",)`` as a dictionary; a value without ``=`` is a usage error naming the option.

    >>> pairs(["tenant=acme"], "--label")
    {'tenant': 'acme'}
    """
    found = {}
    for value in values:
        key, equals, text = value.partition("=")
        if not (key and equals):
            raise click.UsageError(f"{option} {value!r} is not of the form key=value")
        found[key] = text
    return found


def lines_of(name: str) -> list[str]:
    """The non-empty lines of the file ``name``, or of stdin for ``-``."""
    try:
        with sys.stdin if name == "-" else open(name, encoding="utf-8") as stream:
            return [line.rstrip("\r\n") for line in stream if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"cannot read the items from {name}: {error}") from None
