"""How a cancelled block ends the Celery task it is in, without loading Celery.

Anything but an ``Exception`` that leaves a task ends the worker's process as well, so a cancellation is turned into
Celery's own word for a task that is over.
"""

from __future__ import annotations

import sys
from typing import Any

from tracker.errors import OperationCancelled
from tracker.interrupts import pass_on


def end_task(exc: BaseException | None) -> None:
    """``exc`` leaves all that is tracked; raises ``celery.exceptions.Ignore`` if that cancels the task around it."""
    if exc is None or not is_cancelled(exc):
        return
    state = sys.modules.get("celery._state")
    task = state.get_current_worker_task() if state is not None else None
    if task is not None:
        _revoke(task, str(exc))
        raise sys.modules["celery.exceptions"].Ignore("cancelled") from exc


def is_cancelled(exc: BaseException) -> bool:
    """Whether ``exc`` says that the operation was cancelled, and nothing else."""
    if isinstance(exc, BaseExceptionGroup):
        return exc.split(OperationCancelled)[1] is None
    return isinstance(exc, OperationCancelled)


def _revoke(task: Any, reason: str) -> None:
    """Give the task's result the state REVOKED, where results are kept."""
    request = task.request
    if request.is_eager:
        return
    try:
        ignored = task.ignore_result or request.ignore_result
        task.backend.mark_as_revoked(request.id, reason, request=request, store_result=not ignored)
    except Exception as error:  # The backend may be away.
        pass_on(error)
