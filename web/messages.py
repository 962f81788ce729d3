"""The live protocol: every message between the server and a WebSocket client, as a value."""

from __future__ import annotations

import struct

import msgspec

from tracker.history.topics import PROTOCOL
from tracker.model import Operation
from tracker.store import Standing

RESTART, POLICY, TOO_LARGE, TOO_MANY, TOO_SLOW, FAILED, LOGGED_OUT = 1012, 1008, 1009, 4429, 4408, 1011, 4401
"""Close codes: the server restarts, too many mistakes, too large a message, too many messages, a client that does not
read, an error in the server, a token that is no longer good."""


class Message(msgspec.Struct, tag_field="type", tag=str.lower):
    """Base of what the server sends."""


class Hello(Message):
    """The first message. ``now`` is UTC seconds here, so that a client can show ages despite its own clock."""

    version: str
    now: float
    v: int = PROTOCOL


class Snapshot(Message):
    """The whole truth about a topic: contains everything up to ``cursor``, and may contain later changes.

    After one that is ``lagging`` come no events, but a new one every second, until one is not. ``problem`` says why the
    operation that the topic is about is not in it although it is stored.
    """

    topic: str
    cursor: str
    operations: list[Operation]
    lagging: bool = False
    counts: Standing | None = None
    """Of the topic ``operations``: how many are open in all, those that are not in it among them."""
    problem: str = ""


class Events(Message):
    """Changes, each a ``LiveEvent``; in the order of each operation's ``rev``."""

    topic: str
    cursor: str
    events: list[msgspec.Raw]


class Heartbeat(Message):
    """Everything up to ``cursor`` has been told. Not sent while Redis does not answer.

    ``counts`` are those of a snapshot, as of a second ago, while anybody watches the topic ``operations``.
    """

    cursor: str
    now: float
    counts: Standing | None = None


class Reset(Message):
    """Continuity is lost; forget the topic, its snapshot follows."""

    topic: str
    reason: str


class Error(Message):
    """Something the client should know; the connection stays."""

    detail: str


class Bye(Message):
    """The server closes the connection; come back after ``retry_after`` seconds."""

    reason: str
    retry_after: float


class Ask(msgspec.Struct):
    """What a client sends; fields it does not know here are ignored."""

    type: str
    topic: str = ""
    cursor: str = ""


_encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Ask).decode


class Frame:
    """A message as it goes out, made once for all clients that get it.

    ``text`` is its JSON, and ``wire`` the whole frame of a WebSocket.
    """

    __slots__ = ("text", "wire")

    def __init__(self, message: Message) -> None:
        self.text = _encode(message)
        self.wire = _header(len(self.text)) + self.text


def _header(size: int) -> bytes:
    """What goes before a whole text of ``size`` bytes that a server sends (RFC 6455, section 5.2)."""
    if size < 126:
        return struct.pack("!BB", 0x81, size)
    if size < 1 << 16:
        return struct.pack("!BBH", 0x81, 126, size)
    return struct.pack("!BBQ", 0x81, 127, size)
