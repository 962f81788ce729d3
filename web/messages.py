"""The live protocol: every message between the server and a WebSocket client, as a value."""

from __future__ import annotations

import msgspec

from tracker.model import Operation

PROTOCOL = 1
"""Version of the protocol; a client that knows another major version closes with 4406."""

RESTART, POLICY, TOO_MANY, FAILED = 1012, 1008, 4429, 1011
"""Close codes: the server restarts, too many mistakes, too many messages, an error in the server."""


class Message(msgspec.Struct, tag_field="type", tag=str.lower):
    """Base of what the server sends."""


class Hello(Message):
    """The first message. ``now`` is UTC seconds here, so that a client can show ages despite its own clock."""

    version: str
    now: float
    v: int = PROTOCOL


class Snapshot(Message):
    """The whole truth about a topic: contains everything up to ``cursor``, and may contain later changes."""

    topic: str
    cursor: str
    operations: list[Operation]


class Events(Message):
    """Changes, each a ``LiveEvent``; in the order of each operation's ``rev``."""

    topic: str
    cursor: str
    events: list[msgspec.Raw]


class Heartbeat(Message):
    """Everything up to ``cursor`` has been sent. Not sent while Redis does not answer."""

    cursor: str
    now: float


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


def frame(message: Message) -> str:
    """The text frame of a message."""
    return _encode(message).decode()
