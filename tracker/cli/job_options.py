"""The arguments of a job as options of the command that queues it, made from the schema its workers have published."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import click
import msgspec

from tracker.cli.source import open_source
from tracker.cli.verb import Verb
from tracker.errors import TrackerError

PREFIX = "argument_"
"""Before the names of these options' values, so that an argument may be called as an option of the command's own."""

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")

METAVARS = {"integer": "INTEGER", "number": "NUMBER", "string": "TEXT"}


class JobCommand(Verb):
    """A command whose first word is a job: it takes that job's arguments as ``--name VALUE``, and its help tells them.

    Without a Redis, or for a job nobody knows, it has its own options only: what is wrong is told when it runs.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        job = next((word for word in args if not word.startswith("-")), "")
        taken = {name for param in self.params for name in param.opts}
        ctx.meta[PREFIX] = [option for option in _options(job, _server(args)) if not taken & set(option.opts)]
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption:
            _check_known(job, _server(args))  # An option that is unknown may well be one of the job that was meant.
            raise

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*ctx.meta.get(PREFIX, []), *super().get_params(ctx)]


def arguments_in(options: dict[str, Any]) -> dict[str, Any]:
    """The arguments among the values of a command's options; those not given are left out."""
    named = {key.removeprefix(PREFIX): value for key, value in options.items() if key.startswith(PREFIX)}
    given = {name: value for name, value in named.items() if value not in (None, ())}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}


def typed(text: str, schema: dict[str, Any]) -> Any:
    """``text`` as the type the job's schema asks for: JSON if it asks for anything but a string.

    >>> typed("3", {"type": "integer"}), typed("3", {"type": "string"})
    (3, '3')
    """
    kinds = {schema.get("type"), *(choice.get("type") for choice in schema.get("anyOf", []))}
    if "string" in kinds or kinds == {None}:
        return text
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def _server(args: list[str]) -> str | None:
    """What ``--server`` says, which is not read yet when the options are to be known."""
    following = dict(pairwise(args))
    joined = [word.partition("=")[2] for word in args if word.startswith("--server=")]
    return following.get("--server") or next(iter(joined), None)


def _check_known(job: str, server: str | None) -> None:
    """Raise ``UnknownJob`` if it is known that there is no such job."""
    from tracker.cli.read import known_job

    known_job(open_source(server).jobs(), job)


def _options(job: str, server: str | None) -> list[click.Option]:
    try:
        found = next((known.schema for known in open_source(server).jobs() if known.name == job), None)
    except TrackerError:
        return []
    return options_of(found or {})


def options_of(schema: dict[str, Any]) -> list[click.Option]:
    """The options by which the arguments of a job are given; one whose name fits none goes by ``--arg``."""
    needed, properties = schema.get("required", []), schema.get("properties", {})
    return [option_of(name, part, name in needed) for name, part in properties.items() if NAME.fullmatch(name)]


def option_of(name: str, schema: dict[str, Any], needed: bool) -> click.Option:
    """The option by which an argument is given."""
    flag = name.replace("_", "-")
    plain = [choice for choice in schema.get("anyOf", [schema]) if choice.get("type") != "null"]
    kind = plain[0].get("type", "") if len(plain) == 1 else ""
    told = _help(schema, plain[0] if len(plain) == 1 else schema, needed)
    if kind == "boolean":
        return click.Option([f"--{flag}/--no-{flag}", PREFIX + name], help=told, default=None)
    if kind == "array" and plain[0].get("items", {}).get("type") == "string":
        return click.Option([f"--{flag}", PREFIX + name], help=told, multiple=True, metavar="TEXT")
    metavar = METAVARS.get(kind, "JSON")
    return click.Option([f"--{flag}", PREFIX + name], help=told, metavar=metavar, callback=_reader(schema))


def _reader(schema: dict[str, Any]) -> Any:
    return lambda ctx, param, text: None if text is None else typed(text, schema)


def _help(schema: dict[str, Any], plain: dict[str, Any], needed: bool) -> str:
    """What may stand there, in words."""
    bounds = [f"{word} {plain[key]}" for key, word in (("minimum", "at least"), ("maximum", "at most")) if key in plain]
    choices = " | ".join(map(str, plain.get("enum", [])))
    default = msgspec.json.encode(schema["default"]).decode() if schema.get("default") is not None else ""
    words = [
        str(schema.get("description") or plain.get("description") or "").rstrip("."),
        choices,
        ", ".join(bounds),
        f"otherwise {default}" if default else "",
        "needed" if needed else "",
    ]
    return "; ".join(word for word in words if word)
