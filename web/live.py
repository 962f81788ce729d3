"""The WebSocket route ``/api/v1/ws``: checks before the upgrade, the handshake, and the handing over."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from flask import Blueprint, g, request
from flask_sock import Sock

from web import access, queries, shim
from web.problems import RETRY_AFTER, Problem
from web.queries import Query
from web.seats import Seats
from web.site import Site, site

ACKNOWLEDGED = 3
"""How many times as long as a client may leave things unread it may not answer at all."""

blueprint = Blueprint("live", __name__)
sock = Sock()


@blueprint.before_request
def guard() -> None:
    """Everything that may refuse a connection, while an HTTP answer is still possible; raises ``Problem``."""
    queries.read(Query)
    if not _is_handshake():
        raise Problem(
            "upgrade-required",
            "connect with a WebSocket client, version 13",
            headers={"Upgrade": "websocket", "Sec-WebSocket-Version": "13"},
        )
    take_seat(site(), site().seats)
    g.has_seat = True
    shim.prepare(request.environ)


def _is_handshake() -> bool:
    headers = request.headers
    try:
        key = base64.b64decode(headers.get("Sec-WebSocket-Key", ""), validate=True)
    except (binascii.Error, ValueError):
        return False
    is_upgrade = headers.get("Upgrade", "").lower() == "websocket"
    return is_upgrade and len(key) == 16 and headers.get("Sec-WebSocket-Version") == "13"


def take_seat(parts: Site, seats: Seats) -> None:
    """Raise ``Problem`` 503 if no more live connections of a kind can be served."""
    if parts.hub.stopping.is_set():
        raise Problem("stopping", headers={"Retry-After": RETRY_AFTER})
    if not seats.take():
        detail = f"{seats.number} live connections of this kind are open, which is all this server takes"
        raise Problem("busy", detail, headers={"Retry-After": RETRY_AFTER})


@blueprint.teardown_request
def give_seat_back(error: BaseException | None) -> None:
    """Of a connection that did not come about; else the seat is free when the connection ends."""
    if g.pop("has_seat", False):
        site().seats.leave()


@blueprint.get("/api/v1/ws")
def no_upgrade() -> str:
    """Where plain HTTP would arrive; ``guard`` has answered it."""
    raise AssertionError("the guard refuses what is no WebSocket")


@sock.route("/api/v1/ws", bp=blueprint)  # type: ignore[untyped-decorator]
def live(ws: Any) -> None:
    """Hand the connection over once the handshake is done; the request ends here."""
    parts = site()
    raw = shim.take_away(ws.sock)
    ws.connected = False
    shim.limit_unread(raw, ACKNOWLEDGED * parts.limits.unread)
    parts.sockets.adopt(raw, parts, access.admission())
    g.pop("has_seat")
