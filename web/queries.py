"""Query parameters: which a route takes, and how a wrong one is told."""

from __future__ import annotations

from dataclasses import dataclass

from flask import request

from tracker.model import Status
from web.limits import PAGE, TEXT
from web.problems import invalid_query

DEFAULT_LIMIT = 50


@dataclass(frozen=True, slots=True)
class ListQuery:
    """The parameters of a list, checked."""

    status: str | None
    name: str | None
    page: str | None
    limit: int


def only(*names: str) -> None:
    """Raise ``Problem`` 400 for a parameter the route does not know, or one given twice."""
    for name, values in request.args.lists():
        if name not in names:
            known = f"this list takes {', '.join(names)}" if names else "this address takes none"
            raise invalid_query(name[:TEXT], f"unknown parameter {name[:TEXT]!r}; {known}")
        if len(values) > 1:
            raise invalid_query(name, f"{name} is given {len(values)} times; give it once")


def list_query(*names: str) -> ListQuery:
    """The current request's parameters, of which ``names`` are allowed; raises ``Problem`` 400."""
    only(*names)
    return ListQuery(_status(), _text("name"), _text("page"), _limit())


def _status() -> str | None:
    value = request.args.get("status")
    if value is not None and value not in list(Status):
        raise invalid_query("status", f"status is {value[:TEXT]!r}; use one of {', '.join(Status)}")
    return value


def _text(name: str) -> str | None:
    value = request.args.get(name)
    if value is not None and not 0 < len(value) <= TEXT:
        raise invalid_query(name, f"{name} has {len(value)} characters; use 1 to {TEXT}")
    return value


def _limit() -> int:
    value = request.args.get("limit", str(DEFAULT_LIMIT))
    if not (value.isascii() and value.isdigit() and len(value) < 5 and 1 <= int(value) <= PAGE):
        raise invalid_query("limit", f"limit is {value[:TEXT]!r}; use a whole number from 1 to {PAGE}")
    return int(value)
