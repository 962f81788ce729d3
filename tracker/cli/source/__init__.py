"""Where a command reads, watches and acts: one interface, straight to Redis and the archive, or over HTTP.

Commands know nothing else of either, so what they say is the same whichever it is.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from tracker.cli.source.items import Item
from tracker.model import LogLine, Operation
from tracker.queued import Expected, OnComplete

if TYPE_CHECKING:
    from tracker.history import Failures, OperationPage, Search, Summary, WorkerInfo
    from tracker.history.export import Format
    from tracker.store import Changes, JobInfo

__all__ = ["Item", "Source", "Wanted", "open_source"]


class Wanted(NamedTuple):
    """Which operations of a list; all that is given has to fit."""

    status: str | None = None
    name: str | None = None
    search: Search | None = None


class Source(Protocol):
    """A namespace as commands see it; opened by the first call, any of which may raise what ``tracker.errors`` names.

    What is asked for by ``id`` raises ``NotFound`` if there is no such operation.
    """

    where: str
    """What answers, for messages: ``Redis``, or the server's address."""

    def operations(self, wanted: Wanted, page: str | None = None, limit: int = 50) -> OperationPage:
        """Top-level operations, newest first, without steps."""

    def operation(self, id: str) -> Operation:
        """One operation with its steps."""

    def attempts(self, id: str) -> list[Operation]:
        """The operation as it was at each of its attempts, oldest first."""

    def children(self, id: str, status: str | None = None, page: str | None = None, limit: int = 50) -> OperationPage:
        """Children of an operation, in the order they were queued."""

    def failures(self, id: str) -> Failures:
        """The children of an operation that failed or were lost, by what went wrong."""

    def logs(self, id: str) -> list[LogLine]:
        """What an operation has logged, in all its attempts, oldest first."""

    def changes(self, id: str, after: str) -> Changes:
        """Some changes of an operation and its children behind a cursor; raises ``EventsGone``."""

    def jobs(self) -> list[JobInfo]:
        """What can be queued."""

    def workers(self) -> list[WorkerInfo]:
        """Who waits for work, and who works."""

    def summaries(self, name: str | None, days: int) -> list[Summary]:
        """How finished runs ended and how long they took."""

    def notices(self) -> list[str]:
        """What people should know about the answers they get here."""

    def export(self, wanted: Wanted, format: Format) -> Iterator[bytes]:
        """All operations that are wanted as a file, a piece at a time; ``format`` is ``csv`` or ``jsonl``."""

    def follow(self, id: str | None, stop: threading.Event) -> Iterator[Item]:
        """What happens to an operation and its children, or to all top-level operations, from now on.

        Begins with a ``Snapshot`` of each topic, goes on after every interruption, and says at least once a second
        that it is there.
        """

    def submit(self, job: str, args: dict[str, Any], labels: dict[str, str]) -> str:
        """Queue one operation; answers its id."""

    def batch(
        self,
        job: str,
        items: list[dict[str, Any]],
        labels: dict[str, str],
        title: str = "",
        on_complete: OnComplete | None = None,
    ) -> str:
        """Queue one operation for each item; answers the batch's id."""

    def cancel(self, id: str, *, terminate: bool = False) -> None:
        """Ask an operation to end, with everything open below it."""

    def resume(self, id: str, *, force: bool = False) -> Expected:
        """Queue a new attempt that reuses what steps have kept."""

    def rerun(self, id: str) -> None:
        """Queue a new attempt that starts over."""

    def erase(self, id: str) -> None:
        """Remove an operation that has ended, with all below it, everywhere; raises ``NotEnded``."""


def open_source(server: str | None = None) -> Source:
    """The server at that address or at ``TRACKER_SERVER``, else the Redis of the environment.

    Raises ``SettingsError``; nothing is connected yet.
    """
    from tracker.settings import Settings

    settings = Settings.from_env()
    address = server or settings.server
    if address:
        from tracker.cli.source.remote import Remote

        return Remote(address, settings.token)
    from tracker.cli.source.direct import Direct

    return Direct(settings)
