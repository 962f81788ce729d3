"""Options that several commands share, and how their values are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def with_options(
    command: Command, options: Sequence[Callable[[Any], Any]], turn: Callable[[dict[str, Any]], None]
) -> Command:
    """``command`` with more options, whose values ``turn`` replaces by what the command itself takes."""

    def turned(*args: Any, **kwargs: Any) -> Any:
        turn(kwargs)
        return command(*args, **kwargs)

    turned.__doc__, turned.__name__ = command.__doc__, command.__name__
    turned.__dict__.update(command.__dict__)
    for option in reversed(options):
        turned = option(turned)
    return turned  # type: ignore[return-value]


def output_options(command: Command) -> Command:
    """Add ``--json`` and ``--no-color``, handed to the command as one ``output`` argument."""
    from tracker.cli.output import Output

    def turn(values: dict[str, Any]) -> None:
        values["output"] = Output.choose(as_json=values.pop("as_json"), no_color=values.pop("no_color"))

    as_json = click.option("--json", "as_json", is_flag=True, help="One JSON object a line, nothing else on stdout.")
    no_color = click.option("--no-color", is_flag=True, help="No colours (also: NO_COLOR, TERM=dumb).")
    return with_options(command, (as_json, no_color), turn)


def source_option(command: Command) -> Command:
    """Add ``--server``, handed to the command as ``source``; nothing is connected before it is asked."""
    from tracker.cli.source import open_source

    def turn(values: dict[str, Any]) -> None:
        values["source"] = open_source(values.pop("server"))

    server = click.option("--server", metavar="URL", help="Ask this web server instead of Redis (TRACKER_SERVER).")
    return with_options(command, (server,), turn)


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
