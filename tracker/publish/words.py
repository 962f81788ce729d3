"""Last words: all that is kept in memory of ended runs for which there is no room otherwise."""

from __future__ import annotations

from collections import deque

import msgspec

from tracker.store import RunBlob

BYTES_LIMIT = 4 * 2**20
"""Bytes that all of them may take; beyond it the oldest is dropped."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(RunBlob).decode


class Words:
    """In the order they came; written down, for as objects they would take several times as much."""

    def __init__(self) -> None:
        self.dropped = 0
        self._words: deque[bytes] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._words)

    def put(self, blob: RunBlob) -> None:
        """Keep one, and drop the oldest ones if it takes that to make room."""
        self._words.append(_encode(blob))
        self._bytes += len(self._words[-1])
        while self._bytes > BYTES_LIMIT:
            self.taken(1)
            self.dropped += 1

    def peek(self, limit: int) -> list[RunBlob]:
        """The oldest ones, at most ``limit``."""
        return [_decode(self._words[place]) for place in range(min(limit, len(self._words)))]

    def taken(self, number: int) -> None:
        """So many of the oldest are stored."""
        for _ in range(number):
            self._bytes -= len(self._words.popleft())
