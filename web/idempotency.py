"""``Idempotency-Key``: a POST that is repeated with the same key and body is answered as the first one was.

Holds for every POST, whoever registers it. What was refused is forgotten, as it has done nothing; an answer that says
"try again" (5xx) is not kept either, but what it may have queued is known, so that nothing is queued twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from typing import TypeVar

from flask import Flask, Response, g, request

from tracker.errors import BrokerUnavailable, NotFound, StoreUnavailable
from tracker.ids import new_id
from tracker.model import Operation, Status
from tracker.store import Claim, InProgress, KnownRequest
from web.bodies import raw
from web.limits import BATCH_BODY
from web.problems import Problem
from web.site import site

KEY = "Idempotency-Key"

KEY_LIMIT = 255
"""Longest key, in characters."""

REPLAYED = "Idempotency-Replayed"
"""Header of an answer that was given before."""

Queued = TypeVar("Queued")


def install(app: Flask) -> None:
    """Heed the key of every POST of ``app``."""
    app.before_request(_before)
    app.after_request(_after)


def _before() -> Response | None:
    key = request.headers.get(KEY)
    if request.method != "POST" or key is None:
        return None
    if not re.fullmatch(f"[!-~]{{1,{KEY_LIMIT}}}", key):
        raise Problem("invalid-header", f"{KEY} has 1 to {KEY_LIMIT} visible ASCII characters")
    body = raw(BATCH_BODY)
    try:
        claim: Claim = site().store.answers.claim(f"POST {request.path}", key, body)
    except InProgress:
        raise Problem("idempotency-in-progress", "ask again in a moment", headers={"Retry-After": "1"}) from None
    is_other = claim.kept.body != sha256(body).hexdigest()
    if not (is_other or claim.kept.status):
        g.claim = claim
        return None
    site().store.answers.done(claim)
    if is_other:
        raise Problem("idempotency-mismatch", "it was used with another body; use a new key for a new request")
    return _replayed(claim.kept)


def _replayed(kept: KnownRequest) -> Response:
    headers = {"Location": kept.location} if kept.location else {}
    return Response(kept.answer, kept.status, headers | {REPLAYED: "true"}, mimetype="application/json")


def _after(response: Response) -> Response:
    """The answer goes out whatever becomes of this: without Redis the key is held a while longer, and nothing else."""
    claim: Claim | None = g.pop("claim", None)
    if claim is None:
        return response
    with suppress(StoreUnavailable):
        _settle(claim, response)
    return response


def _settle(claim: Claim, response: Response) -> None:
    is_good = response.status_code < 300
    if is_good:
        claim.kept.status = response.status_code
        claim.kept.location = response.headers.get("Location", "")
        claim.kept.operation = claim.kept.operation or claim.kept.location.rpartition("/")[2]
        claim.kept.answer = response.get_data(as_text=True)
    site().store.answers.done(claim, keep=is_good, forget=400 <= response.status_code < 500)


def queue_once(queue: Callable[[str], Queued]) -> tuple[str, Queued | None]:
    """Queue something under an id of its own, with ``queue``; that id and what ``queue`` gave.

    If an earlier try got through, its id, and nothing.

    An earlier try may have ended before it was known whether a message is on its way. While what it queued still
    waits, it is cancelled first: a message that comes after all finds it so, and does nothing. Then it is queued anew,
    under another id. So the work is done once, whichever message arrives.
    """
    claim: Claim | None = g.get("claim")
    if claim is None:
        id = new_id()
        return id, queue(id)
    if claim.kept.operation and _got_through(claim):
        return claim.kept.operation, None
    claim.kept.operation = claim.kept.operation or new_id()
    site().store.answers.keep(claim)
    try:
        return claim.kept.operation, queue(claim.kept.operation)
    except BrokerUnavailable:
        _forget_operation(claim)
        raise


def _got_through(claim: Claim) -> bool:
    """Whether an earlier try's operation counts; if not, the claim holds the id to use, or none."""
    try:
        operation = site().history.operation(claim.kept.operation)
    except NotFound:
        return False  # Nothing was stored, so its id is as good as a new one.
    if operation.status is Status.QUEUED and not operation.attempt:
        is_taken = not site().queueing.give_up(operation.id, "whoever queued it ended before it was known to be sent")
    else:
        is_taken = not _was_given_up(operation)
    if not is_taken:
        claim.kept.operation = ""
    return is_taken


def _was_given_up(operation: Operation) -> bool:
    """It ended without having begun, and nobody has asked for that."""
    return operation.status is Status.CANCELLED and not operation.attempt and operation.cancel is None


def _forget_operation(claim: Claim) -> None:
    """It was given up; it may be in an archive that is not read here when the request is repeated."""
    claim.kept.operation = ""
    site().store.answers.keep(claim)
