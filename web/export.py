"""``GET /api/v1/export``: everything that a filter finds, as one download.

Reads a page at a time and holds no more than that, so it may be as long as it is; a client that goes away, or reads
nothing, ends it. What fails on the way breaks the stream off: half a file is never taken for a whole one.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from flask import Blueprint, Response, request

from tracker.errors import TrackerError
from tracker.history import OperationPage
from tracker.history.export import HEADER, Format, Read, row, table
from tracker.model import Operation
from web import shim
from web.api import READING
from web.limits import EXPORTED, PAGE
from web.problems import RETRY_AFTER, Problem
from web.queries import FilterQuery
from web.routes import route
from web.site import site

log = logging.getLogger("tracker.web")

CSV, JSONL = "text/csv", "application/x-ndjson"

blueprint = Blueprint("export", __name__)


class ExportQuery(FilterQuery, frozen=True):
    """Which operations, and how they are written."""

    format: Annotated[Format, msgspec.Meta(description="a table, or one JSON object a line")] = "csv"


@route(
    blueprint,
    "GET",
    "/api/v1/export",
    query=ExportQuery,
    answer=str,
    media=(CSV, JSONL),
    problems=("busy", *READING),
    headers=("Content-Disposition",),
)
def export(query: ExportQuery) -> Response:
    """All top-level operations that the filters find, newest first, as a file; at most 1,000,000."""
    history, exports = site().history, site().exports
    search = query.search()

    def read(page: str | None) -> OperationPage:
        return history.operations(status=query.status, name=query.name, search=search, page=page, limit=PAGE)

    if not exports.take():
        detail = "as many exports as this server makes at once are being read; come back in a moment"
        raise Problem("busy", detail, headers={"Retry-After": RETRY_AFTER})
    try:
        first = read(None)  # What fails now is told as a problem.
    except BaseException:
        exports.leave()
        raise
    shim.limit_unread_answer(request.environ, site().limits.unread)
    lines = csv_lines(first, read) if query.format == "csv" else json_lines(first, read)
    response = Response(lines, mimetype=CSV if query.format == "csv" else JSONL, headers=_named(query.format))
    response.call_on_close(exports.leave)
    return response


def _named(format: str) -> dict[str, str]:
    name = f"operations-{datetime.now(UTC):%Y%m%d-%H%M%S}.{format}"
    return {"Content-Disposition": f'attachment; filename="{name}"'}


def csv_lines(first: OperationPage, read: Read) -> Iterator[str]:
    """A header, then a page of rows at a time."""
    yield table([HEADER])
    try:
        for operations in _pages(first, read):
            yield table(map(row, operations))
    except TrackerError as error:
        _break_off(error)


def json_lines(first: OperationPage, read: Read) -> Iterator[bytes]:
    """A page of lines at a time; what fails is told in the last line."""
    encode = msgspec.json.Encoder().encode_lines
    try:
        for operations in _pages(first, read):
            yield encode(operations)
    except TrackerError as error:
        yield encode([{"error": str(error)}])
        _break_off(error)


def _pages(page: OperationPage, read: Read) -> Iterator[list[Operation]]:
    left = EXPORTED
    while True:
        yield page.items[:left]
        left -= len(page.items)
        if page.next is None:
            return
        if left <= 0:
            raise TrackerError(f"more than {EXPORTED:,} operations; take them in parts, with `since` and `until`")
        page = read(page.next)


def _break_off(error: TrackerError) -> None:
    """Close the connection before the end of the answer has been told, which clients take for the failure it is."""
    log.warning("an export broke off: %s", error)
    raise ConnectionResetError(errno.ECONNRESET, "the export broke off")
