"""Query parameters: which a route takes, and how a wrong one is told. Each route's are the fields of a struct."""

from __future__ import annotations

import re
from typing import Annotated, TypeVar

import msgspec
from flask import request

from tracker.errors import TrackerError
from tracker.history import Search
from tracker.model import Status
from tracker.store import CURSOR, PAGE_PATTERN
from web.bodies import pointer_and_detail
from web.limits import DAYS, LARGEST, LATEST, PAGE, TEXT
from web.problems import Problem, invalid_query

LOG_PLACE = re.compile("([0-9]{1,9})[.]([0-9]{1,9})")
"""How the page of a log is written: attempt and number of the line before it."""

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=TEXT)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=LATEST)]
PageToken = Annotated[
    str,
    # Told here, and checked where it is used, which says more than a decoder could.
    msgspec.Meta(
        min_length=1, max_length=TEXT, description="the value of `next`", extra_json_schema={"pattern": PAGE_PATTERN}
    ),
]
LogToken = Annotated[
    str,
    msgspec.Meta(
        max_length=TEXT, description="the value of `next`", extra_json_schema={"pattern": f"^{LOG_PLACE.pattern}$"}
    ),
]
Cursor = Annotated[
    str,
    msgspec.Meta(
        max_length=TEXT,
        description="the cursor behind which they are",
        extra_json_schema={"pattern": f"^{CURSOR.pattern}$"},
    ),
]
Limit = Annotated[int, msgspec.Meta(ge=1, le=PAGE, description="most items of the page")]


class Query(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No parameters."""


class StatusQuery(Query, frozen=True):
    """Of which status."""

    status: Annotated[Status, msgspec.Meta(description="only those with this status")] | None = None


class ChildrenQuery(StatusQuery, frozen=True):
    """Which of an operation's children."""

    page: PageToken | None = None
    limit: Limit = 50


class FilterQuery(StatusQuery, frozen=True):
    """Which operations; all that is given has to fit."""

    name: Annotated[Text, msgspec.Meta(description="only those of this name")] | None = None
    label: (
        Annotated[
            str,
            msgspec.Meta(
                pattern="^[^:]+:", max_length=2 * TEXT + 1, description="`key:value`, only those with this label"
            ),
        ]
        | None
    ) = None
    worker: Annotated[Text, msgspec.Meta(description="only those run on this host")] | None = None
    step: Annotated[Text, msgspec.Meta(description="only those that are at a step of this name")] | None = None
    error: Annotated[Text, msgspec.Meta(description="only those with this text in their error")] | None = None
    release: Annotated[Text, msgspec.Meta(description="only those of this release")] | None = None
    q: Annotated[Text, msgspec.Meta(description="only those with this text in their id, name or title")] | None = None
    since: Annotated[Seconds, msgspec.Meta(description="only those made at this time or later, UTC seconds")] | None = (
        None
    )
    until: Annotated[Seconds, msgspec.Meta(description="only those made at this time or earlier")] | None = None

    def search(self) -> Search | None:
        """What is wanted beyond a status and a name."""
        key, _, value = (self.label or "").partition(":")
        found = Search(
            label=(key, value) if self.label else None,
            worker=self.worker or "",
            step=self.step or "",
            error=self.error or "",
            release=self.release or "",
            text=self.q or "",
            since=self.since,
            until=self.until,
        )
        return found if found != Search() else None


class ListQuery(FilterQuery, frozen=True):
    """Which operations, in pages."""

    page: PageToken | None = None
    limit: Limit = 50


class LogsQuery(Query, frozen=True):
    """Which lines of an operation."""

    page: LogToken | None = None
    limit: Limit = 50
    step: (
        Annotated[int, msgspec.Meta(ge=0, le=LARGEST, description="only lines logged under this step; 0: under none")]
        | None
    ) = None


class EventsQuery(Query, frozen=True):
    """Which changes of an operation."""

    after: Cursor = "0-0"
    limit: Limit = 50
    below: Annotated[bool, msgspec.Meta(description="also those of its children")] = False


class WhereaboutsQuery(Query, frozen=True):
    """Below which operation."""

    below: Annotated[Text, msgspec.Meta(description="only those directly below this operation")] | None = None


class StatsQuery(Query, frozen=True):
    """Of which name."""

    name: Annotated[Text, msgspec.Meta(description="only of this name")] | None = None
    days: Annotated[int, msgspec.Meta(ge=1, le=DAYS, description="how many days are told one by one")] = 30


def log_place(page: str | None) -> tuple[int, int]:
    """Attempt and number of the line after which a page of a log goes on; raises ``TrackerError``."""
    found = LOG_PLACE.fullmatch("0.0" if page is None else page)
    if found is None:
        raise TrackerError(f"{(page or '')[:TEXT]!r} is no page of this list; take the value of `next` as it was given")
    return int(found[1]), int(found[2])


Wanted = TypeVar("Wanted", bound=Query)

FORMS = {"label": "`key:value`"}
"""How parameters are written of which a pattern says less to people."""


def read(kind: type[Wanted]) -> Wanted:
    """The current request's parameters; raises ``Problem`` 400 naming the one that cannot be used."""
    given = {name: values[0] for name, values in request.args.lists()}
    for name, values in request.args.lists():
        if name not in kind.__struct_fields__:
            known = ", ".join(kind.__struct_fields__)
            raise invalid_query(
                name[:TEXT],
                f"unknown parameter {name[:TEXT]!r}; this address takes {known or 'none'}",
            )
        if len(values) > 1:
            raise invalid_query(name, f"{name} is given {len(values)} times; give it once")
    try:
        found = msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        pointer, detail = pointer_and_detail(str(error))
        raise _unusable(pointer[1:], given[pointer[1:]], detail) from None
    for name, value in given.items():
        if getattr(found, name) is None:  # Else `null` would be as good as not asking.
            raise _unusable(name, value, "leave it out if it does not matter")
    return found


def _unusable(name: str, value: str, detail: str) -> Problem:
    if "matching regex" in detail and name in FORMS:
        detail = f"write it as {FORMS[name]}"
    return invalid_query(name, f"{name} is {value[:TEXT]!r}: {detail[0].lower()}{detail[1:]}")
