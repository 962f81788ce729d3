"""The source on a machine that reaches Redis and the archive: reads and writes them itself."""

from __future__ import annotations

import getpass
import threading
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tracker.cli.source import Wanted
from tracker.cli.source.items import Item
from tracker.cli.source.local import completed
from tracker.model import LogLine, Operation
from tracker.queued import Expected, OnComplete
from tracker.settings import Settings

if TYPE_CHECKING:
    from tracker.celery.again import Repeating
    from tracker.celery.cancelling import Cancelling
    from tracker.celery.queueing import Queueing
    from tracker.history import Failures, History, OperationPage, Summary, WorkerInfo
    from tracker.history.export import Format
    from tracker.store import Changes, JobInfo, Store


class Direct:
    """The namespace that ``settings`` name, or else that of a running embedded server."""

    where = "Redis"

    def __init__(self, settings: Settings) -> None:
        self._given = settings

    @cached_property
    def _settings(self) -> Settings:
        return completed(self._given)

    @cached_property
    def _store(self) -> Store:
        from tracker.store import Store

        store = Store.of(self._settings)
        store.ping()
        return store

    @cached_property
    def _history(self) -> History:
        from tracker.history import History

        return History.of(self._settings, self._store)

    def operations(self, wanted: Wanted, page: str | None = None, limit: int = 50) -> OperationPage:
        return self._history.operations(
            status=wanted.status, name=wanted.name, search=wanted.search, page=page, limit=limit
        )

    def operation(self, id: str) -> Operation:
        return self._history.operation(id)

    def attempts(self, id: str) -> list[Operation]:
        return self._history.attempts(id)

    def children(self, id: str, status: str | None = None, page: str | None = None, limit: int = 50) -> OperationPage:
        return self._history.children(id, status=status, page=page, limit=limit)

    def failures(self, id: str) -> Failures:
        return self._history.failures(id)

    def logs(self, id: str) -> list[LogLine]:
        return self._history.logs(id)

    def changes(self, id: str, after: str) -> Changes:
        return self._history.events(id, after, below=True)

    def jobs(self) -> list[JobInfo]:
        return self._store.jobs()

    def workers(self) -> list[WorkerInfo]:
        return self._history.workers()

    def summaries(self, name: str | None, days: int) -> list[Summary]:
        return self._history.summaries(name, days)

    def notices(self) -> list[str]:
        return self._history.notices()

    def export(self, wanted: Wanted, format: Format) -> Iterator[bytes]:
        from tracker.history.export import PAGE, file

        return file(lambda page: self.operations(wanted, page, PAGE), format)

    def follow(self, id: str | None, stop: threading.Event) -> Iterator[Item]:
        from tracker.cli.source.following import follow

        return follow(self._store, self._history.live, id, stop)

    def submit(self, job: str, args: dict[str, Any], labels: dict[str, str]) -> str:
        return self._queueing.submit(job, args, labels)

    def batch(
        self,
        job: str,
        items: list[dict[str, Any]],
        labels: dict[str, str],
        title: str = "",
        on_complete: OnComplete | None = None,
    ) -> str:
        return self._queueing.batch(job, items, labels, title, on_complete=on_complete)

    def cancel(self, id: str, *, terminate: bool = False) -> None:
        self._cancelling.cancel(id, asker(), terminate=terminate)

    def resume(self, id: str, *, force: bool = False) -> Expected:
        return self._repeating.resume(id, asker(), force=force)

    def rerun(self, id: str) -> None:
        self._repeating.rerun(id, asker())

    def erase(self, id: str) -> None:
        self._history.erase(id)

    @cached_property
    def _queueing(self) -> Queueing:
        from tracker.celery.queueing import Queueing

        return Queueing(self._settings, self._store)

    @cached_property
    def _cancelling(self) -> Cancelling:
        from tracker.celery.cancelling import Cancelling

        return Cancelling(self._settings, self._store, self._history)

    @cached_property
    def _repeating(self) -> Repeating:
        from tracker.celery.again import Repeating

        return Repeating(self._store, self._history, self._queueing)


def asker() -> str:
    """Who asks, as others read it."""
    from tracker.process import host

    try:
        return f"{getpass.getuser()}@{host()}"
    except (KeyError, OSError):  # A user without a name, as in some containers.
        return f"somebody@{host()}"
