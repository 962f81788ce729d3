"""What a check says: a finding, with its level, why it matters and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum

import msgspec

from tracker.errors import StoreUnavailable


class Level(StrEnum):
    """How much a finding matters; only a problem needs a person now."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    PROBLEM = "problem"


class Finding(msgspec.Struct, frozen=True):
    """``check`` is the name of the check that says it; ``why`` and ``remedy`` may be empty where all is well."""

    check: str
    level: Level
    found: str
    why: str = ""
    remedy: str = ""


Findings = Iterable[Finding]

FORBIDDEN = re.compile(
    r"no permissions? to (?:run the '(?P<command>[\w|]+)' command|access (?:a|one of the) (?P<what>key|channel))", re.I
)
"""How a server says what a user may not do, on its own or out of a script."""


# Checks leave their name out; whoever runs them puts it in.


def ok(found: str) -> Finding:
    """All is well."""
    return Finding("", Level.OK, found)


def note(found: str, why: str, remedy: str = "") -> Finding:
    """Worth knowing; nothing has to be done."""
    return Finding("", Level.NOTE, found, why, remedy)


def warning(found: str, why: str, remedy: str) -> Finding:
    """Doubtful: it may be meant so, or become a problem."""
    return Finding("", Level.WARNING, found, why, remedy)


def problem(found: str, why: str, remedy: str) -> Finding:
    """Wrong: somebody has to do something."""
    return Finding("", Level.PROBLEM, found, why, remedy)


def failure(error: StoreUnavailable, prefix: str = "") -> tuple[str, str]:
    """What an error of the store says has happened, and what to do about it; ``prefix`` is that of the keys.

    >>> failure(StoreUnavailable("it has no memory left; raise its maxmemory"))
    ('it has no memory left', 'raise its maxmemory')
    """
    forbidden = FORBIDDEN.search(str(error))
    if forbidden is None:
        happened, _, remedy = str(error).rpartition("; ")
        return (happened, remedy) if happened else (remedy, "look into the log of Redis")
    command, sigil = forbidden["command"], {"key": "~", "channel": "&"}.get(forbidden["what"])
    if command:
        return f"Redis refused: the user may not run {command.upper()}", f"ACL SETUSER NAME +{command}"
    return f"Redis refused: the user may not use its {forbidden['what']}s", f"ACL SETUSER NAME '{sigil}{prefix}*'"


def some(names: Iterable[str], most: int = 5) -> str:
    """A few names, and how many more there are.

    >>> some(["b", "a", "a", "c"], most=2)
    'a, b and 1 more'
    """
    known = sorted(set(names))
    return ", ".join(known[:most]) + (f" and {len(known) - most} more" if len(known) > most else "")


def size(number: float) -> str:
    """Bytes as people read them.

    >>> size(900), size(3_500_000)
    ('900 B', '3.34 MiB')
    """
    for unit in ("B", "KiB", "MiB"):
        if number < 1024:
            return f"{number:.3g} {unit}"
        number /= 1024
    return f"{number:,.1f} GiB"
