"""Hands stored operations to Celery's broker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from celery import Celery
from celery.utils.saferepr import saferepr

from tracker.celery.app import make_app
from tracker.celery.headers import Ticket, header_of
from tracker.model import Parts
from tracker.settings import Settings

REPR_LIMIT = 1024
"""Longest form of the arguments for Celery's own events and logs, in characters; Celery's limit for its own."""


class Sender:
    """Sends to the broker that ``settings`` name; gives up instead of waiting for it."""

    def __init__(self, settings: Settings) -> None:
        self._app = make_app(settings, sender=True)

    def send(self, operation: Parts, task: str, args: dict[str, Any], above: Sequence[str], message: str) -> None:
        """Send an operation's message: ``task`` with ``args`` is its run; ``above`` are the titles around it."""
        send(self._app, operation, task, args, above, message)


def send(
    app: Celery,
    operation: Parts,
    task: str,
    args: dict[str, Any],
    above: Sequence[str],
    message: str,
    **options: Any,
) -> None:
    """Hand one operation to the broker of ``app``; its id travels in a header.

    That is the task's id as well, but of an attempt that somebody asked for: Celery throws away what has an id that was
    revoked once. ``above`` are the titles of the operations around it. The operation does not begin by this
    ``message``, which is an id, if another one for it was taken before.
    """
    queue = operation.queue
    if queue is None:
        return
    again = queue.again
    resumes = again is not None and again.resumes
    ticket = Ticket(operation.id, queue.parent, queue.title, queue.created, list(above), resumes, message)
    app.send_task(
        task,
        kwargs=args,
        kwargsrepr=saferepr(queue.args or {}, REPR_LIMIT),
        task_id=again.task if again is not None else operation.id,
        queue=queue.queue,
        headers=header_of(ticket),
        ignore_result=True,
        retry=False,
        **options,
    )
