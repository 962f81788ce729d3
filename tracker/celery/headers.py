"""What travels with a message: which operation it is for. The one place where its form is known."""

from __future__ import annotations

from typing import Any

import msgspec

HEADER = "tracker"
"""Name of the message header."""


class Ticket(msgspec.Struct, omit_defaults=True):
    """What whoever sends a message says of its operation to whoever runs it.

    ``above`` are the titles of the operations around it. A run that ``resumes`` takes what earlier attempts have kept.
    Where the ``message`` has an id of its own, it is asked before it begins whether somebody has cancelled the
    operation meanwhile; and of several messages for one operation, it begins for the first only.
    """

    operation: str
    parent: str = ""
    title: str = ""
    created: float | None = None
    above: list[str] = []
    resumes: bool = False
    message: str = ""


def header_of(ticket: Ticket) -> dict[str, Any]:
    """The header that carries ``ticket``."""
    return {HEADER: msgspec.to_builtins(ticket)}


def ticket_of(held: Any, task_id: str) -> Ticket:
    """The ticket found in a message; of one without, or with one nobody understands, the task's id is the operation."""
    if isinstance(held, dict):
        try:
            return msgspec.convert(held, Ticket)
        except msgspec.ValidationError:
            pass
    return Ticket(task_id)
