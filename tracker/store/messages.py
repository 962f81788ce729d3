"""What is stored of messages to the broker: how far a batch was sent, what still has to be, and who has taken one."""

from __future__ import annotations

from typing import Any

import msgspec

from tracker.complaints import Complaints
from tracker.model import QueuePart
from tracker.store.client import Client
from tracker.store.decoding import SENSELESS, named
from tracker.store.keys import Keys

SENDING = 10.0
"""Seconds for which one process alone sends what is owed."""

_encode = msgspec.json.Encoder().encode
_part = msgspec.json.Decoder(QueuePart).decode


class Take(msgspec.Struct, frozen=True):
    """A worker is about to begin an operation for which it holds ``message``; ``ignored`` if it must not.

    It must not if the operation was cancelled, waits for another ``task`` (Celery's id of it), or was taken for another
    message. Until its run is told of, it is known that ``worker`` has it.
    """

    operation: str
    message: str
    task: str
    worker: str

    def change(self) -> list[Any]:
        return ["take", self.operation, self.message, self.task, self.worker]


class Sent(msgspec.Struct, frozen=True):
    """The broker has the dispatch of a batch, and the messages of its first ``children`` children."""

    operation: str
    children: int = 0

    def change(self) -> list[Any]:
        return ["sent", self.operation, self.children]


class Follow(msgspec.Struct, frozen=True):
    """The operation ``follower`` is to be sent once a batch and all its children have ended; ``None``: nothing is."""

    operation: str
    follower: str = ""
    part: QueuePart | None = None

    def change(self) -> list[Any]:
        return ["follow", self.operation, self.follower, _encode(self.part).decode() if self.part else ""]


class Paid(msgspec.Struct, frozen=True):
    """The broker has the message that was owed for an operation."""

    operation: str

    def change(self) -> list[Any]:
        return ["paid", self.operation]


class Messages:
    """Reads of one namespace."""

    def __init__(self, client: Client, keys: Keys, complaints: Complaints) -> None:
        self._client = client
        self._keys = keys
        self._complaints = complaints

    def sent(self, batch: str) -> int:
        """How many of the first children of ``batch`` the broker has got, at least."""
        with self._client.answering() as redis:
            return int(redis.hget(self._keys.operation(batch), "sent") or 0)

    def unsent(self) -> list[str]:
        """Batches that wait, of which it is not known that the broker has their dispatch."""
        with self._client.answering() as redis:
            return sorted(named(id) for id in redis.smembers(self._keys.unsent))

    def taken(self) -> dict[str, str]:
        """Operations that a worker has taken and not begun, as far as is known, with that worker's name."""
        with self._client.answering() as redis:
            return {named(id): named(worker) for id, worker in redis.hgetall(self._keys.taken).items()}

    def owed(self, worker: str) -> dict[str, QueuePart]:
        """Operations whose message still has to be sent; nothing while another worker than ``worker`` sends them."""
        with self._client.answering() as redis:
            if not redis.hlen(self._keys.owed):
                return {}
            key, life = self._keys.owed_sender, int(SENDING * 1000)
            if not redis.set(key, worker, nx=True, px=life) and redis.get(key) != worker.encode():
                return {}
            waiting = redis.hgetall(self._keys.owed)
        return {named(id): found for id, part in waiting.items() if (found := self._read(named(id), part)) is not None}

    def _read(self, id: str, part: bytes) -> QueuePart | None:
        try:
            return _part(part)
        except SENSELESS as error:
            self._complaints.say("owed", f"the message that is owed for {id!r} cannot be read, and stays: {error}")
            return None
