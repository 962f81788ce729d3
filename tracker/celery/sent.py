"""Tasks as they are sent, by anybody in this process: each is an operation from that moment on.

What is told of one goes through the publisher, so whoever sends never waits for the store.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from celery._state import get_current_worker_task

from tracker.bus import event_bus
from tracker.celery import tracking
from tracker.celery.headers import HEADER, Ticket, header_of, ticket_of
from tracker.celery.tracking import Tracking
from tracker.clock import now
from tracker.context import enclosing_run
from tracker.model import QueuePart
from tracker.redact import line, value
from tracker.run import RunWriter
from tracker.store import QueueItem

FOLLOWING = "tracker_following"
"""Where a request keeps the ids of the tasks that follow it."""

TOLD_WITHIN = 0.05
"""Seconds that a task which sends itself again waits at most until it is known to have begun."""

SEVERAL = ("celery.map", "celery.starmap")
"""Tasks that run another one, which is what people look for."""


def note(
    sender: str,
    body: Any,
    headers: dict[str, Any],
    routing_key: str | None = None,
    **_: Any,
) -> None:
    """A task is about to be sent: it gets a ticket, and is told of as queued. Celery calls this, by its own names."""
    tracked = tracking.of_name(sender)
    if tracked is None or "id" not in headers:  # Messages of the first protocol have none.
        return
    around, request = enclosing_run(), _request()
    if request is not None and request.id == headers["id"]:
        # Another worker may be quicker than what is told of this run, which would then count as the later one.
        event_bus.flush(TOLD_WITHIN)
    if HEADER in headers:  # It was told of before.
        return
    ticket, is_new = _ticket(sender, body, headers, around, request)
    headers.update(header_of(ticket))
    if is_new:
        part = _part(sender, ticket, tracked, body, headers, routing_key or "")
        event_bus.note(QueueItem(ticket.operation, part))


def _request() -> Any:
    """What this process executes, if it is a task."""
    task = get_current_worker_task()
    return task.request if task is not None else None


def _ticket(
    name: str, body: Any, message: dict[str, Any], around: RunWriter | None, request: Any
) -> tuple[Ticket, bool]:
    """For what a message is, and whether that is an operation of its own."""
    id = str(message["id"])
    if request is not None and request.id == id:  # It is sent once more, or put in another's place.
        ticket = ticket_of(getattr(request, HEADER, None), id)
        if ticket.created is None and around is not None and around.operation == ticket.operation:
            ticket.created = around.created  # Nobody told of it before this run; the next one is no later operation.
        return ticket, False
    ticket = Ticket(id, title=line(_title(name, body)), created=now())
    if around is None:
        return ticket, True
    if request is not None and id in request.__dict__.get(FOLLOWING, ()):
        ticket.parent, ticket.above = around.parent or around.operation, [*around.above]
    else:
        ticket.parent, ticket.above = around.operation, [*around.above, around.title]
    _note_child(around, ticket.parent)
    return ticket, True


def _note_child(around: RunWriter, parent: str) -> None:
    run: RunWriter | None = around
    while run is not None:
        run.has_children = run.has_children or run.operation == parent
        run = run.around


def _part(name: str, ticket: Ticket, tracked: Tracking, body: Any, message: dict[str, Any], queue: str) -> QueuePart:
    return QueuePart(
        name=line(name),
        created=ticket.created or now(),
        title=ticket.title,
        queue=line(queue),
        eta=_seconds(message.get("eta")),
        parent=ticket.parent,
        args=_args(body) if tracked.keep_args else None,
    )


def _title(name: str, body: Any) -> str:
    """What people read until the task gives a title of its own."""
    if name in SEVERAL:
        with suppress(Exception):
            return f"{name.removeprefix('celery.')} of {body[1]['task']['task']}"
    return name


def _args(body: Any) -> dict[str, Any]:
    """The arguments as they may be shown; those without a name under ``args``."""
    positional, named = body[0], body[1]
    shown: dict[str, Any] = value({**({"args": list(positional)} if positional else {}), **named})
    return shown


def _seconds(eta: str | None) -> float | None:
    """Celery's ISO 8601 as UTC seconds."""
    if not eta:
        return None
    when = datetime.fromisoformat(eta)
    return (when if when.tzinfo is not None else when.replace(tzinfo=UTC)).timestamp()


def note_following(request: Any) -> None:
    """Remember the tasks that Celery sends after this one: what comes next in a chain, a chord's body.

    Before it begins, as some releases take them from the list before they send them.
    """
    if request.chain or request.callbacks or request.chord:
        following = [*(request.chain or ()), *(request.callbacks or ()), *([request.chord] if request.chord else ())]
        request.__dict__[FOLLOWING] = {id for signature in following for id in _ids(signature)}


def _ids(signature: Any) -> Iterator[str]:
    if not isinstance(signature, dict):
        return
    yield str((signature.get("options") or {}).get("task_id"))
    inner = signature.get("kwargs") or {}
    for below in [*_listed(inner.get("tasks")), *_listed(inner.get("header")), inner.get("body")]:
        yield from _ids(below)


def _listed(held: Any) -> list[Any]:
    """What is in a group, which may itself stand for a list."""
    if isinstance(held, dict):
        return [held]
    return list(held) if isinstance(held, list | tuple) else []
