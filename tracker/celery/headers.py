"""What travels with a message: which operation it is for. The one place where its form is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

HEADER = "tracker"
"""Name of the message header."""


class Ticket(msgspec.Struct, omit_defaults=True):
    """What whoever sends a message says of its operation to whoever runs it.

    ``above`` are the titles of the operations around it. With ``checks`` it is asked, as it begins, whether somebody
    has cancelled it meanwhile; a run that ``resumes`` takes what earlier attempts have kept. If there may be several
    messages for one operation, each has an id of its own (``message``), and the operation begins for the first only.
    """

    operation: str
    parent: str = ""
    title: str = ""
    created: float | None = None
    above: list[str] = []
    checks: bool = False
    resumes: bool = False
    message: str = ""


def header_of(ticket: Ticket) -> dict[str, Any]:
    """The header that carries ``ticket``."""
    return {HEADER: msgspec.to_builtins(ticket)}


def ticket_of(held: Any, task_id: str) -> Ticket:
    """The ticket found in a message; of one without, or with one nobody understands, the task's id is the operation."""
    if isinstance(held, Mapping):
        try:
            return msgspec.convert(dict(held), Ticket)
        except msgspec.ValidationError:
            pass
    return Ticket(task_id)
