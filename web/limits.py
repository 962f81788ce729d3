"""The bounds of everything a client can ask for or make the server hold."""

from __future__ import annotations

from dataclasses import dataclass

from tracker.limits import NAME_LIMIT

OPERATION_BODY = 64 * 1024
"""Largest body that queues one operation, in bytes."""

BATCH_BODY = 4 * 1024 * 1024
"""Largest body that queues a batch, in bytes."""

UNWANTED_BODY = 16 * 1024 * 1024
"""What is read of a body that is too large anyway, in bytes, before its connection is cut."""

TEXT = NAME_LIMIT
"""Longest job name, title, label key or label value, in characters."""

PAGE = 200
"""Most items of a page."""

EXPORTED = 1_000_000
"""Most operations of one export."""

EXPORTS = 2
"""Exports that are made at the same time; each holds a thread, and keeps it busy."""

SURVEY = 1.0
"""Seconds for which what was read of all that runs is good enough."""

DAYS = 366
"""Most days that statistics tell one by one."""

LARGEST = 1_000_000
"""Largest index of a step."""

LATEST = 1e11
"""Latest time that can be asked for, in UTC seconds."""

OTHER_BODY = 16 * 1024
"""Largest body of any other kind, in bytes."""

SOCKET_MESSAGE = 8 * 1024
"""Largest message a WebSocket client may send, in bytes."""

SOCKET_BYTES_PER_SECOND = 128 * 1024
"""What a WebSocket client may send in a second before its connection is cut."""

SOCKET_MESSAGES_PER_SECOND = 10
"""What a WebSocket client may send in the long run."""

SOCKET_BURST = 20
"""Messages a WebSocket client may send at once."""

SOCKET_MISTAKES = 5
"""Messages nobody understands, after which a WebSocket is closed."""

SOCKET_TOPICS = 16
"""Most topics of one WebSocket."""

WAITING, WAITING_BYTES, WAITING_SECONDS = 1_000, 4 * 1024 * 1024, 10.0
"""Events of a topic that may wait for a client: how many, how large, how long; one that is further behind starts again
with a snapshot."""

SEND_BUFFER = 128 * 1024
"""What the kernel may hold of one WebSocket that is not sent yet, in bytes."""

DESCRIPTORS = 256
"""Files and connections of a server's process besides its WebSockets."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds that depend on the machine; all times in seconds."""

    threads: int = 64
    """Requests and streams served at the same time; a stream holds its thread, a WebSocket none."""
    streams: int = 48
    """Streams served at the same time; fewer than ``threads``, so that other requests are always answered."""
    sockets: int = 2_000
    """WebSockets served at the same time."""
    heartbeat: float = 15.0
    """Time between two heartbeats of a live connection."""
    unread: float = 10.0
    """How long a live client may leave what was sent to it unread."""
