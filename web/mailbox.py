"""What waits to be sent to one client: its place in the channel of each topic it watches. Used by one thread."""

from __future__ import annotations

from collections.abc import Callable

from web.channel import Channel, Reader
from web.messages import Frame


class Mailbox:
    """The topics of one client. ``wake`` is called, from any thread, when a message is due sooner than it was."""

    __slots__ = ("_readers", "_wake")

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._readers: dict[Channel, Reader] = {}

    @property
    def topics(self) -> list[str]:
        """The topics watched."""
        return [channel.topic for channel in self._readers]

    def open(self, channel: Channel, reason: str) -> tuple[Reader, int]:
        """Watch a topic from now on, or anew; its events wait for a snapshot."""
        reader = self._readers.setdefault(channel, Reader(self._wake))
        return reader, channel.join(reader, reason)

    def close(self, channel: Channel) -> bool:
        """Forget a topic; whether others watch it."""
        reader = self._readers.pop(channel, None)
        return reader is None or channel.leave(reader)

    def take(self, now: float) -> tuple[list[Frame], float | None]:
        """The frames to send now, on the monotonic clock ``now``, and when there will be more."""
        found: list[Frame] = []
        next_due = None
        for channel, reader in self._readers.items():
            frames, due = channel.take(reader, now)
            found += frames
            if due is not None and (next_due is None or due < next_due):
                next_due = due
        return found, next_due

    def due(self) -> float | None:
        """When the next frame may go; ``None`` while there is none."""
        dues = [due for channel, reader in self._readers.items() if (due := channel.due(reader)) is not None]
        return min(dues, default=None)
