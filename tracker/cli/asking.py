"""Asking before something is done that somebody may not have meant."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from tracker.cli.output import Output
from tracker.model import ENDED, Operation
from tracker.render.transitions import title_of
from tracker.render.words import status_words

SHOWN = 10
"""Operations that are named in a question; the others are counted."""

YES = click.option("--yes", is_flag=True, help="Do not ask.")


def ask(question: str, operations: Sequence[Operation], output: Output) -> None:
    """Name the operations and ask; a no raises ``click.Abort``.

    Where nobody can answer, raises ``click.UsageError``: a script says ``--yes``.
    """
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} Nobody can be asked here; say --yes")
    for operation in operations[:SHOWN]:
        output.note(f"  {operation.id}  {status_words(operation)}  {title_of(operation)}{_below(operation)}")
    if len(operations) > SHOWN:
        output.note(f"  and {len(operations) - SHOWN} more")
    click.confirm(question, abort=True, err=True, prompt_suffix=" ")


def _below(operation: Operation) -> str:
    children = operation.children
    if not children.total:
        return ""
    left, how = (
        (children.failed, "not complete") if operation.status in ENDED else (children.total - children.ended, "open")
    )
    return f", {left} of {children.total} below it {how}"
