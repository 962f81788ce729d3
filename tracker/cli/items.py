"""The items of ``tracker batch``: JSON objects, values of one argument, patterns of file names, lines of a file."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
import msgspec

from tracker.cli.job_options import typed


class Given(NamedTuple):
    """The text of an item, and where it stands, for messages."""

    text: str
    where: str

    @property
    def is_object(self) -> bool:
        """Whether it is arguments, and not the value of one."""
        return self.text.lstrip().startswith("{")


def given(words: Sequence[str], file: str | None, root: Path) -> list[Given]:
    """The items that are words of the command line, patterns among them replaced, and those of a file.

    Patterns are of files in ``root``. Raises ``click.UsageError``.
    """
    named = [Given(found, f"item {found[:80]!r}") for word in words for found in expanded(word, root)]
    return [*named, *(lines_of(file) if file is not None else ())]


def expanded(word: str, root: Path) -> Sequence[str]:
    """The files in ``root`` that fit a pattern, sorted; as in a shell, the word itself where none does.

    ``**`` stands for any folders. What is itself a file's name is no pattern.
    """
    if not glob.has_magic(word) or word.lstrip().startswith("{") or os.path.lexists(root / word):
        return [word]
    found = glob.glob(word, root_dir=root, recursive=True)
    return sorted(name for name in found if (root / name).is_file()) or [word]


def lines_of(name: str) -> Iterator[Given]:
    """The non-empty lines of the file ``name``, or of stdin for ``-``. Raises ``click.UsageError``."""
    called = "stdin" if name == "-" else name
    try:
        with sys.stdin if name == "-" else open(name, encoding="utf-8") as stream:
            for number, line in enumerate(stream, 1):
                if line.strip():
                    yield Given(line.rstrip("\r\n"), f"line {number} of {called}")
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"cannot read the items from {called}: {error}") from None


def arguments(
    items: Sequence[Given], schema: Callable[[], dict[str, Any]], arg_name: str | None
) -> list[dict[str, Any]]:
    """The arguments that each item stands for; ``schema`` is asked for only if an item is no JSON object."""
    known = {} if all(item.is_object for item in items) else schema()
    return [argument(item, known, arg_name) for item in items]


def argument(item: Given, schema: dict[str, Any], arg_name: str | None) -> dict[str, Any]:
    """The arguments one item stands for.

    >>> argument(Given("notes.txt", "item 1"), {"required": ["path"]}, None)
    {'path': 'notes.txt'}
    """
    if item.is_object:
        return json_object(item.text, item.where)
    name = arg_name or _only_required(schema)
    return {name: typed(item.text, schema.get("properties", {}).get(name, {}))}


def _only_required(schema: dict[str, Any]) -> str:
    required = schema.get("required", [])
    if len(required) != 1:
        names = ", ".join(required) or "none"
        raise click.UsageError(f"say with --arg-name which argument an ITEM is; the job requires: {names}")
    return str(required[0])


def json_object(text: str, what: str) -> dict[str, Any]:
    """``text`` as a JSON object; raises ``click.UsageError`` naming ``what`` it is."""
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise click.UsageError(f"{what} is not a JSON object: {error}") from None
