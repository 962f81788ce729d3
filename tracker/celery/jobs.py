"""Jobs: Celery tasks that may be queued from outside. Declaring one puts it on the allow-list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from celery import shared_task

from tracker.celery.schema import schema_of
from tracker.celery.tracking import TrackedTask


class OperationTask(TrackedTask):
    """A task whose executions are kept, whatever they do, and whose result is nobody's."""

    abstract = True
    ignore_result = True
    keep_short = True
    # Whatever it raises is stored with the operation, whole; Celery need not print it again.
    throws = (Exception,)


class JobTask(OperationTask):
    """A task on the allow-list, with the schema of its arguments."""

    abstract = True
    arguments: dict[str, Any]


def job(*, name: str) -> Callable[[Callable[..., Any]], Any]:
    """Declare a function as a job that may be queued over HTTP and from the command line.

    The schema of its arguments comes from its type hints; a signature that has none raises
    ``TrackerError`` at import. Called directly, the function runs as it stands, without Celery.

    >>> @job(name="reports.send")
    ... def send(address: str, copies: int = 1) -> None: ...
    """

    def declare(function: Callable[..., Any]) -> Any:
        return shared_task(name=name, base=JobTask, arguments=schema_of(function))(function)

    return declare
