"""Who asks, and what they may do: with ``TRACKER_TOKENS_FILE``, everything but ``PUBLIC`` wants a token.

Programs send it in a header with every request. A browser sends it once and keeps a cookie that proves it. Without the
file there are no tokens, and everybody who reaches the server may do everything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import msgspec
from flask import Response, g, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from tracker.clock import now
from tracker.complaints import Complaints
from tracker.tokens import Holder, Role, login_of
from web.problems import Problem
from web.site import site

COOKIE = "tracker_login"

REMEMBERED = 30 * 86_400
"""Longest time for which a browser keeps a log-in, in seconds."""

PUBLIC = frozenset({"health.healthz", "health.readyz", "login.log_in", "login.log_out", "login.page", "pages.static"})
"""The only endpoints that are served to anybody. What they say names nothing that is tracked."""

READING = ("GET", "HEAD", "OPTIONS")

ANYBODY = Holder("", Role.OPERATOR, "")
"""Who asks a server that knows no tokens."""

_complaints = Complaints()


class Person(msgspec.Struct):
    """Who is logged in; ``name`` is empty where there are no tokens. ``until``: UTC seconds from which it is over."""

    name: str
    role: Role
    until: float | None = None


def check() -> BaseResponse | None:
    """Let a request through, or send a browser to the log-in; raises ``Problem`` 401 and 403."""
    if site().tokens is None or request.endpoint in PUBLIC:
        return None
    holder = _shown()
    if holder is None:
        if request.blueprint == "pages" and request.method in READING:
            return redirect(f"{site().settings.base_path}/login?next={_here()}", 303)
        raise Problem("not-logged-in", _why(), headers={"WWW-Authenticate": "Bearer"})
    if holder.role is not Role.OPERATOR and request.method not in READING and request.blueprint != "login":
        raise Problem("not-allowed", f"{holder.name} may look and not act; it takes the token of an operator")
    g.holder = holder
    return None


def holder() -> Holder:
    """Who sends the current request."""
    found: Holder = g.get("holder", ANYBODY)
    return found


def asker() -> str:
    """Who asks, as far as is known: by name, or by address where there are no names."""
    if holder().name:
        return holder().name
    return f"http {request.remote_addr}" if request.remote_addr else "http"


def admission() -> Callable[[], bool]:
    """Says whether whoever sends the current request may still look; for what lasts longer than a request."""
    tokens, held = site().tokens, holder()
    return (lambda: True) if tokens is None else lambda: tokens.knows(held)


def person(holder: Holder) -> Person:
    """Whose token it is, as may be told."""
    return Person(holder.name, holder.role, holder.until)


def let_in(token: str, response: Response) -> Holder:
    """Have the browser remember a log-in with ``token``; raises ``Problem`` 401. Where there are none, all are good."""
    tokens = site().tokens
    if tokens is None:
        return ANYBODY
    login = login_of(token)
    found = tokens.holder_of(login)
    if found is None:
        raise Problem("not-logged-in", _unknown())
    left = REMEMBERED if found.until is None else min(REMEMBERED, int(found.until - now()))
    response.set_cookie(COOKIE, login, max_age=left, **_attributes())
    return found


def let_out(response: Response) -> None:
    """Have the browser forget."""
    response.delete_cookie(COOKIE, **_attributes())


def _shown() -> Holder | None:
    """Whose token the request proves: one in a header counts before a cookie, and neither is good as the other."""
    token = _token()
    login = login_of(token) if token is not None else request.cookies.get(COOKIE, "")
    tokens = site().tokens
    return tokens.holder_of(login) if tokens is not None and login else None


def _token() -> str | None:
    """What the request shows as one; other kinds of proof in that header are for a proxy before the server."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else None


def _why() -> str:
    if _token() is not None:
        return _unknown()
    return "this server wants a token; send it as `Authorization: Bearer …`, or log in with a browser"


def _unknown() -> str:
    _complaints.say("unknown", f"{request.remote_addr} has shown a token that is nobody's, or is no longer good")
    return "this token is nobody's, or is no longer good; ask whoever runs this server for another"


def _here() -> str:
    """The address asked for, as a part of a query."""
    return quote(request.full_path.rstrip("?"), safe="/")


def _attributes() -> dict[str, Any]:
    """Of the cookie. Over TLS, also where a proxy that the server believes speaks it, it is sent over nothing else."""
    path = f"{site().settings.base_path}/"
    return {"path": path, "httponly": True, "samesite": "Lax", "secure": request.is_secure}
