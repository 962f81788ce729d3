"""What was answered to requests that carry a key of their sender's choice, for those that are repeated."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import msgspec

from tracker.store.client import Client
from tracker.store.keys import Keys

KEPT = 24 * 3600
"""Seconds for which a request is remembered."""

AT_WORK = 30
"""Seconds for which nobody else works on a request, if whoever does is heard of no more."""

LET_GO = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"
"""Nobody lets go of what another one has taken meanwhile."""


class KnownRequest(msgspec.Struct):
    """What is known of a request: ``status`` 0 while it has no answer yet.

    ``body`` is a digest of what was sent, ``operation`` the id under which something is being queued for it, or of what
    the answer is about.
    """

    body: str
    operation: str = ""
    status: int = 0
    location: str = ""
    answer: str = ""


_decode = msgspec.json.Decoder(KnownRequest).decode


class InProgress(Exception):
    """Somebody is at work on the request."""


class Claim(msgspec.Struct):
    """The right to work on a request, until ``done`` or for ``AT_WORK`` seconds; ``kept`` is what is known of it."""

    name: str
    kept: KnownRequest
    token: str = msgspec.field(default_factory=lambda: secrets.token_hex(8))


class Answers:
    """The answers of one namespace."""

    def __init__(self, client: Client, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    def claim(self, scope: str, key: str, body: bytes) -> Claim:
        """Begin to work on a request; raises ``InProgress`` while somebody else does.

        What was kept is in the claim: of another body if the key was used for another one. ``done`` ends it.
        """
        name = sha256(f"{scope}\0{key}".encode()).hexdigest()
        claim = Claim(name, KnownRequest(sha256(body).hexdigest()))
        with self._client.answering() as redis:
            pipe = redis.pipeline(transaction=True)
            pipe.set(self._keys.at_work(name), claim.token, nx=True, ex=AT_WORK)
            pipe.get(self._keys.answer(name))
            is_mine, known = pipe.execute()
        if not is_mine:
            raise InProgress
        if known:
            claim.kept = _decode(known)
        return claim

    def keep(self, claim: Claim) -> None:
        """Remember what is known by now."""
        with self._client.answering() as redis:
            self._keep(redis, claim)

    def done(self, claim: Claim, *, keep: bool = False, forget: bool = False) -> None:
        """Let others have it, having first remembered (``keep``) or forgotten (``forget``) what is known by now."""
        with self._client.answering() as redis:
            pipe = redis.pipeline(transaction=False)
            if keep:
                self._keep(pipe, claim)
            if forget:
                pipe.delete(self._keys.answer(claim.name))
            pipe.eval(LET_GO, 1, self._keys.at_work(claim.name), claim.token)
            pipe.execute()

    def erase(self, operations: Sequence[str]) -> None:
        """Keep of these operations only that they were answered of: a repetition does nothing all the same."""
        with self._client.answering() as redis:
            pipe = redis.pipeline(transaction=False)
            for operation in operations:
                pipe.smembers(self._keys.answers_of(operation))
            for operation, names in zip(operations, pipe.execute(), strict=True):
                for name in names:
                    self._empty(redis, self._keys.answer(name.decode()), operation)
                if names:
                    redis.unlink(self._keys.answers_of(operation))

    def _empty(self, redis: Any, key: str, operation: str) -> None:
        known = redis.get(key)
        if known:
            answer = msgspec.json.encode({"id": operation}).decode()
            kept = msgspec.structs.replace(_decode(known), answer=answer)
            redis.set(key, msgspec.json.encode(kept), xx=True, keepttl=True)

    def _keep(self, redis: Any, claim: Claim) -> None:
        redis.set(self._keys.answer(claim.name), msgspec.json.encode(claim.kept), ex=KEPT)
        if claim.kept.answer and claim.kept.operation:
            redis.sadd(self._keys.answers_of(claim.kept.operation), claim.name)
            redis.expire(self._keys.answers_of(claim.kept.operation), KEPT)
