"""The source on a machine that reaches no more than the web server: asks it for everything."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from tracker.cli.source import Wanted
from tracker.cli.source.http import Http, Query
from tracker.cli.source.items import Item
from tracker.errors import NotFound
from tracker.history import Failures, OperationPage, Summary, WorkerInfo
from tracker.ids import ID
from tracker.model import LogLine, Operation
from tracker.queued import Expected, OnComplete
from tracker.store import Changes, JobInfo

if TYPE_CHECKING:
    from tracker.history.export import Format

API = "/api/v1"

MOST = 200
"""Items that the server gives at once."""

UNKNOWN = Expected("it runs what is not kept")
"""What a new attempt will do, if the server has queued it and cannot say."""

Kind = TypeVar("Kind")


class _List(msgspec.Struct, Generic[Kind]):
    items: list[Kind]
    next: str | None = None


class _Queued(msgspec.Struct):
    id: str
    expected: Expected | None = None


class Remote:
    """The namespace behind the server at ``address``, which is shown ``token`` if there is one.

    Raises ``SettingsError`` for an address that is none; nothing is connected yet.
    """

    def __init__(self, address: str, token: str = "") -> None:
        self._http = Http(address, token)
        self.where = self._http.where

    def operations(self, wanted: Wanted, page: str | None = None, limit: int = 50) -> OperationPage:
        return self._pages(f"{API}/operations", _filters(wanted), page, limit)

    def operation(self, id: str) -> Operation:
        return self._http.get(_path(id), Operation)

    def attempts(self, id: str) -> list[Operation]:
        return self._http.get(_path(id, "/attempts"), _List[Operation]).items

    def children(self, id: str, status: str | None = None, page: str | None = None, limit: int = 50) -> OperationPage:
        return self._pages(_path(id, "/children"), {"status": status}, page, limit)

    def failures(self, id: str) -> Failures:
        return self._http.get(_path(id, "/failures"), Failures)

    def logs(self, id: str) -> list[LogLine]:
        found = self._http.get(_path(id, "/logs"), _List[LogLine], {"limit": MOST})
        lines = found.items
        while found.next is not None:
            found = self._http.get(_path(id, "/logs"), _List[LogLine], {"limit": MOST, "page": found.next})
            lines += found.items
        return lines

    def changes(self, id: str, after: str) -> Changes:
        return self._http.get(_path(id, "/events"), Changes, {"after": after, "below": "true", "limit": MOST})

    def jobs(self) -> list[JobInfo]:
        return self._http.get(f"{API}/jobs", _List[JobInfo]).items

    def workers(self) -> list[WorkerInfo]:
        return self._http.get(f"{API}/workers", _List[WorkerInfo]).items

    def summaries(self, name: str | None, days: int) -> list[Summary]:
        return self._http.get(f"{API}/stats", _List[Summary], {"name": name, "days": days}).items

    def notices(self) -> list[str]:
        return self._http.get(f"{API}/notices", _List[str]).items

    def export(self, wanted: Wanted, format: Format) -> Iterator[bytes]:
        """Read in pages, each of which can be asked for again; a download that is cut has to begin anew."""
        from tracker.history.export import PAGE, file

        return file(lambda page: self.operations(wanted, page, PAGE), format)

    def follow(self, id: str | None, stop: threading.Event) -> Iterator[Item]:
        from tracker.cli.source.live import follow

        return follow(self._http, id, stop)

    def submit(self, job: str, args: dict[str, Any], labels: dict[str, str]) -> str:
        body = {"job": job, "args": args, "labels": labels}
        return self._http.post(f"{API}/operations", body, _Queued).id

    def batch(
        self,
        job: str,
        items: list[dict[str, Any]],
        labels: dict[str, str],
        title: str = "",
        on_complete: OnComplete | None = None,
    ) -> str:
        body = {"job": job, "items": items, "labels": labels, "title": title, "on_complete": on_complete}
        return self._http.post(f"{API}/batches", body, _Queued).id

    def cancel(self, id: str, *, terminate: bool = False) -> None:
        self._http.post(_path(id, "/cancel"), {"terminate": terminate}, _Queued)

    def resume(self, id: str, *, force: bool = False) -> Expected:
        return self._http.post(_path(id, "/resume"), {"force": force}, _Queued).expected or UNKNOWN

    def rerun(self, id: str) -> None:
        self._http.post(_path(id, "/rerun"), {}, _Queued)

    def erase(self, id: str) -> None:
        self._http.delete(_path(id))

    def _pages(self, path: str, query: Query, page: str | None, limit: int) -> OperationPage:
        """A page of any size, made of as many as the server gives at once."""
        items: list[Operation] = []
        while True:
            size = min(MOST, limit - len(items))
            found = self._http.get(path, OperationPage, query | {"page": page, "limit": size})
            items += found.items
            page = found.next
            if page is None or len(found.items) < size or len(items) >= limit:
                return OperationPage(items, page)


def _path(id: str, more: str = "") -> str:
    """Where an operation is; raises ``NotFound`` for what is no id, before it becomes part of an address."""
    if not ID.fullmatch(id) or not id.strip("."):
        raise NotFound.operation(id)
    return f"{API}/operations/{id}{more}"


def _filters(wanted: Wanted) -> Query:
    search = wanted.search
    found: Query = {"status": wanted.status, "name": wanted.name}
    if search is None:
        return found
    return found | {
        "label": ":".join(search.label) if search.label else None,
        "worker": search.worker,
        "step": search.step,
        "error": search.error,
        "release": search.release,
        "q": search.text,
        "since": search.since,
        "until": search.until,
    }
