"""How values are handed to the append script: what it keeps is text to it."""

from __future__ import annotations

from typing import Any

import msgspec

_json = msgspec.json.Encoder().encode


def encode(value: Any) -> str:
    """The JSON form of a value."""
    return _json(value).decode()


def text(data: bytes) -> msgspec.Raw:
    """Bytes as MessagePack's text of any length: scripts in Redis know no other kind."""
    return msgspec.Raw(b"\xdb" + len(data).to_bytes(4, "big") + data)
