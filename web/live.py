"""The WebSocket route ``/api/v1/ws``: checks before the upgrade, and the end of every connection."""

from __future__ import annotations

import base64
import binascii
import contextlib
import logging
from typing import Any

from flask import Blueprint, g, request
from flask_sock import Sock
from simple_websocket import ConnectionClosed
from wsproto.utilities import LocalProtocolError

from web import queries, shim
from web.messages import FAILED
from web.problems import RETRY_AFTER, Problem
from web.queries import Query
from web.session import Session
from web.site import Site, site

GOODBYE = 1.0
"""Seconds a client has to answer the closing of its connection."""

blueprint = Blueprint("live", __name__)
sock = Sock()
log = logging.getLogger("tracker.web")


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
    take_seat(site())
    g.has_seat = True
    shim.prepare(request.environ, site().limits.unread)


def _is_handshake() -> bool:
    headers = request.headers
    try:
        key = base64.b64decode(headers.get("Sec-WebSocket-Key", ""), validate=True)
    except (binascii.Error, ValueError):
        return False
    is_upgrade = headers.get("Upgrade", "").lower() == "websocket"
    return is_upgrade and len(key) == 16 and headers.get("Sec-WebSocket-Version") == "13"


def take_seat(parts: Site) -> None:
    """Raise ``Problem`` 503 if no more live connections can be served."""
    if parts.hub.stopping.is_set():
        raise Problem("stopping", headers={"Retry-After": RETRY_AFTER})
    if not parts.seats.take():
        detail = f"{parts.limits.sockets} live connections are open, which is all this server takes"
        raise Problem("busy", detail, headers={"Retry-After": RETRY_AFTER})


def leave_seat(parts: Site) -> None:
    """Give a seat back."""
    parts.seats.leave()


@blueprint.teardown_request
def give_seat_back(error: BaseException | None) -> None:
    """Runs when the connection has ended, however that came."""
    if g.pop("has_seat", False):
        leave_seat(site())


@blueprint.get("/api/v1/ws")
def no_upgrade() -> str:
    """Where plain HTTP would arrive; ``guard`` has answered it."""
    raise AssertionError("the guard refuses what is no WebSocket")


@sock.route("/api/v1/ws", bp=blueprint)  # type: ignore[untyped-decorator]
def live(ws: Any) -> None:
    """Serve one WebSocket until it ends. Nothing may be raised from here: it would be sent as HTTP."""
    code, reason = 0, ""
    try:
        code, reason = Session(ws, site()).run()
    except (ConnectionClosed, LocalProtocolError, OSError):
        pass
    except Exception:
        log.exception("a live connection failed")
        code, reason = FAILED, "an error in the server"
    _end(ws, code, reason)


def _end(ws: Any, code: int, reason: str) -> None:
    """Say goodbye if there still is somebody, then make sure that the reading thread ends."""
    if code:
        with contextlib.suppress(ConnectionClosed, LocalProtocolError, OSError):
            ws.close(code, reason)
            ws.thread.join(GOODBYE)
    ws.sock.hang_up()
    ws.connected = False
    ws.thread.join(GOODBYE)
