"""How values become small: ids, times, and the forms that every blob has in common.

A blob is a msgpack array, compressed if that is worth it. Everything here is exact: what comes out equals what went in.
"""

from __future__ import annotations

import math
import re
import zlib
from typing import Any

import msgspec

UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
RUN = re.compile("[0-9a-f]{12}")

UNIT = 2.0**22
"""Parts of a second in which times are counted: every float of our time is a whole number of them."""

COMPRESS_FROM = 400
"""Bytes from which compressing is tried."""

ZLIB = 0x78
"""First byte of what zlib makes; no msgpack array begins with it."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


def pack_id(id: str) -> bytes:
    """An id in few bytes: a UUID at its beginning takes 16 of them, everything else stays text.

    The ninth byte of such a UUID is never ASCII, and ids are, so the two cannot be confused.

    >>> pack_id("0197c3a0-0000-7000-8000-000000000001.12")[16:]
    b'.12'
    """
    if UUID.match(id):
        return bytes.fromhex(id[:36].replace("-", "")) + id[36:].encode()
    return id.encode()


def unpack_id(key: bytes) -> str:
    """The id that was packed."""
    if len(key) < 16 or key[8] < 0x80:
        return key.decode()
    text = key.hex()
    uuid = f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:32]}"
    return uuid + key[16:].decode() if len(key) > 16 else uuid


def pack_run(run: str) -> bytes | str:
    """A run's id: 6 bytes if it is one of ours."""
    return bytes.fromhex(run) if RUN.fullmatch(run) else run


def unpack_run(packed: bytes | str) -> str:
    """The run's id that was packed."""
    return packed.hex() if isinstance(packed, bytes) else packed


def pack_time(time: float, base: float) -> float | int:
    """UTC seconds as a whole number of units after ``base`` where that is exact, else as they are."""
    units = (time - base) * UNIT
    if abs(units) < 2**53 and units.is_integer() and base + units / UNIT == time:
        return int(units)
    return float(time)


def unpack_time(packed: float | int, base: float) -> float:
    """UTC seconds that were packed."""
    return base + packed / UNIT if isinstance(packed, int) else packed


def end_of(started: float | None, duration: float | None, base: float) -> float:
    """About when something ended: a base from which what happened then is a small number of units away."""
    if started is None:
        return base
    end = started + (duration or 0.0)
    return math.floor(end * UNIT) / UNIT if abs(end) < 2**31 else started


def pack(value: Any) -> bytes:
    """A list or mapping as a blob."""
    blob = _encode(value)
    if len(blob) < COMPRESS_FROM:
        return blob
    return min(blob, zlib.compress(blob, 6), key=len)


def unpack(blob: bytes) -> Any:
    """The value that was packed; raises ``ValueError`` or ``zlib.error`` if the blob is damaged."""
    return _decode(zlib.decompress(blob) if blob[0] == ZLIB else blob)


def trimmed(row: list[Any]) -> list[Any]:
    """``row`` without what is missing at its end."""
    end = len(row)
    while end and row[end - 1] is None:
        end -= 1
    return row[:end]
