"""What a web server says over a live connection, beyond what every source tells."""

from __future__ import annotations

import msgspec

from tracker.cli.source.items import Events, Reset, Snapshot


class Hello(msgspec.Struct, tag="hello"):
    """The first message: the version of the protocol."""

    v: int


class Heartbeat(msgspec.Struct, tag="heartbeat"):
    """All is well, and nothing happens."""


class Trouble(msgspec.Struct, tag="error"):
    """Redis does not answer there."""

    detail: str = ""


class Bye(msgspec.Struct, tag="bye"):
    """The server ends, and wants to be asked again after so many seconds."""

    retry_after: float = 0.0


Message = Hello | Snapshot | Events | Reset | Heartbeat | Trouble | Bye

KNOWN = frozenset(kind.__struct_config__.tag for kind in Message.__args__)


class _Head(msgspec.Struct):
    type: str


_head = msgspec.json.Decoder(_Head).decode
_decode = msgspec.json.Decoder(Message).decode


def read(text: str | bytes) -> Message | None:
    """A message; ``None`` for one that is not known here. Raises ``msgspec.DecodeError`` for what is none."""
    return _decode(text) if _head(text).type in KNOWN else None
